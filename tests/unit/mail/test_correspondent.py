"""Which address a message from outside unlocks for an answer."""

from __future__ import annotations

import pytest

from mailgov.mail.correspondent import correspondent


@pytest.mark.parametrize(
    ("reverse_path", "author", "found"),
    [
        ("dan@gmail.com", "dan@gmail.com", "dan@gmail.com"),
        ("Dan@Gmail.com", "dan@gmail.com", "dan@gmail.com"),
        ("bounce-1@news.example.vn", "bantin@example.vn", "bantin@example.vn"),
        ("a@example.vn", "b@mail.example.vn", "b@mail.example.vn"),
        ("dan@gmail.com", None, "dan@gmail.com"),
        # An address in From alone proves nothing.
        ("a@evil.test", "never@gmail.com", "a@evil.test"),
        ("a@evil.test", "a@evil.test, never@gmail.com", "a@evil.test"),
        ("dan@gmail.com", "dan@gmail.com, never@gmail.com", "dan@gmail.com"),
        ("a@xgmail.com", "never@gmail.com", "a@xgmail.com"),
        ("a@vn", "b@example.vn", "a@vn"),
        ("", "never@gmail.com", None),
        (None, "never@gmail.com", None),
        ("not an address", "never@gmail.com", None),
    ],
)
def test_one_message_counts_for_one_address(
    reverse_path: str | None, author: str | None, found: str | None
) -> None:
    assert correspondent(reverse_path, author) == found
