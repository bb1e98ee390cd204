"""The snapshot as a file of the node: a line with a checksum, then JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mailgov.store.entries import AccountEntry, AliasEntry, SigningKey, Snapshot

FILE_LIMIT_BYTES = 268_435_456
"""About half a million accounts; a larger file is not one of ours."""

_MAGIC = b"mailgov-snapshot-1 "


def save(snapshot: Snapshot, path: Path) -> None:
    """Replace the file atomically and on disk; readable by the service alone (password hashes).

    Raises OSError; the file that stood there then still stands.
    """
    body = json.dumps(asdict(snapshot), default=sorted, separators=(",", ":")).encode()
    head = _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(head + body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_file(path: Path) -> Snapshot | None:
    """The snapshot that `save` wrote; None when the file is missing, damaged or of another version."""
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            return None
        head, _, body = path.read_bytes().partition(b"\n")
        if head != _MAGIC + hashlib.sha256(body).hexdigest().encode():
            return None
        return _snapshot(json.loads(body))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _snapshot(raw: dict[str, Any]) -> Snapshot:
    return Snapshot(
        revision=raw["revision"],
        policy_revision=raw["policy_revision"],
        loaded_ms=raw["loaded_ms"],
        domains=frozenset(raw["domains"]),
        accounts={key: _account(account) for key, account in raw["accounts"].items()},
        aliases={
            key: AliasEntry(alias["address"], alias["kind"], tuple(alias["targets"]))
            for key, alias in raw["aliases"].items()
        },
        signing_keys={
            domain: tuple(SigningKey(**key) for key in keys) for domain, keys in raw["signing_keys"].items()
        },
        registered=frozenset(raw["registered"]),
        disabled_domains=frozenset(raw["disabled_domains"]),
        overseers={agency: tuple(told) for agency, told in raw.get("overseers", {}).items()},
    )


def _account(raw: dict[str, Any]) -> AccountEntry:
    sets = {name: frozenset(raw[name]) for name in ("addresses", "registered")}
    return AccountEntry(**{**raw, **sets})
