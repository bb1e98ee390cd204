"""Routes and logins are looked at before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgov.config import ConfigError, load_settings
from mailgov.config.relay import build_router
from mailgov.relay.dns import Resolver

LOGIN = """
[delivery]
smarthost = "relay.vn:587"
[[delivery.logins]]
at = "relay.vn:587"
user = "tinh"
password_file = "secrets/relay"
"""


def build(folder: Path, text: str) -> None:
    file = folder / "mailgov.toml"
    file.write_text(text)
    settings = load_settings(file, {})
    build_router(settings, Resolver(settings.dns))


def test_a_login_is_read_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "relay").write_text("bí mật\n", encoding="utf-8")
    build(tmp_path, LOGIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOGIN, "key delivery.logins: relay.vn:587: [Errno 2] No such file or directory: "),
        (LOGIN.replace("secrets/relay", "mailgov.toml"), "holds no password on one line"),
        (
            LOGIN.replace(':587"\nuser', ':25"\nuser'),
            "key delivery.logins: relay.vn:25: neither the smarthost nor a route is there",
        ),
        (
            '[delivery]\nsmarthost = "relay.vn"',
            "key delivery.smarthost: 'relay.vn' is not host:port",
        ),
    ],
)
def test_a_fault_is_named_before_anything_starts(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build(tmp_path, text)
    assert said in str(raised.value)
