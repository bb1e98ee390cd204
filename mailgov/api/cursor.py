"""Opaque cursors: where a list goes on, and for which question.

A cursor carries the last row's place and a mark of the filters, so that it cannot be carried
over to another question by mistake. It is not secret and gives no right: the scope of the
caller is applied again to every page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

CURSOR_LIMIT = 1000
"""Characters; those of numbers have about 50, those of addresses at most some 500."""
_BIGGEST = 2**63 - 1


class CursorError(ValueError):
    """The text is no cursor of ours, or one of another question."""


def encode(place: tuple[int, ...], filters: Mapping[str, object]) -> str:
    """The cursor for the rows after `place` (whole numbers of 63 bits)."""
    return _packed(place, filters)


def encode_names(place: tuple[str, ...], filters: Mapping[str, object]) -> str:
    """The cursor for the rows after the ones of these names."""
    return _packed(place, filters)


def _packed(place: tuple[int, ...] | tuple[str, ...], filters: Mapping[str, object]) -> str:
    packed = json.dumps([_mark(filters), *place], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(text: str, filters: Mapping[str, object], size: int) -> tuple[int, ...]:
    """The place that `encode` was given, of `size` numbers; raises CursorError."""
    place = _unpacked(text, filters)
    if len(place) != size or not all(type(n) is int and -_BIGGEST <= n <= _BIGGEST for n in place):
        raise CursorError("not a cursor that this service gave")
    return tuple(place)


def decode_names(text: str, filters: Mapping[str, object], size: int) -> tuple[str, ...]:
    """The place that `encode_names` was given, of `size` names; raises CursorError."""
    place = _unpacked(text, filters)
    if len(place) != size or not all(type(name) is str and name.isprintable() for name in place):
        raise CursorError("not a cursor that this service gave")
    return tuple(place)


def _unpacked(text: str, filters: Mapping[str, object]) -> list[Any]:
    try:
        if len(text) > CURSOR_LIMIT:
            raise CursorError("too long for a cursor")
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        mark, *place = list[Any](json.loads(packed))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise CursorError("not a cursor that this service gave") from None
    if mark != _mark(filters):
        raise CursorError("a cursor goes on only with the filters that it came from")
    return place


def _mark(filters: Mapping[str, object]) -> str:
    named = json.dumps({k: str(v) for k, v in filters.items() if v is not None}, sort_keys=True)
    return hashlib.sha256(named.encode(errors="replace")).hexdigest()[:12]
