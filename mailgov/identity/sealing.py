"""Sealing what only the holder of a secret may read again: AES-256-GCM (NIST SP 800-38D)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_OCTETS = 12


def derive(secret: str, purpose: str) -> bytes:
    """A key of 256 bits for one purpose from a secret of at least 128 bits of its own."""
    return hmac.digest(secret.encode(errors="replace"), purpose.encode(errors="replace"), hashlib.sha256)


def seal(key: bytes, content: bytes, random: Callable[[int], bytes]) -> bytes:
    """The content under `key` (256 bits); `random(n)` gives n unpredictable octets."""
    nonce = random(NONCE_OCTETS)
    return nonce + AESGCM(key).encrypt(nonce, content, None)


def unseal(key: bytes, sealed: bytes) -> bytes | None:
    """What `seal` was given; None under another key, or when it was changed."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:], None)
    except (InvalidTag, ValueError):
        return None
