"""Reading the policy folder: the room's only I/O."""

from __future__ import annotations

from pathlib import Path

from mailgov.policy.errors import PolicyError
from mailgov.policy.source import FILE_CHARACTERS

FILES_LIMIT = 200
"""A province's documents are a handful; a folder with more is not a policy folder."""

FILE_OCTETS = 4 * FILE_CHARACTERS


def read_directory(path: Path) -> dict[str, str]:
    """The TOML files of a policy folder and of its `directives/`, by relative name.

    Files whose name begins with a dot are an editor's and are left out. Raises PolicyError.
    """
    if not path.is_dir():
        raise PolicyError(str(path), None, None, "no such policy directory")
    found = [*sorted(path.glob("*.toml")), *sorted(path.glob("directives/*.toml"))]
    chosen = [file for file in found if not file.name.startswith(".")]
    if len(chosen) > FILES_LIMIT:
        raise PolicyError(str(path), None, None, f"over {FILES_LIMIT} files")
    return {file.relative_to(path).as_posix(): _read(file) for file in chosen}


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_OCTETS + 1)
    except OSError as error:
        raise PolicyError(str(file), None, None, f"cannot be read: {error.strerror}") from None
    if len(data) > FILE_OCTETS:
        raise PolicyError(str(file), None, None, f"over {FILE_OCTETS} octets")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(str(file), line, None, "not UTF-8") from None
