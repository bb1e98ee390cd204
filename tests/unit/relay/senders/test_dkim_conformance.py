"""dkimpy's vectors: messages, signatures and keys that were made elsewhere (RFC 6376, RFC 8463)."""

from __future__ import annotations

import itertools

import dkim
import pytest

from tests.unit.relay.senders.conformance import FOLDER
from tests.unit.relay.senders.dkim_keys import checked

VECTORS = FOLDER / "dkim" / "dkimpy"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR)")
RFC8463_KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
GMAIL_2013 = (
    "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqoo2Dy"
    "mndFkbjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8svnxgdx"
    "GkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeTWbf41fbNht"
    "e7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598HY+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jYchHjPY/wIDAQA"
    "B"
)
FORMS = tuple(itertools.product((b"simple", b"relaxed"), repeat=2))


def data(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def message(name: str) -> bytes:
    """The vector with line ends as SMTP has them, blanks at the ends of lines kept."""
    return data(name).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def text(name: str) -> str:
    return data(name).decode().strip()


@pytest.mark.parametrize(
    ("name", "zone", "results"),
    [
        (
            "rfc6376.signed.msg",
            {
                "brisbane._domainkey.football.example.com": RFC8463_KEY,
                "test._domainkey.football.example.com": "",
            },
            ["pass", "pass"],
        ),
        ("rfc6376.signed.rsa.msg", {"test._domainkey.football.example.com": ""}, ["pass"]),
        ("rfc6376.signed.no_t.msg", {"test._domainkey.football.example.com": ""}, ["fail"]),
        ("test2.message", {"20120113._domainkey.gmail.com": GMAIL_2013}, ["pass"]),
        ("ed25519test2.msg", {"sed._domainkey.test.ex": "exim"}, ["pass"]),
        ("test.message.baddomain", {"test._domainkey.legitimate.com(.attacker.com": ""}, ["permerror"]),
    ],
)
def test_signed_elsewhere(name: str, zone: dict[str, str], results: list[str]) -> None:
    known = {"": text("test.txt"), "exim": text("eximtest.dns")}
    told = checked(message(name), {key: known.get(value, value) for key, value in zone.items()})
    assert [r.result for r in told] == results, told


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("name", ["test.message", "rfc6376.msg", "message.mbox"])
def test_what_dkimpy_signs(name: str, forms: tuple[bytes, bytes]) -> None:
    whole = message(name)
    signer = dkim.DKIM(whole)
    signer.should_not_sign.discard(b"received")
    signature = signer.sign(
        b"test",
        b"example.com",
        data("test.private"),
        include_headers=signer.all_sign_headers(),
        canonicalize=forms,
    )
    zone = {"test._domainkey.example.com": text("test.txt")}
    assert checked(signature + whole, zone)[0].result == "pass"
    assert checked(signature + whole + b"x\r\n", zone)[0].result == "fail"


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("test2.txt", "pass"),
        ("1024_testkey_wo_markers.pub.txt", "pass"),
        ("1024_testkey_wo_markers.pub.rsa.txt", "pass"),
        ("badversion.txt", "permerror"),
        ("badk.txt", "permerror"),
        ("test_tlsrpt.txt", "permerror"),
        ("test_bad.txt", "permerror"),
    ],
)
def test_key_records(record: str, result: str) -> None:
    whole = message("test.message")
    private = data("1024_testkey.key" if record.startswith("1024") else "test.private")
    signature = dkim.sign(whole, b"test", b"example.com", private)
    key = text(record)
    zone = {"test._domainkey.example.com": key if "p=" in key else f"k=rsa; p={key}"}
    assert [r.result for r in checked(signature + whole, zone)] == [result]
