"""Marks of secrecy in whatever names a part, in every reading."""

from __future__ import annotations

from mailgov.mail.encoded_words import VALUE_OCTETS
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.parameters import texts, within_bounds
from mailgov.mail.secrecy import field_mark, secrecy_mark

_MARKED_OCTETS = 1 << 20  # of fields that may name something, in all parts together, read for marks
_NAMES = frozenset({b"filename", b"name"})
_NAMING = frozenset({b"content-disposition", b"content-type", b"content-description"})


class Marks:
    """Collects them; `complete` until a bound is met. Only if `wanted`: they cost the most."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self.found: set[str | None] = set()
        self.complete = True
        self._left = _MARKED_OCTETS

    def judge(self, header: HeaderBlock) -> None:
        """The marks of every name that the fields give, in every reading."""
        if not self._wanted:
            return
        for field in header.fields:
            if field.name not in _NAMING:
                continue
            value = header.value(field)
            if field.name == b"content-description":
                self.judge_text(value)
                continue
            if not within_bounds(value):
                self.complete = False
            if self._may_bear_a_mark(value):
                self.found |= {secrecy_mark(name) for name in texts(value, _NAMES)}

    def judge_text(self, value: bytes) -> None:
        if not self._wanted:
            return
        if len(value) > VALUE_OCTETS:
            self.complete = False
        if self._may_bear_a_mark(value):
            self.found.add(field_mark(value))

    def _may_bear_a_mark(self, value: bytes) -> bool:
        """False for what holds none in any reading; the rest is read only so far."""
        if value.isascii() and b"=?" not in value and b"%" not in value and b"*" not in value:
            return False
        self._left -= len(value)
        if self._left < 0:
            self.complete = False
        return self._left >= 0
