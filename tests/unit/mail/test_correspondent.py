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


@pytest.mark.parametrize(
    ("spf", "dmarc", "author", "found"),
    [
        ("pass", "pass", "dan@gmail.com", "dan@gmail.com"),
        ("fail", "pass", "dan@gmail.com", "dan@gmail.com"),  # forwarded, its signature whole
        ("pass", "fail", "dan@gmail.com", "a@sender.test"),
        ("pass", "none", "dan@gmail.com", "a@sender.test"),
        ("none", "none", "dan@sender.test", "dan@sender.test"),
        ("temperror", "temperror", "dan@sender.test", "dan@sender.test"),
        ("fail", "none", "dan@sender.test", None),
        ("softfail", "fail", "dan@gmail.com", None),
        ("softfail", "none", None, None),
        ("neutral", "none", "dan@sender.test", None),
        ("none", "fail", "dan@sender.test", None),
        ("pass", "pass", "a@sender.test, never@gmail.com", "a@sender.test"),
    ],
)
def test_what_is_disproven_counts_for_nobody(
    spf: str, dmarc: str, author: str | None, found: str | None
) -> None:
    assert correspondent("a@sender.test", author, spf=spf, dmarc=dmarc) == found
