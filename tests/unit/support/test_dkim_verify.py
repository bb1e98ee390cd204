from __future__ import annotations

import base64
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support import dkim_verify, messages
from tests.support.dns_server import DnsServer
from tests.support.programs import needs

RECORD = "s1._domainkey.example.vn"


@pytest.fixture(scope="module")
def signed() -> tuple[bytes, str]:
    """A message signed by dkimpy, and the TXT content of its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    message = messages.signed("a@example.vn", "b@example.org")
    field = dkim.sign(message, b"s1", b"example.vn", pem)
    return field + message, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


@needs("Mail::DKIM", "Net::DNS")
def test_mail_dkim(signed: tuple[bytes, str], dns_server: DnsServer) -> None:
    data, record = signed
    dns_server.txt(RECORD, record)
    assert dkim_verify.mail_dkim(data, dns_server) == [
        dkim_verify.Verdict("pass", "example.vn", "s1", "pass")
    ]
    tampered = dkim_verify.mail_dkim(data.replace(b"signed message", b"changed message"), dns_server)
    assert [verdict.result for verdict in tampered] == ["fail"]
    dns_server.forget(RECORD)
    assert [verdict.result for verdict in dkim_verify.mail_dkim(data, dns_server)] == ["invalid"]


@needs("opendkim")
def test_opendkim(signed: tuple[bytes, str], tmp_path: Path) -> None:
    data, record = signed
    assert dkim_verify.opendkim(data, {RECORD: record}, tmp_path) == [
        dkim_verify.Verdict("pass", "example.vn", "s1", "pass")
    ]
    tampered = data.replace(b"signed message", b"changed message")
    assert [v.result for v in dkim_verify.opendkim(tampered, {RECORD: record}, tmp_path)] == ["fail"]


def test_an_unsigned_message_has_no_verdict(dns_server: DnsServer, tmp_path: Path) -> None:
    data = messages.plain("a@example.vn", "b@example.org")
    if not needs("Mail::DKIM", "Net::DNS").args[0]:
        assert dkim_verify.mail_dkim(data, dns_server) == []
    if not needs("opendkim").args[0]:
        assert dkim_verify.opendkim(data, {}, tmp_path) == []
