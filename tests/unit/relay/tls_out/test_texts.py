"""What is published, read without a network: MTA-STS, names of certificates, TLSA records."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailgov.relay.tls_out.names import fits
from mailgov.relay.tls_out.sts_text import MAX_AGE_S, PolicyInvalid, StsPolicy, read_policy, record_id
from mailgov.relay.tls_out.tlsa import Tlsa, proven, usable
from tests.support.certificates import Authority

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


# RFC 8461 3.1


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=a1", "v=spf1 -all"], "a1"),
        (["v=STSv1; x=y; id=a"], "a"),
        (["v=STSv1; id=a;", "v=STSv1; id=b;"], None),
        (["v=STSv1;"], None),
        (["v=STSv1; id=a-b"], None),
        (["v=STSv1; id=" + "a" * 33], None),
        (["id=a; v=STSv1"], None),
        (["v=STSv10; id=a"], None),
        ([], None),
    ],
)
def test_the_record_names_the_policys_id(texts: list[str], found: str | None) -> None:
    assert record_id(texts) == found


# RFC 8461 3.2


def test_a_policy_is_read_and_kept_as_it_is() -> None:
    policy = read_policy(GOOD)
    assert policy == StsPolicy("enforce", 604800, ("mail.example.com", "*.example.net"))
    assert read_policy(policy.text().encode()) == policy


@pytest.mark.parametrize(
    ("body", "age"),
    [
        (GOOD.replace(b"\r\n", b"\n"), 604800),
        (GOOD + b"future: what\r\n\r\n", 604800),
        (GOOD.replace(b"604800", b"9999999999"), MAX_AGE_S),
        (GOOD + b"max_age: 5\r\n", 604800),
        (b"version: STSv1\nmode: none\nmax_age: 1\n", 1),
    ],
)
def test_what_is_a_policy(body: bytes, age: int) -> None:
    assert read_policy(body).max_age_s == age


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        GOOD.replace(b"STSv1", b"STSv2"),
        GOOD.replace(b"enforce", b"Enforce!"),
        GOOD.replace(b"604800", b"-1"),
        GOOD.replace(b"604800", b"1e3"),
        GOOD.replace(b"max_age", b"maxage"),
        GOOD.replace(b"mx:", b"my:"),
        GOOD.replace(b"mail.example.com", b"a.*.example.com"),
        GOOD.replace(b"mail.example.com", b"mail .example.com"),
        GOOD + b"mx: a.example\n" * 300,
        GOOD + b"\xff",
    ],
)
def test_what_is_none(body: bytes) -> None:
    with pytest.raises(PolicyInvalid):
        read_policy(body)


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("a.example.net", True),
        ("a.b.example.net", False),
        ("example.net", False),
        ("xmail.example.com", False),
    ],
)
def test_which_exchangers_a_policy_names(host: str, named: bool) -> None:
    assert read_policy(GOOD).names(host) is named


# RFC 6125 6.4


@pytest.mark.parametrize(
    ("certificate", "wanted", "good"),
    [
        ("mx.example.org", "mx.example.org", True),
        ("mx.example.org", "MX.example.org.", True),
        ("*.example.org", "mx.example.org", True),
        ("*.example.org", "a.mx.example.org", False),
        ("*.example.org", "example.org", False),
        ("*.org", "example.org", False),
        ("m*.example.org", "mx.example.org", False),
        ("mx.example.org", ".example.org", True),
        ("a.mx.example.org", ".example.org", True),
        ("*.example.org", ".example.org", True),
        ("example.org", ".example.org", False),
        ("mx.badexample.org", ".example.org", False),
    ],
)
def test_whose_certificate_it_is(certificate: str, wanted: str, good: bool) -> None:
    assert fits([certificate], [wanted]) is good


# RFC 7672 3.1


@pytest.mark.parametrize(
    ("record", "good"),
    [
        ((3, 1, 1, bytes(32)), True),
        ((2, 0, 1, bytes(32)), True),
        ((3, 1, 2, bytes(64)), True),
        ((3, 0, 0, b"der"), True),
        ((3, 0, 0, b""), False),
        ((1, 1, 1, bytes(32)), False),
        ((0, 0, 1, bytes(32)), False),
        ((3, 1, 1, bytes(31)), False),
        ((3, 2, 1, bytes(32)), False),
        ((3, 1, 3, bytes(32)), False),
    ],
)
def test_which_records_can_be_gone_by(record: tuple[int, int, int, bytes], good: bool) -> None:
    assert bool(usable([record])) is good


def test_what_a_chain_proves(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    other = tmp_path / "other"
    other.mkdir()
    authority, stranger = Authority.make(tmp_path), Authority.make(other)
    issued = authority.issue(tmp_path, "mx.example.org")
    foreign = stranger.issue(other, "mx.example.org")
    chain = [issued.der, authority.der]
    key = Tlsa(3, 1, 1, hashlib.sha256(issued.public_key()).digest())
    whole = Tlsa(3, 0, 2, hashlib.sha512(issued.der).digest())
    anchor = Tlsa(2, 0, 1, hashlib.sha256(authority.der).digest())
    published = Tlsa(2, 0, 0, authority.der)
    for record in (key, whole, anchor, published):
        assert proven([record], chain, ["mx.example.org"], now) is None, record
        assert proven([record], [foreign.der, stranger.der], ["mx.example.org"], now) == "validation-failure"
    # A leaf that the anchor has not signed gains nothing by the anchor's company.
    assert proven([anchor], [foreign.der, authority.der], ["mx.example.org"], now) == "validation-failure"
    assert proven([anchor], chain, ["mx.example.com"], now) == "validation-failure"
    later = now + timedelta(days=60)
    assert proven([anchor], chain, ["mx.example.org"], later) == "certificate-expired"
    assert proven([key], chain, ["mx.example.com"], later) is None  # RFC 7672 3.1.1: no name, no date
    assert proven([published], [issued.der], ["mx.example.org"], now) is None
    assert proven([anchor], [], ["mx.example.org"], now) == "validation-failure"
    assert proven([key], [b"no certificate"], ["mx.example.org"], now) == "validation-failure"
    # A key of a kind that nobody knows, shown beside the others, proves nothing and breaks nothing.
    curve = bytes.fromhex("2a8648ce3d030107")
    assert curve in authority.der
    odd = authority.der.replace(curve, bytes.fromhex("2a8648ce3d030163"))
    by_key = Tlsa(2, 1, 1, bytes(32))
    assert proven([by_key], [issued.der, odd], ["mx.example.org"], now) == "validation-failure"
