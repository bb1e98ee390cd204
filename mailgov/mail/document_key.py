"""What makes two messages one document of their issuer; see docs/documents.md.

A document is known by who issued it, its symbol and the calendar year: symbols begin anew each
year, and every commune issues a `12/GM-UBND`. The issuer stands beside the key, not in it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

UNNUMBERED = "~"
"""Begins the second part of the key of a document without a symbol; no symbol begins so."""
PARTS = ("partial:", "parts:")
"""Families of a document that was sent in parts: what is attached differs from part to part."""
FAMILY_CHARACTERS = 200
"""A longer family is kept as its hash: a database's index takes some 2700 octets."""

_SPACE = re.compile(r"\s+")


def symbol_form(symbol: str) -> str:
    """The symbol as keys have it: in NFC, without spaces. Case and marks stay: HD is not HĐ."""
    return _SPACE.sub("", unicodedata.normalize("NFC", symbol))


def document_key(
    year: int,
    *,
    document_class: str | None,
    symbol: str | None,
    family: str,
    attachments_hash: str | None,
    counts: bool,
) -> str | None:
    """The key within the issuer, or None for what counts as no document.

    `year` is that of the local day of sending. `counts` is False for a reply, a forward, what a
    program wrote and what was not accepted. `family` groups messages without a symbol
    (`mail.family`); with `attachments_hash` it tells two such documents apart.
    """
    if not counts or not document_class:
        return None
    if symbol and (form := symbol_form(symbol)):
        return f"{year}:{form}"
    attached = "" if family.startswith(PARTS) else attachments_hash or ""
    return f"{year}:{UNNUMBERED}{short_family(family)}:{attached}"


def short_family(family: str) -> str:
    """The family, or its hash where it is long."""
    if len(family) <= FAMILY_CHARACTERS:
        return family
    return "sha256:" + hashlib.sha256(family.encode("utf-8", "replace")).hexdigest()


def is_unnumbered(key: str) -> bool:
    """True for the key of a document without a symbol."""
    return key.partition(":")[2].startswith(UNNUMBERED)
