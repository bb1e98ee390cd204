"""Whether this machine can serve IMAP, and what is said where it cannot."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from mailgov.config import ConfigError
from mailgov.config.imap import check_imap
from mailgov.imap import programs
from mailgov.imap.programs import ImapUnavailable, find_programs
from mailgov.settings import Settings, TlsSettings
from tests.support.certificates import make_certificate
from tests.support.programs import needs


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are looked for in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(programs, "SEARCH_PATH", str(folder))
    monkeypatch.setattr(programs, "LIBRARIES", (str(folder),))
    return folder


def install(folder: Path, name: str, says: str = "") -> None:
    script = folder / name
    script.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    script.chmod(0o755)


@needs("dovecot")
def test_dovecot_runs_as_we_do_but_never_as_root() -> None:
    found = find_programs()
    assert found.account.uid != 0
    if os.geteuid() != 0:
        assert found.account.user == pwd.getpwuid(os.geteuid()).pw_name
        assert "--reuid" not in found.prefix


def test_a_missing_dovecot_is_named_with_the_remedy(bin_folder: Path) -> None:
    with pytest.raises(ImapUnavailable, match="IMAP needs dovecot: apt-get install dovecot-imapd"):
        find_programs()


def test_dovecot_without_its_imap(bin_folder: Path) -> None:
    for name in ("dovecot", "doveadm"):
        install(bin_folder, name)
    with pytest.raises(ImapUnavailable, match="Dovecot is here, but not its IMAP"):
        find_programs()


def test_another_language_of_settings_is_not_guessed(bin_folder: Path) -> None:
    for name in ("dovecot", "doveadm", "imap", "setpriv"):
        install(bin_folder, name, "2.4.1-4 (7d8c0e5759)")
    with pytest.raises(ImapUnavailable, match=r"IMAP needs Dovecot 2\.3\.x, and this is 2\.4\.1-4"):
        find_programs()


@needs("dovecot")
def test_settings_that_imap_cannot_be_served_with(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="IMAP needs a certificate and a key"):
        check_imap(Settings(data_dir=tmp_path))
    certificate, key = make_certificate(tmp_path, "mail.caobang.gov.vn")
    tls = TlsSettings(certificate=certificate, key=key)
    check_imap(Settings(data_dir=tmp_path, tls=tls))
    with pytest.raises(ConfigError, match="Dovecot cannot be told of the path"):
        check_imap(Settings(data_dir=tmp_path / 'a "b"', tls=tls))
