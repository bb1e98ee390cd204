"""DKIM signatures, judged by code that nobody here wrote."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from mailgov.relay.sign import OVERSIGNED_FIELDS, SIGNED_FIELDS, Signer, SigningError, body_hash
from mailgov.store.snapshot import SigningKey
from tests.support.dkim_verify import mail_dkim
from tests.support.dns_server import DnsServer
from tests.support.messages import html, signed, with_attachment
from tests.support.programs import needs
from tests.support.relay_node import AN, BINH, DOMAIN, ED25519_SELECTOR, RSA_SELECTOR, private_keys

NOW_S = 1_793_610_000
RSA, ED25519 = (
    SigningKey(DOMAIN, RSA_SELECTOR, "rsa", f"{RSA_SELECTOR}.pem"),
    SigningKey(DOMAIN, ED25519_SELECTOR, "ed25519", f"{ED25519_SELECTOR}.pem"),
)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is refused
HEAD = (
    b"From: An <annv@caobang.gov.vn>\r\nTo: <binhtt@caobang.gov.vn>\r\nSubject: x\r\n"
    b"Date: Mon, 02 Nov 2026 08:15:00 +0700\r\n"
)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    folder = tmp_path_factory.mktemp("keys")
    for selector, key in private_keys().items():
        (folder / f"{selector}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return Signer(folder)


def records() -> dict[str, str]:
    """The TXT records of both keys (RFC 6376 3.6.1, RFC 8463 4)."""
    found = {}
    for selector, key in private_keys().items():
        if isinstance(key, ed25519.Ed25519PrivateKey):
            raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            text = f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
        else:
            der = key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            text = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
        found[f"{selector}._domainkey.{DOMAIN}"] = text
    return found


def sign(signer: Signer, message: bytes, *keys: SigningKey) -> bytes:
    """The message with its signatures in front."""
    header, blank, _ = message.partition(b"\r\n\r\n")
    size = len(header) + 4 if blank else len(message)
    digest = body_hash(message, size)
    return signer.sign(keys or (RSA, ED25519), header + b"\r\n", digest, NOW_S) + message


def dkimpy(message: bytes, index: int = 0) -> bool:
    names = records()

    def text(name: bytes, timeout: int = 5) -> bytes | None:
        found = names.get(name.decode().rstrip("."))
        return found.encode() if found else None

    try:
        return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=text))
    except dkim.ValidationError:  # the body's hash
        return False


def publish(dns_server: DnsServer) -> None:
    for name, text in records().items():
        dns_server.txt(name, text)


MESSAGES = {
    "plain": HEAD + b"\r\nbody\r\n",
    "no final line end in sense": HEAD + b"\r\nbody\r\n\r\n\r\n",
    "empty body": HEAD + b"\r\n",
    "body of line ends alone": HEAD + b"\r\n" + b"\r\n" * 5,
    "body of blanks": HEAD + b"\r\n \r\n\t\r\n",
    "folded and odd": (
        b"FROM:  An\r\n\t<annv@caobang.gov.vn>\r\nsubject:a\r\n  b   \t c \r\nTo:x\r\nX-Y: z\r\n\r\nb\r\n"
    ),
    "two of a name": HEAD
    + b"To: second@example.org\r\nReferences: <1@x>\r\nCc: c@x.vn\r\nCc: d@x.vn\r\n\r\nb\r\n",
    "empty fields": b"From: annv@caobang.gov.vn\r\nSubject:\r\nTo: \r\n\r\nb\r\n",
    "eight bit": "From: Nguyễn <annv@caobang.gov.vn>\r\nSubject: Họp\r\n\r\nNội dung\r\n".encode(),
    "html": html(AN, BINH),
    "signed": signed(AN, BINH),
    "attachment": with_attachment(AN, BINH, size_bytes=300_000),
    "long lines": HEAD + b"X-Long: " + b"y" * 5000 + b"\r\n\r\n" + b"z" * 5000 + b"\r\n",
    "many fields": b"X-Many: 1\r\n" * 2000 + HEAD + b"\r\nb\r\n",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_both_signatures_pass_with_dkimpy(signer: Signer, name: str) -> None:
    message = sign(signer, MESSAGES[name])
    assert dkimpy(message, 0)
    assert dkimpy(message, 1)


@needs("Mail::DKIM", "Net::DNS")
@pytest.mark.parametrize("name", MESSAGES)
def test_mail_dkim_agrees(signer: Signer, dns_server: DnsServer, name: str) -> None:
    publish(dns_server)
    verdicts = mail_dkim(sign(signer, MESSAGES[name]), dns_server)
    assert [v.result for v in verdicts] == ["pass", "pass"] or (
        # A Mail::DKIM that cannot do Ed25519 says so; dkimpy verifies it above.
        verdicts[0].result == "pass" and "unsupported algorithm" in verdicts[1].detail
    ), verdicts
    assert [(v.domain, v.selector) for v in verdicts] == [(DOMAIN, RSA_SELECTOR), (DOMAIN, ED25519_SELECTOR)]


CHANGES = {
    "another subject in front": (HEAD, b"Subject: other\r\n" + HEAD),
    "another author in front": (HEAD, b"From: boss@caobang.gov.vn\r\n" + HEAD),
    "another To behind": (HEAD, HEAD + b"To: x@example.org\r\n"),
    "another date": (HEAD, b"Date: x\r\n" + HEAD),
    "subject changed": (b"Subject: x", b"Subject: y"),
    "body changed": (b"body", b"bodies"),
    "body longer": (b"body\r\n", b"body\r\nmore\r\n"),
    "content type changed": (b"Content-Type: text/plain", b"Content-Type: text/html"),
}


@needs("Mail::DKIM", "Net::DNS")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_a_reader_would_see_breaks_the_signature(
    signer: Signer, dns_server: DnsServer, change: str
) -> None:
    publish(dns_server)
    message = sign(signer, HEAD + b"Content-Type: text/plain\r\n\r\nbody\r\n", RSA)
    assert dkimpy(message)
    changed = message.replace(*CHANGES[change])
    assert changed != message
    assert not dkimpy(changed)
    assert [v.result for v in mail_dkim(changed, dns_server)] == ["fail"]


@pytest.mark.parametrize("field", sorted({f.decode() for f in OVERSIGNED_FIELDS}))
def test_an_absent_field_that_matters_cannot_be_added(signer: Signer, field: str) -> None:
    message = sign(signer, b"X-Only: 1\r\nFrom: annv@caobang.gov.vn\r\n\r\nbody\r\n", RSA)
    assert dkimpy(message)
    header, _, body = message.partition(b"\r\n\r\n")
    assert not dkimpy(header + f"\r\n{field}: added".encode() + b"\r\n\r\n" + body)


@pytest.mark.parametrize("field", sorted(field.decode() for field in SIGNED_FIELDS))
def test_no_second_one_of_a_field_that_is_there_can_be_added(signer: Signer, field: str) -> None:
    """Another Content-Type above the signed one would show the same octets as something else."""
    header = f"From: annv@caobang.gov.vn\r\n{field}: what was written\r\n".encode()
    message = sign(signer, header + b"\r\nbody\r\n", RSA)
    assert dkimpy(message)
    for changed in (
        f"{field}: added\r\n".encode() + message,
        message.replace(b"\r\n\r\n", f"\r\n{field}: added\r\n\r\n".encode(), 1),
    ):
        assert not dkimpy(changed)


@pytest.mark.parametrize(
    "change",
    [
        (b"Subject: x\r\n", b"SUBJECT:   x  \r\n"),
        (b"\r\n\r\nbody", b"\r\nX-Added: on the way\r\n\r\nbody"),
        (b"body\r\n", b"body\r\n\r\n\r\n"),
    ],
)
def test_changes_on_the_way_that_nobody_sees_are_borne(signer: Signer, change: tuple[bytes, bytes]) -> None:
    message = sign(signer, HEAD + b"\r\nbody\r\n", ED25519)
    assert dkimpy(message.replace(*change))


def test_the_field_is_folded_and_names_what_it_covers(signer: Signer) -> None:
    message = HEAD + b"Sender: a@b.vn\r\nReceived: x\r\nDKIM-Signature: old\r\n\r\nbody\r\n"
    fields = sign(signer, message)[: -len(message)]
    assert fields.count(b"DKIM-Signature: ") == 2
    assert fields.endswith(b"\r\n")
    for line in fields.split(b"\r\n")[:-1]:
        assert len(line) <= 78
    tags = dict(
        part.strip().split(b"=", 1) for part in fields.partition(b":")[2].split(b"\r\nDKIM")[0].split(b";")
    )
    names = [name.strip() for name in tags[b"h"].split(b":")]
    twice = [b"from", b"to", b"subject", b"date", b"sender"]
    assert sorted(names) == sorted([*twice * 2, b"cc", b"reply-to"])
    assert b"received" not in SIGNED_FIELDS
    assert (tags[b"d"], tags[b"t"], tags[b"c"]) == (DOMAIN.encode(), str(NOW_S).encode(), b"relaxed/simple")
    assert b"l" not in tags, "all of the body is signed"


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b"\r\n"),
        (b"\r\n", b"\r\n"),
        (b"\r\n\r\n\r\n", b"\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b"a\r\n\r\n\r\n", b"a\r\n"),
        (b"\r\na", b"\r\na\r\n"),
        (b" \r\n", b" \r\n"),
        (b"a" * 3_000_000 + b"\r\n\r\n", b"a" * 3_000_000 + b"\r\n"),
    ],
)
def test_the_body_hash_is_simple_canonicalisation(body: bytes, canonical: bytes) -> None:
    assert body_hash(HEAD + b"\r\n" + body, len(HEAD) + 2) == hashlib.sha256(canonical).digest()


@pytest.mark.parametrize("content", [None, b"", b"no key", "ec", "weak"])
def test_a_key_that_cannot_be_used_signs_nothing(tmp_path: Path, content: bytes | str | None) -> None:
    if isinstance(content, str):
        key = ec.generate_private_key(ec.SECP256R1()) if content == "ec" else WEAK
        content = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    if isinstance(content, bytes):
        (tmp_path / "k.pem").write_bytes(content)
    with pytest.raises(SigningError) as caught:
        Signer(tmp_path).sign([SigningKey(DOMAIN, "k", "rsa", "k.pem")], HEAD, b"", NOW_S)
    assert "PRIVATE" not in str(caught.value)


def test_a_key_is_read_once(tmp_path: Path) -> None:
    """Reading and checking RSA takes a hundred times longer than signing."""
    key = private_keys()[RSA_SELECTOR]
    file = tmp_path / "k.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    signer, keys = Signer(tmp_path), [SigningKey(DOMAIN, RSA_SELECTOR, "rsa", "k.pem")]
    assert not signer.ready(keys)
    first = signer.sign(keys, HEAD, b"", NOW_S)
    file.unlink()
    assert signer.ready(keys)
    assert signer.sign(keys, HEAD, b"", NOW_S) == first


@needs("Mail::DKIM")
def test_a_blank_before_the_colon_hides_no_second_author(signer: Signer, dns_server: DnsServer) -> None:
    publish(dns_server)
    message = sign(signer, b"From : annv@caobang.gov.vn\r\nSubject : x\r\n\r\nbody\r\n", RSA)
    assert [v.result for v in mail_dkim(message, dns_server)] == ["pass"]
    forged = b"From: boss@caobang.gov.vn\r\n" + message
    assert [v.result for v in mail_dkim(forged, dns_server)] == ["fail"]
