"""docs/settings.md says what the settings' types say."""

from __future__ import annotations

from tests.support import settings_table


def test_the_page_is_up_to_date() -> None:
    page = settings_table.page()
    assert settings_table.PLACE.read_text(encoding="utf-8") == page, (
        "run `python -m tests.support.settings_table`"
    )
    for key in (
        "memory_body_bytes",
        "waiting_limit",
        "password_characters_min",
        "cache_size",
        "gateway_networks",
    ):
        assert f"\n| `{key}` | " in page


def test_something_is_said_of_every_key() -> None:
    assert settings_table.undocumented() == []
