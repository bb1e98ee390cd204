"""Dovecot's files, as Dovecot itself reads them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mailgov.imap.configuration import (
    GATE_FILE,
    MAIN_FILE,
    Account,
    Gate,
    PathError,
    Served,
    configuration,
)
from mailgov.settings import ImapSettings, Listen, TlsSettings
from tests.support.certificates import make_certificate
from tests.support.programs import needs, program

SECRET = "nobody-else-knows"


@pytest.fixture
def served(tmp_path: Path) -> Served:
    folder = tmp_path / "tỉnh của tôi"
    folder.mkdir()
    certificate, key = make_certificate(folder, "mail.caobang.gov.vn")
    return Served(
        settings=ImapSettings(connection_limit=123, account_connection_limit=7),
        tls=TlsSettings(certificate=certificate, key=key),
        account=Account("daemon", "daemon", 1, 1),
        gate=Gate(Listen("127.0.0.1", 4321), SECRET),
        folder=folder,
        runtime=folder / "run",
        imap=Listen("127.0.0.1", 2143),
        imaps=Listen("::1", 2993),
    )


def read(served: Served, *names: str) -> str:
    """All that Dovecot will go by, or these of its settings, a line each without its margin."""
    for name, text in configuration(served).items():
        (served.folder / name).write_text(text, encoding="utf-8")
    argv = [program("doveconf"), "-a", "-c", str(served.folder / MAIN_FILE), *names]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return "".join(f"{line.strip()}\n" for line in done.stdout.splitlines())


@needs("doveconf")
def test_dovecot_understands_every_line(served: Served) -> None:
    said = read(served)
    for line in (
        "ssl = required",
        "ssl_min_protocol = TLSv1.2",
        "disable_plaintext_auth = yes",
        "auth_username_format = %Lu|%{rip}|%{secured}",
        "address = 127.0.0.1",
        "address = ::1",
        "default_login_user = daemon",
        "process_limit = 123",
        "mail_max_userip_connections = 7",
        "special_use = \\Trash",
        f"base_dir = {served.runtime}",
        f"args = {served.folder / GATE_FILE}",
    ):
        assert f"\n{line}\n" in said, line
    assert SECRET not in said, "the gate's secret is in the other file alone"


@needs("doveconf")
def test_imaps_may_be_off(served: Served) -> None:
    said = read(replace(served, imaps=None), "service/imap-login")
    assert "port = 2143" in said
    assert "2993" not in said
    assert "port = no" in said


def test_the_gate_is_asked_by_a_grant_with_the_secret(served: Served) -> None:
    text = configuration(served)[GATE_FILE]
    assert "grant_url = http://127.0.0.1:4321/grant\n" in text
    assert f"client_secret = {SECRET}\n" in text
    assert SECRET not in repr(served)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a #b", "a%b", "a\nb"])
def test_a_path_that_would_be_read_as_something_else_is_refused(served: Served, name: str) -> None:
    with pytest.raises(PathError, match="Dovecot cannot be told of the path") as refused:
        configuration(replace(served, folder=served.folder / name))
    assert "\n" not in str(refused.value)
