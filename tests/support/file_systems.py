"""Small file systems for the tests: some to be filled up, one whose unsynced pages a power cut takes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*words: str | Path) -> None:
    """Mount, or skip the test with the reason."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no mounting here: {done.stderr.strip()}")


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of `size` (as `8m`) mounted at `place`."""
    place.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
    try:
        yield place
    finally:
        _unmount(place)


@contextmanager
def filled(place: Path) -> Iterator[None]:
    """Not an octet more fits on the disk at `place` inside the block."""
    filler = place / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size):
                        continue
        yield
    finally:
        filler.unlink()


class Disk:
    """An ext4 of its own whose pages the kernel writes back only when a program syncs them."""

    def __init__(self, folder: Path, size_bytes: int = 64 * 1024 * 1024) -> None:
        self._image = folder / "disk.img"
        self._size_bytes = size_bytes

    def make(self) -> None:
        with self._image.open("wb") as image:
            image.truncate(self._size_bytes)
        subprocess.run(["mkfs.ext4", "-q", "-F", self._image], check=True)

    def snapshot(self) -> Disk:
        """The disk as a power cut now would leave it: without what is in memory alone."""
        taken = Disk(self._image.parent / "after", self._size_bytes)
        taken._image.parent.mkdir()
        shutil.copyfile(self._image, taken._image)
        return taken

    @contextmanager
    def mounted(self, place: Path) -> Iterator[None]:
        """Mounted at `place`; ext4's own timer would sync after five seconds otherwise."""
        place.mkdir(parents=True, exist_ok=True)
        _mount("-o", "loop,commit=300", self._image, place)
        try:
            yield
        finally:
            _unmount(place)
