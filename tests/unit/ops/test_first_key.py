"""The key of first passwords: made once, private, the same for every process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mailgov.ops.first_key import FILE, first_key


def test_it_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = first_key(tmp_path / "var", os.urandom)
    assert len(key) == 32
    assert first_key(tmp_path / "var", os.urandom) == key
    assert stat.S_IMODE((tmp_path / "var" / FILE).stat().st_mode) == 0o600


def test_of_two_processes_that_make_it_at_once_one_wins(tmp_path: Path) -> None:
    def slow(octets: int) -> bytes:
        (tmp_path / FILE).write_bytes(b"k" * octets)  # the other one, meanwhile
        return os.urandom(octets)

    assert first_key(tmp_path, slow) == b"k" * 32


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(ValueError, match="damaged"):
        first_key(tmp_path, os.urandom)
