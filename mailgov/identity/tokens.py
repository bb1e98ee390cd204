"""Bearer tokens for programs: 256 random bits, of which only the SHA-256 is kept."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import NamedTuple

PREFIX = "mg_"
"""Lets scanners for leaked secrets recognise one."""
TOKEN_OCTETS = 32


class NewToken(NamedTuple):
    """`text` is shown once and never kept; `hash` is what the ledger holds."""

    text: str
    hash: str

    def __repr__(self) -> str:
        return f"NewToken(hash={self.hash!r})"


def new_token(random: Callable[[int], bytes]) -> NewToken:
    """A fresh token; `random(n)` gives n unpredictable octets."""
    text = PREFIX + base64.urlsafe_b64encode(random(TOKEN_OCTETS)).rstrip(b"=").decode()
    return NewToken(text, hash_token(text))


def hash_token(text: str) -> str:
    """SHA-256 of a token, in hex. No salt or slow hash: it has 256 bits of its own."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
