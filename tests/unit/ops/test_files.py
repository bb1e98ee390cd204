from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mailgov.ops import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def loose_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_file_and_its_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "secret"
    files.write_new(path, b"x")
    assert path.read_bytes() == b"x"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    assert [found.name for found in path.parent.iterdir()] == ["secret"], "nothing is left aside"


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    files.write_new(path, b"first")
    with pytest.raises(FileExistsError):
        files.write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_replace_changes_mode_and_content_at_once(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_text("old")
    files.replace(path, b"new", 0o640)
    assert (path.read_bytes(), mode(path)) == (b"new", 0o640)


def test_what_a_killed_process_left_aside_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".secret.{os.getpid()}.new").write_bytes(b"half")
    files.write_new(tmp_path / "secret", b"whole")
    assert (tmp_path / "secret").read_bytes() == b"whole"


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "secret").symlink_to("elsewhere")
    with pytest.raises(FileExistsError):
        files.write_new(tmp_path / "secret", b"x")
    files.replace(tmp_path / "secret", b"x")
    assert (tmp_path / "elsewhere").read_text() == "kept"
