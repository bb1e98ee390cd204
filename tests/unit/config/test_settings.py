"""Errors in the settings name the place that is to be mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgov.config import ConfigError, load_settings


def fault(folder: Path, text: str = "", **environ: str) -> str:
    file = folder / "mailgov.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(file, environ)
    return str(raised.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[http]\nlisten = "8025"', "FILE: key http.listen: '8025' is not host:port"),
        ('[smtp]\nsize_limit = "1"', "FILE: key smtp.size_limit: unknown key"),
        ('hostnme = "x"', "FILE: key hostnme: unknown key"),
        ("[spool\n", "FILE: not valid TOML: "),
        ('hostname = "a b"', "FILE: key hostname: 'a b' is no host name: "),
        ('hostname = "mail_1.vn"', "FILE: key hostname: 'mail_1.vn' is no host name: "),
        ('hostname = "mail..vn"', "FILE: key hostname: 'mail..vn' is no host name: "),
        ('hostname = ""', "FILE: key hostname: '' is no host name: "),
        ("[smtp]\nline_limit_octets = 3", "FILE: key smtp.line_limit_octets: less than the 1000 octets"),
        ("[smtp]\nidle_timeout_s = inf", "FILE: key smtp.idle_timeout_s: Input should be a finite number"),
        ("[smtp]\nidle_timeout_s = nan", "FILE: key smtp.idle_timeout_s: Input should be "),
        (
            "[delivery]\nretry_schedule_s = [inf]",
            "FILE: key delivery.retry_schedule_s.0: Input should be a f",
        ),
        (
            "[delivery]\nretry_schedule_s = [9, 0]",
            "FILE: key delivery.retry_schedule_s: each wait is more",
        ),
        (
            '[delivery.routes]\n"bo gov.vn" = "smtp:x:25"',
            "FILE: key delivery.routes.bo gov.vn.[key]: 'bo gov.vn' is no host name: ",
        ),
        (
            "[greylisting]\nenabled = true\nback_within_s = 1",
            "FILE: key greylisting: back_within_s must be more than delay_s",
        ),
        (
            '[rspamd]\npassword_file = "x"',
            "FILE: key rspamd: password_file does nothing without url, which is m",
        ),
        (
            '[clamd]\nfailure = "accept"',
            "FILE: key clamd: failure does nothing without address, which is missing",
        ),
        ("[greylisting]\ndelay_s = 9", "FILE: key greylisting: delay_s does nothing without enabled"),
        ("[dnsbl]\nexempt_networks = []", "FILE: key dnsbl: exempt_networks does nothing without zones"),
        ('[tls]\ncertificate = "x"', "FILE: key tls: certificate and key go together"),
        ('[tls]\nkey = "x"', "FILE: key tls: certificate and key go together"),
    ],
)
def test_a_bad_file(tmp_path: Path, text: str, said: str) -> None:
    assert fault(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAILGOV_HTTP__LISTEN", "8025", "(key http.listen): '8025' is not host:port"),
        ("MAILGOV_HTTP__LISTN", "x:1", "(key http.listn): unknown key"),
        ("MAILGOV_HOSTNME", "x", "(key hostnme): unknown key"),
        ("MAILGOV_DELIVERY", '{"mx_port": 0}', "(key delivery.mx_port): Input should be greater"),
        ("MAILGOV_SMTP__TRUSTED", '[{"listen": "1"}]', "(key smtp.trusted.0.listen): '1' is not"),
    ],
)
def test_a_bad_variable_is_blamed_and_not_the_file(tmp_path: Path, name: str, value: str, said: str) -> None:
    told = fault(tmp_path, '[http]\nlisten = "127.0.0.1:1"\n', **{name: value})
    assert told.startswith(f"environment {name} {said}")
    assert "FILE" not in told


def test_a_bad_file_is_blamed_beside_a_good_variable(tmp_path: Path) -> None:
    told = fault(tmp_path, '[http]\nlisten = "8025"', MAILGOV_HTTP__PUBLIC_URL="https://mail.vn")
    assert told.startswith("FILE: key http.listen: ")


@pytest.mark.parametrize(
    "text", ['[rspamd]\nurl = ""\npassword_file = "x"', "[greylisting]\nenabled = false\ndelay_s = 9"]
)
def test_what_is_turned_off_by_name_keeps_its_other_keys(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mailgov.toml"
    file.write_text(text)
    settings = load_settings(file, {})
    assert not settings.rspamd.url
    assert not settings.greylisting.enabled


def test_files_of_authorities_are_beside_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "mailgov.toml"
    text = (
        '[tls_out]\nca_file = "ca.pem"\n[tls_out.minimum."bo.gov.vn"]\nlevel = "verify"\nca_file = "bo.pem"\n'
    )
    file.write_text(text)
    found = load_settings(file, {}).tls_out
    assert found.ca_file == tmp_path / "ca.pem"
    assert found.minimum["bo.gov.vn"].ca_file == tmp_path / "bo.pem"
