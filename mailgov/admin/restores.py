"""A province stands up again from a backup, on another machine or with another database.

Mail that was queued when the backup was made is delivered (again, where it had been delivered
since): at least once, never lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mailgov.admin import setup
from mailgov.admin.backups import CERTIFICATE, KEY, SETTINGS
from mailgov.admin.context import Actor, AdminContext, Change, record
from mailgov.admin.errors import conflict, invalid
from mailgov.ops import archive, files, first_key
from mailgov.ops.archive import MANIFEST, Progress
from mailgov.ops.settings_text import with_value
from mailgov.settings import Settings
from mailgov.store import dump, restored
from mailgov.store.engine import current_revision, migrate
from mailgov.store.ledger import apply_events
from mailgov.store.spool.copy import outbox, queued, rename

POLICY = "policy"
"""Beside the new settings file."""
LEDGER = ".restore"
"""Under the new data folder: the ledger's rows on their way in."""
EVENTS = 500
ACT = "backup.restore"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came out of a backup."""

    made_ms: int
    """When the backup was made: what happened since is not in it."""
    rows: int
    queued_messages: int
    absent_recipients: int
    """Accepted while the backup was made: the record is there, the mail is not, and it says so."""
    commands_ended: int
    mail: bool
    """False when mailboxes were left out of the backup."""


def settings_for(file: Path, data: str, database: str | None) -> str:
    """The backup's settings with the places of the new installation: nothing in the file may choose them.

    `data` is the new data folder. The ledger of a SQLite installation lies in it; a server's stays
    as it was unless `database` names another. Raises ArchiveError, and AdminError `invalid` for
    settings that say otherwise once they are read.
    """
    text = archive.member(file, SETTINGS).decode("utf-8", "replace")
    told = _parsed(text)
    url = str(_section(told, "database").get("url", "sqlite:///"))
    if database is not None or url.startswith("sqlite:"):
        url = database or f"sqlite:///{data}/ledger.sqlite"
    places: dict[tuple[str | None, str], str] = {
        (None, "data_dir"): data,
        ("database", "url"): url,
        ("policy", "directory"): POLICY,
    }
    if _section(told, "tls"):
        places["tls", "certificate"] = f"{data}/{CERTIFICATE}"
        places["tls", "key"] = f"{data}/{KEY}"
    for (section, key), value in places.items():
        text = with_value(text, section, key, value)
    # What a line means in TOML depends on the lines before it: only the result counts.
    told = _parsed(text)
    for (section, key), value in places.items():
        table = told if section is None else _section(told, section)
        if table.get(key) != value:
            raise invalid(f"the backup's settings do not let themselves be given a new {key}")
    return text


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise invalid(f"the backup's settings cannot be read: {error}") from None


def _section(told: dict[str, Any], name: str) -> dict[str, Any]:
    table = told.get(name, {})
    return table if isinstance(table, dict) else {}


def check_places(settings: Settings) -> None:
    """Before anything is made: raises AdminError `conflict` for a data or policy folder that is in use."""
    folder = settings.data_dir
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise conflict(f"the data folder {folder} is not empty: name another --data")
    if settings.policy.directory.exists():
        raise conflict(f"{settings.policy.directory} is there already: restore beside another settings file")


async def restore(
    ctx: AdminContext,
    actor: Actor,
    file: Path,
    manifest: dict[str, Any],
    *,
    settings_file: Path,
    progress: Progress = lambda _name, _size: None,
) -> Restored:
    """Fill a new installation, whose settings `ctx` has, from a verified archive.

    `check_places` comes first. Raises AdminError `conflict` for a ledger that is in use.
    """
    settings = ctx.settings
    await setup.take_folder(ctx, settings_file)
    schema = await current_revision(ctx.db)
    if schema not in (None, manifest["schema"]):
        raise conflict("the ledger is of another version already: name an empty one with --database")
    await asyncio.to_thread(_unpack, file, settings, progress)
    await migrate(ctx.db, manifest["schema"])
    rows = await _load(ctx, manifest)
    await migrate(ctx.db)
    queued = await _revive_spools(ctx, manifest)
    shutil.rmtree(settings.data_dir / LEDGER)
    return await _tell(ctx, actor, file, manifest, rows, queued)


def _unpack(file: Path, settings: Settings, progress: Progress) -> None:
    made: set[Path] = set()
    for name, size, source in archive.members(file):
        if name in (MANIFEST, SETTINGS):
            continue
        progress(name, size)
        place = _place(settings, name)
        files.private_folder(place.parent)
        _write(place, source)
        made.add(place.parent)
    for folder in made:
        files.sync_folder(folder)


def _place(settings: Settings, name: str) -> Path:
    """Where a member goes. Raises AdminError for a name that leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\0" in name:
        raise invalid(f"the backup has a member that belongs nowhere: {name!r}")
    rest = Path(*path.parts[1:])
    roots = {
        "data": settings.data_dir,
        "tls": settings.data_dir / "tls",
        "policy": settings.policy.directory,
        "spool": settings.data_dir / "spool",
        "mail": settings.data_dir / "mail",
        "ledger": settings.data_dir / LEDGER,
    }
    known = path.parts[0] != "data" or path.parts[1] == "keys" or name == f"data/{first_key.FILE}"
    if path.parts[0] not in roots or not known:
        raise invalid(f"the backup has a member that belongs nowhere: {name!r}")
    return roots[path.parts[0]] / rest


def _write(place: Path, source: IO[bytes]) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, files.PRIVATE_FILE)
    with os.fdopen(handle, "wb") as target:
        shutil.copyfileobj(source, target, archive.CHUNK_BYTES)
        target.flush()
        os.fsync(target.fileno())


async def _load(ctx: AdminContext, manifest: dict[str, Any]) -> int:
    """The ledger's rows, all or none."""
    count = 0
    async with ctx.db.write() as session:
        for table in await dump.tables(session):
            if table.name not in manifest["tables"]:
                continue
            path = ctx.settings.data_dir / LEDGER / f"{table.name}.jsonl"
            loaded = await dump.load(session, table, _rows(path))
            if loaded != manifest["tables"][table.name]:
                raise invalid(f"the backup names {manifest['tables'][table.name]} rows of {table.name}")
            count += loaded
    return count


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


async def _revive_spools(ctx: AdminContext, manifest: dict[str, Any]) -> set[tuple[str, int]]:
    """The spools' last words go to the ledger under their old ids; then they live under new ones.

    Returns what is queued in them.
    """
    waiting: set[tuple[str, int]] = set()
    for spool in manifest["spools"]:
        folder = ctx.settings.data_dir / "spool" / str(int(spool["number"]))
        (folder / "incoming").mkdir(mode=0o700, exist_ok=True)
        (folder / "bodies").mkdir(mode=0o700, exist_ok=True)
        events = list(outbox(folder))
        timezone = ctx.settings.province.timezone
        for start in range(0, len(events), EVENTS):
            batch = events[start : start + EVENTS]
            await apply_events(ctx.db, spool["id"], "restore", batch, ctx.now_ms(), timezone=timezone)
        new_id = ctx.token_hex(16)
        rename(folder, new_id)
        async with ctx.db.write() as session:
            await restored.rename_spool(session, spool["id"], new_id)
        waiting.update(queued(folder))
    return waiting


async def _tell(
    ctx: AdminContext,
    actor: Actor,
    file: Path,
    manifest: dict[str, Any],
    rows: int,
    waiting: set[tuple[str, int]],
) -> Restored:
    now_ms = ctx.now_ms()
    messages = len({queue_id for queue_id, _ in waiting})
    async with ctx.db.write() as session:
        ended = await restored.end_commands(session, now_ms)
        absent = await restored.end_absent(session, waiting, now_ms)
        about = {"made_ms": manifest["made_ms"], "rows": rows, "queued": messages, "absent": absent}
        step = Change(session, now_ms, about)
        await record(ctx, actor, ACT, file.name, step)
    return Restored(manifest["made_ms"], rows, messages, absent, ended, bool(manifest["mail"]))
