"""What a worker ran with is there for the next one, whole and alone."""

from __future__ import annotations

import os
from pathlib import Path

from mailgov.config import load_settings
from mailgov.config.kept import keep, kept

TEXT = """
hostname = "mail.caobang.gov.vn"
[smtp]
mx = "127.0.0.1:25"
[delivery]
smarthost = "relay.vn:587"
[delivery.routes]
"bo.gov.vn" = "smtp:10.1.2.3:25"
[[delivery.logins]]
at = "relay.vn:587"
user = "tinh"
password_file = "secrets/relay"
[tls_out.minimum."moha.gov.vn"]
level = "verify"
names = [".moha.gov.vn"]
ca_file = "ca.pem"
"""


def test_the_last_settings_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "mailgov.toml"
    fd = os.memfd_create("settings")
    assert kept(fd) is None
    for text in (TEXT, TEXT + '[tls_out.minimum."bca.gov.vn"]\nlevel = "encrypt"\n', TEXT):
        file.write_text(text)
        settings = load_settings(file, {})
        keep(fd, settings)
        assert kept(fd) == settings
    os.close(fd)
    assert kept(-1) is None
