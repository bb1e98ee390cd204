"""Tokens: enough bits, only the hash kept, nothing of the text in a repr."""

from __future__ import annotations

import hashlib
import os

from mailgov.identity.tokens import hash_token, new_token


def test_token_has_256_bits_and_a_prefix() -> None:
    token = new_token(os.urandom)
    assert token.text.startswith("mg_")
    assert len(token.text) == 3 + 43
    assert token.hash == hashlib.sha256(token.text.encode()).hexdigest() == hash_token(token.text)


def test_repr_keeps_the_secret() -> None:
    token = new_token(os.urandom)
    assert token.text not in repr(token)


def test_any_text_can_be_looked_up() -> None:
    assert len(hash_token("\ud800 not Unicode")) == 64
