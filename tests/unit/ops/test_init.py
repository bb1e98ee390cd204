from __future__ import annotations

import datetime
import ssl
import stat
import tomllib
from pathlib import Path

import pytest
from cryptography import x509

from mailgov.config import build_settings
from mailgov.ops import init

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)


def plan(**change: object) -> init.Plan:
    values = {
        "domain": "caobang.gov.vn",
        "hostname": "mail.caobang.gov.vn",
        "data_dir": "var",
        "policy_directory": "policy",
        "province": "Cao Bằng",
        "demo": False,
    }
    return init.Plan(**{**values, **change})  # type: ignore[arg-type] # names of its fields


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize("data", ["var", "/srv/mail gov/dữ liệu", 'a"b\\c'])
def test_the_settings_file_says_what_was_asked_for(demo: bool, data: str) -> None:
    text = init.settings_text(plan(demo=demo, data_dir=data, province='Hòa "Bình"'))
    settings = build_settings(tomllib.loads(text), Path("/etc/mailgov/mailgov.toml"))
    folder = Path("/etc/mailgov") / data
    assert settings.hostname == "mail.caobang.gov.vn"
    assert settings.data_dir == folder
    assert settings.database.url == f"sqlite:///{folder}/ledger.sqlite"
    assert settings.tls.certificate == folder / "tls/certificate.pem"
    assert settings.province.name == 'Hòa "Bình"'
    (line,) = [line for line in text.splitlines() if line.startswith("public_url")]
    assert "links in replies start with it" in line
    assert str(settings.smtp.submission) == "127.0.0.1:2587"
    assert (settings.demo.sink is not None) is demo
    assert settings.delivery.routes == ({"*": "smtp:127.0.0.1:2600"} if demo else {})
    assert [listener.account for listener in settings.smtp.trusted] == (
        ["scanner@caobang.gov.vn"] if demo else []
    )


def test_the_certificate_is_for_the_host_and_loads(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls/certificate.pem", tmp_path / "tls/key.pem"
    assert init.make_certificate(certificate, key, "mail.caobang.gov.vn", NOW, loopback=True)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.caobang.gov.vn", "localhost"]
    assert made.not_valid_before_utc < NOW < made.not_valid_after_utc
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_a_certificate_that_is_there_stays_and_a_lone_key_is_used(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    init.make_certificate(certificate, key, "a.vn", NOW, loopback=False)
    there = key.read_bytes()
    assert not init.make_certificate(certificate, key, "b.vn", NOW, loopback=False)
    certificate.unlink()
    assert init.make_certificate(certificate, key, "a.vn", NOW, loopback=False)
    assert key.read_bytes() == there
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_a_long_host_name_still_gets_a_certificate(tmp_path: Path) -> None:
    name = ".".join(["x" * 60] * 3) + ".vn"
    init.make_certificate(tmp_path / "c.pem", tmp_path / "k.pem", name, NOW, loopback=False)
    assert name in str(x509.load_pem_x509_certificate((tmp_path / "c.pem").read_bytes()).extensions)
