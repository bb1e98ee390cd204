"""One file that holds a backup: a tar whose last member, the manifest, names and proves the others.

Written aside, synced, then named: a file with the final name is whole. Nothing is unpacked by
name: a member goes only where the caller puts it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK_BYTES = 1_048_576
MANIFEST_LIMIT_BYTES = 268_435_456
SMALL_BYTES = 1_048_576

Progress = Callable[[str, int], None]
"""Called with a member's name and its size as it is begun."""


class ArchiveError(Exception):
    """The file is no whole backup; the message is one line that says where."""


class ArchiveWriter:
    """Takes members one after another; `writing` makes and ends it."""

    def __init__(self, tar: tarfile.TarFile, progress: Progress) -> None:
        self._tar, self._progress = tar, progress
        self._members: list[dict[str, Any]] = []

    def file(self, name: str, path: Path) -> None:
        """A file as it is now; raises OSError where it cannot be read."""
        with path.open("rb") as source:
            self._add(name, source, os.fstat(source.fileno()).st_size)

    def data(self, name: str, content: bytes) -> None:
        """Bytes as a member."""
        self._add(name, io.BytesIO(content), len(content))

    def _add(self, name: str, source: IO[bytes], size: int) -> None:
        self._progress(name, size)
        hashing = _Hashing(source)
        self._tar.addfile(_entry(name, size), hashing)
        self._members.append({"name": name, "size": size, "sha256": hashing.digest.hexdigest()})

    def finish(self, about: dict[str, Any]) -> None:
        """Write the manifest, which `about` is part of."""
        manifest = {"format": FORMAT, **about, "members": self._members}
        content = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
        self._tar.addfile(_entry(MANIFEST, len(content)), io.BytesIO(content))


class _Hashing:
    """A reader that hashes what passes through."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


@contextmanager
def writing(path: Path, progress: Progress) -> Iterator[ArchiveWriter]:
    """A new archive (0600); nothing is left of it when the block fails. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError(17, "there already: a backup is never overwritten", str(path))
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield ArchiveWriter(tar, progress)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)  # unlike rename, refuses to replace
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def verify(path: Path, progress: Progress) -> dict[str, Any]:
    """The manifest of an archive whose every member is as it was written. Raises ArchiveError, OSError."""
    found: dict[str, tuple[int, str]] = {}
    manifest: dict[str, Any] | None = None
    for name, size, source in members(path):
        if name == MANIFEST:
            manifest = _manifest(path, source, size)
            continue
        progress(name, size)
        if name in found:
            raise ArchiveError(f"{path}: {name} is in it twice")
        try:
            digest = hashlib.sha256()
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
        except tarfile.TarError:
            raise ArchiveError(f"{path}: it ends inside {name}: the backup was cut") from None
        found[name] = (size, digest.hexdigest())
    if manifest is None:
        raise ArchiveError(f"{path}: it ends before its manifest: the backup was cut")
    told = {member["name"]: (member["size"], member["sha256"]) for member in manifest["members"]}
    for name in sorted(told.keys() | found.keys()):
        if told.get(name) != found.get(name):
            raise ArchiveError(f"{path}: {name} is not as it was written")
    return manifest


def _manifest(path: Path, source: IO[bytes], size: int) -> dict[str, Any]:
    if size > MANIFEST_LIMIT_BYTES:
        raise ArchiveError(f"{path}: its manifest is too large to be one")
    try:
        manifest: dict[str, Any] = json.loads(source.read())
        if manifest["format"] != FORMAT:
            raise ArchiveError(f"{path}: written by another version (format {manifest['format']})")
        [(member["name"], member["size"], member["sha256"]) for member in manifest["members"]]
    except (ValueError, KeyError, TypeError):
        raise ArchiveError(f"{path}: its manifest cannot be read") from None
    return manifest


def member(path: Path, name: str) -> bytes:
    """The content of one small member. Raises ArchiveError where it is not there, or no small one."""
    for found, size, source in members(path):
        if found == name:
            if size > SMALL_BYTES:
                raise ArchiveError(f"{path}: its {name} is too large to be one")
            return source.read()
    raise ArchiveError(f"{path}: there is no {name} in it")


def members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, size and content of each member in turn. Raises ArchiveError for what is no such file."""
    try:
        with tarfile.open(path, mode="r|") as tar:
            for entry in tar:
                # A sparse member would be larger than the file that it comes in.
                source = tar.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if source is None:
                    raise ArchiveError(f"{path}: {entry.name!r} is no plain file")
                yield entry.name, entry.size, source
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"{path}: not a backup, or a cut one: {error}") from None
