"""What we seal holds for dkimpy and for us, and a chain goes on from hop to hop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dkim
import pytest

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.dns import Records
from mailgov.relay.senders import arc
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.seal import Seal, arc_set, key_for
from mailgov.relay.sign import Signer, body_hash
from mailgov.store.snapshot import SigningKey
from tests.support import messages, yaml_text
from tests.unit.relay.senders.conformance import FOLDER
from tests.unit.relay.senders.dkim_keys import pem, rsa_key, rsa_record, signed

NAME = "s._domainkey.caobang.gov.vn"
ZONE = {NAME: rsa_record(rsa_key())}
KEY = SigningKey("caobang.gov.vn", "s", "rsa", "k.pem")
RESULTS = "spf=pass smtp.mailfrom=co.test;\r\n\tdkim=none;\r\n\tdmarc=none header.from=co.test;\r\n\tarc=none"
SIGNING = FOLDER / "arc" / "valimail" / "arc-draft-sign-tests.yml"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    (tmp_path / "k.pem").write_bytes(pem(rsa_key()))
    return Signer(tmp_path)


def sealed(signer: Signer, message: bytes, hops: int = 1) -> bytes:
    for _ in range(hops):
        header = HeaderBlock.scan(message)
        digest = body_hash(message, header.size)
        seal = Seal("mail.caobang.gov.vn", RESULTS, 1_700_000_000)
        message = arc_set(seal, KEY, signer.load(KEY), header.raw, digest) + message
    return message


def validated(message: bytes) -> arc.ArcResult:
    header = HeaderBlock.scan(message)
    fields = Fields(header)
    keys = {name: Records("ok", (ZONE[name],)) for name in ZONE}
    return arc.validate(arc.read_chain(fields), keys, fields, Bodies(message, header.size))


def by_dkimpy(message: bytes) -> Any:
    def text(name: bytes, timeout: int = 5) -> bytes:
        return ZONE[name.decode().removesuffix(".")].encode()

    return dkim.arc_verify(message, dnsfunc=text)[0]


PLAIN = messages.plain("a@co.test", "b@caobang.gov.vn", subject=messages.VIETNAMESE_SUBJECT)


@pytest.mark.parametrize("message", [PLAIN, signed(PLAIN, "co.test")])
@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_chain_of_ours_holds(signer: Signer, message: bytes, hops: int) -> None:
    whole = sealed(signer, message, hops)
    told = validated(whole)
    assert (told.result, told.sealer, told.instance) == ("pass", "caobang.gov.vn", hops)
    assert by_dkimpy(whole) == b"pass"
    assert whole.endswith(message)
    assert all(len(line) < 100 for line in whole.removesuffix(message).split(b"\r\n"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\r\nFrom: <a@", b"\r\nFrom: <b@"),
        (b"spf=pass", b"spf=fail"),
        (b"cv=none", b"cv=pass"),
        (b"\r\nTo:", b"\r\nTo: x@y.test\r\nTo:"),
    ],
)
def test_a_change_breaks_it(signer: Signer, old: bytes, new: bytes) -> None:
    whole = sealed(signer, PLAIN, 2)
    assert old in whole
    assert validated(whole.replace(old, new, 1)).result == "fail"


def test_a_chain_that_is_not_whole_is_not_gone_on_with(signer: Signer) -> None:
    lacking = sealed(signer, PLAIN).replace(b"ARC-Seal", b"X-Seal")
    assert sealed(signer, lacking) == lacking
    full = PLAIN
    for _ in range(arc.SETS_LIMIT):
        full = sealed(signer, full)
    assert validated(full).instance == arc.SETS_LIMIT
    assert sealed(signer, full) == full


def test_a_chain_of_many_organisations_asks_for_no_keys(signer: Signer) -> None:
    whole = PLAIN
    for number in range(arc.KEYS_LIMIT + 1):
        header = HeaderBlock.scan(whole)
        key = SigningKey(f"d{number}.test", "s", "rsa", "k.pem")
        seal = Seal("mx.test", RESULTS, 1_700_000_000)
        whole = arc_set(seal, key, signer.load(KEY), header.raw, body_hash(whole, header.size)) + whole
        chain = arc.read_chain(Fields(HeaderBlock.scan(whole)))
        assert len(chain.keys) == (number + 1 if number < arc.KEYS_LIMIT else 0)
    assert validated(whole).result == "fail"


def test_rsa_is_preferred() -> None:
    other = SigningKey("caobang.gov.vn", "e", "ed25519", "e.pem")
    assert key_for([other, KEY]) is KEY
    assert key_for([other]) is other
    assert key_for([]) is None


def cases() -> list[Any]:
    """Of Valimail's signing suite the messages: its fields are of another layout, its trust is the same."""
    if not SIGNING.is_file() or not yaml_text.can_read():
        return []
    tests = [pair for document in yaml_text.documents(SIGNING) for pair in document["tests"].items()]
    return [pytest.param(case, id=name) for name, case in tests]


@pytest.mark.skipif(not cases(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR), or no python3-yaml")
@pytest.mark.parametrize("case", cases())
def test_the_suites_messages_are_sealed_where_their_chain_allows_it(
    signer: Signer, case: dict[str, Any]
) -> None:
    message = "\r\n".join(case["message"].splitlines()).encode() + b"\r\n"
    whole = sealed(signer, message)
    fault = arc.read_chain(Fields(HeaderBlock.scan(message))).fault
    assert (whole == message) == (fault is not None)
    if fault is None and not arc.read_chain(Fields(HeaderBlock.scan(message))).sets:
        assert validated(whole).result == "pass"
