"""The certificate in use: changed whole or not at all."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from mailgov.relay.tls import CertificateError, reload_certificate, server_context
from mailgov.settings import TlsSettings
from tests.support.certificates import make_certificate


def shown(context: ssl.SSLContext) -> bytes | None:
    """The certificate that a client of the context is shown, by a handshake in memory."""
    client_context = ssl.create_default_context()
    client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert(binary_form=True)


@pytest.fixture
def settings(tmp_path: Path) -> TlsSettings:
    (tmp_path / "use").mkdir()
    certificate, key = make_certificate(tmp_path / "use", "mail.test")
    return TlsSettings(certificate=certificate, key=key)


def renewed(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "new").mkdir()
    return make_certificate(tmp_path / "new", "mail.test")


def test_a_certificate_without_its_key_leaves_the_old_pair_in_use(
    tmp_path: Path, settings: TlsSettings
) -> None:
    context = server_context(settings)
    assert context is not None
    assert settings.certificate is not None
    assert settings.key is not None
    old = shown(context)
    certificate, key = renewed(tmp_path)
    shutil.copy(certificate, settings.certificate)
    with pytest.raises(CertificateError, match=str(settings.certificate)):
        reload_certificate(context, settings)
    assert shown(context) == old
    shutil.copy(key, settings.key)
    reload_certificate(context, settings)
    assert shown(context) == ssl.PEM_cert_to_DER_cert(certificate.read_text())


@pytest.mark.parametrize("damage", [b"", b"no certificate\n"])
def test_a_damaged_file_leaves_the_old_pair_in_use(settings: TlsSettings, damage: bytes) -> None:
    context = server_context(settings)
    assert context is not None
    assert settings.certificate is not None
    old = shown(context)
    settings.certificate.write_bytes(damage)
    with pytest.raises(CertificateError):
        reload_certificate(context, settings)
    assert shown(context) == old


def test_a_certificate_of_another_kind_of_key_replaces_the_old_one(
    tmp_path: Path, settings: TlsSettings
) -> None:
    """Ours is elliptic, many authorities' are RSA: whoever is offered both takes the old one for ever."""
    context = server_context(settings)
    assert context is not None
    assert settings.certificate is not None
    assert settings.key is not None
    (tmp_path / "rsa").mkdir()
    certificate, key = make_certificate(tmp_path / "rsa", "mail.test", rsa_bits=2048)
    shutil.copy(certificate, settings.certificate)
    shutil.copy(key, settings.key)
    reload_certificate(context, settings)
    assert shown(context) == ssl.PEM_cert_to_DER_cert(certificate.read_text())
