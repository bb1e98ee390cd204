"""DKIM where senders, keys and messages are at their worst."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import given
from hypothesis import strategies as st

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.senders.canonical import Bodies, Form, canonical_body
from mailgov.relay.senders.dkim import SIGNATURES_LIMIT, best
from mailgov.relay.senders.signature import SMALL_ORDER
from mailgov.relay.sign import Signer, body_hash
from mailgov.store.snapshot import SigningKey
from tests.support import messages
from tests.unit.relay.senders.dkim_keys import (
    NOW_S,
    checked,
    ed25519_record,
    pem,
    rsa_key,
    rsa_record,
    signed,
    signed_ed25519,
)

PLAIN = messages.plain("a@co.test", "b@caobang.gov.vn", subject=messages.VIETNAMESE_SUBJECT)
ZONE = {"s._domainkey.co.test": rsa_record(rsa_key()), "e._domainkey.co.test": ed25519_record()}


def results(message: bytes, zone: dict[str, str] | None = None) -> list[str]:
    return [r.result for r in checked(message, ZONE if zone is None else zone)]


def test_rsa_and_ed25519() -> None:
    told = checked(signed_ed25519(signed(PLAIN, "co.test"), "co.test"), ZONE)
    assert [(r.result, r.domain, r.selector, r.algorithm) for r in told] == [
        ("pass", "co.test", "e", "ed25519-sha256"),
        ("pass", "co.test", "s", "rsa-sha256"),
    ]
    assert all(len(r.prefix) == 8 for r in told)


def test_a_blank_before_the_colon_is_read() -> None:
    """RFC 5322 4.5.2 obsolete syntax; relaxed form is the same as without it."""
    whole = signed(PLAIN, "co.test", canonicalize=(b"relaxed", b"relaxed"))
    assert results(whole.replace(b"\r\nSubject:", b"\r\nSubject :")) == ["pass"]


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda m: m.replace(b"a=rsa-sha256", b"a=rsa-sha1"), "fail"),
        (lambda m: m.replace(b"a=rsa-sha256", b"a=dsa-sha256"), "permerror"),
        (lambda m: m.replace(b"v=1;", b"v=2;"), "permerror"),
        (lambda m: m.replace(b" d=co.test;", b" d=co.test; d=co.test;"), "permerror"),
        (lambda m: m.replace(b" s=s;", b" s=t;"), "permerror"),
        (lambda m: m.replace(b"\r\nFrom: <a@", b"\r\nFrom: <b@"), "fail"),
        (lambda m: m.replace(b"\r\nTo:", b"\r\nFrom: <c@other.test>\r\nTo:"), "fail"),
        (lambda m: m.replace(b" d=co.test;", b" d=co.test; x=1799999999;"), "fail"),
        (lambda m: m.replace(b" d=co.test;", b" d=co.test; q=http/xml;"), "permerror"),
        (lambda m: m.replace(b" d=co.test;", b" d=co.test; i=@other.test;"), "permerror"),
        (lambda m: m.replace(b" d=co.test;", b" d=../../etc;"), "permerror"),
        (lambda m: m.replace(b"\r\n b=", b"\r\n b=*"), "permerror"),
    ],
)
def test_what_does_not_pass(change: object, result: str) -> None:
    assert results(change(signed(PLAIN, "co.test"))) == [result]  # type: ignore[operator]  # a lambda


FIELDS = [b"From", b"To", b"Subject", b"Date", b"Content-Type", b"MIME-Version", b"Reply-To"]
TYPED = b"Reply-To: <a@co.test>\r\nX-Y: 1\r\n" + PLAIN


@pytest.mark.parametrize("name", FIELDS[1:])
@pytest.mark.parametrize("below", [False, True])
def test_a_second_field_beside_the_signed_one_is_not_proven(name: bytes, *, below: bool) -> None:
    whole = signed(TYPED, "co.test", include_headers=FIELDS)
    assert results(whole) == ["pass"]
    second = name + b" : <x@evil.test>\r\n"
    changed = whole.replace(b"\r\n\r\n", b"\r\n" + second + b"\r\n", 1) if below else second + whole
    assert results(changed) == (["fail"] if below else ["policy"])


def test_a_second_field_that_may_stand_twice_or_was_signed_twice_changes_nothing() -> None:
    once = [*FIELDS, b"X-Y"]
    assert results(b"X-Y: 2\r\n" + signed(TYPED, "co.test", include_headers=once)) == ["pass"]
    twice = b"Subject: other\r\n" + TYPED
    assert results(signed(twice, "co.test", include_headers=[*FIELDS, b"Subject"])) == ["pass"]
    only = signed(TYPED, "co.test", include_headers=[b"From"])
    assert results(b"Subject: evil\r\n" + only) == ["pass"], "nothing was said of it"


@pytest.mark.parametrize(
    ("extra", "identity", "result"),
    [
        ("t=s; ", b"@co.test", "pass"),
        ("t=s; ", b"@sub.co.test", "permerror"),
        ("t=y; ", b"@sub.co.test", "pass"),
        ("h=sha1; ", b"@co.test", "permerror"),
        ("s=tlsrpt; ", b"@co.test", "permerror"),
        ("h=sha1:sha256; s=other:email; n=x; ", b"@co.test", "pass"),
    ],
)
def test_what_the_key_says(extra: str, identity: bytes, result: str) -> None:
    whole = signed(PLAIN, "co.test", identity=identity)
    assert results(whole, {"s._domainkey.co.test": rsa_record(rsa_key(), extra)}) == [result]


def test_small_revoked_and_odd_keys() -> None:
    small = rsa_key(1024)
    whole = signed(PLAIN, "co.test", key=small)
    assert results(whole, {"s._domainkey.co.test": rsa_record(small)}) == ["pass"]
    for record in (
        "v=DKIM1; p=",
        "",
        "p=AAAA",
        "k=ed25519; p=AAAA",
        ed25519_record(),
        "\x00",
        "p=" + "A" * 8000,
    ):
        assert results(whole, {"s._domainkey.co.test": record}) == ["permerror"], record


def test_a_key_under_1024_bits_proves_nothing() -> None:
    record = (
        "k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52T"
        "b/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ=="
    )
    assert results(signed(PLAIN, "co.test"), {"s._domainkey.co.test": record}) == ["fail"]


@pytest.mark.parametrize("point", sorted(SMALL_ORDER))
def test_an_ed25519_key_for_which_anybody_signs_proves_nothing(point: bytes) -> None:
    """For a key of small order R = -kA and S = 0 hold for one message in eight at least."""
    zone = {"e._domainkey.co.test": f"v=DKIM1; k=ed25519; p={base64.b64encode(point).decode()}"}
    told: list[str] = []
    for n in range(40):
        tags = b"DKIM-Signature: v=1; a=ed25519-sha256; d=co.test; s=e; h=from:subject; t=%d; bh=" % n
        tags += base64.b64encode(body_hash(b"x\r\n", 0)) + b"; b="
        forged = base64.b64encode((1).to_bytes(32, "little") + bytes(32))
        told += results(tags + forged + b"\r\nFrom: a@co.test\r\nSubject: x\r\n\r\nx\r\n", zone)
    assert told == ["fail"] * 40
    assert "small order" in checked(tags + forged + b"\r\nFrom: a@co.test\r\n\r\nx\r\n", zone)[0].reason


def test_a_length_that_leaves_a_part_unsigned() -> None:
    whole = signed(PLAIN, "co.test", length=True)
    assert b" l=" in whole
    assert results(whole) == ["pass"]
    assert results(whole + b"Buy this\r\n") == ["policy"]


def test_those_of_the_author_come_first() -> None:
    many = PLAIN
    for n in range(8):
        many = signed(many, f"d{n}.test") if n != 1 else signed(many, "co.test")
    told = checked(many, ZONE, author="mail.co.test")
    assert len(told) == SIGNATURES_LIMIT
    assert "pass" in [r.result for r in told]
    assert best(told) == "pass"
    assert best([]) == "none"


def test_what_we_sign_ourselves_passes(tmp_path: Path) -> None:
    """With Vietnamese raw in the header, as SMTPUTF8 has it (RFC 6532)."""
    (tmp_path / "k.pem").write_bytes(pem(rsa_key()))
    whole = messages.crlf(
        "From: Nguyễn Văn An <nguyễn.an@co.test>\nSubject: Giấy mời họp\nTo: b@x.test\n\nKính gửi"
    )
    header = HeaderBlock.scan(whole)
    key = SigningKey("co.test", "s", "rsa", "k.pem")
    head = header.raw.removesuffix(b"\r\n")
    assert results(Signer(tmp_path).sign([key], head, body_hash(whole, header.size), NOW_S) + whole) == [
        "pass"
    ]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"\xe1\xbb\x87", b"."]), max_size=40),
    st.integers(1, 7),
)
def test_the_canonical_body_is_dkimpys_whatever_the_pieces(parts: list[bytes], size: int) -> None:
    body = b"".join([*parts, b"\r\n"])
    forms: tuple[Form, ...] = ("simple", "relaxed")
    for form in forms:
        policy = CanonicalizationPolicy.from_c_value(f"{form}/{form}".encode())
        assert b"".join(canonical_body(pieces(body, size), form)) == policy.canonicalize_body(body)


@pytest.mark.parametrize(
    "field",
    [
        b"DKIM-Signature: v=1; a=rsa-sha256; d=co.test; s=s; bh=AA==; h=" + b"from:" * 40_000 + b"; b=AA==",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=co.test; s=s; bh=AA==; h=from; b=" + b"\r\n " * 60_000,
        b"DKIM-Signature: " + b"b" + b" " * 200_000 + b"=;" * 100,
        b"DKIM-Signature: " + b";" * 200_000,
    ],
)
def test_monstrous_signatures_cost_little(field: bytes) -> None:
    began = time.process_time()
    results(field + b"\r\n" + PLAIN)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("line", [b" a" * 38, b" \t" * 38, b"  a" * 25])
def test_a_body_of_single_letters_costs_no_more_than_its_reading(line: bytes) -> None:
    """Whoever computes in Python keeps the other threads waiting, the one of all sessions too."""
    body = (line + b"\r\n") * (8_000_000 // len(line))
    begun = time.process_time()
    Bodies(body, 0).digest("relaxed")
    assert time.process_time() - begun < 0.4


def test_a_body_of_line_ends_costs_no_memory_of_its_size() -> None:
    """Four million empty lines, and one character behind them."""
    digest = hashlib.sha256()
    parts = 0
    for part in canonical_body(iter([b"\r\n" * 500_000] * 8 + [b"x\r\n"]), "relaxed"):
        parts = max(parts, len(part))
        digest.update(part)
    assert parts <= 131_072
    assert digest.digest() == hashlib.sha256(b"\r\n" * 4_000_000 + b"x\r\n").digest()
