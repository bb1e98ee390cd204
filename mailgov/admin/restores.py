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
from mailgov.ops import archive, files
from mailgov.ops.archive import MANIFEST, Progress
from mailgov.ops.settings_text import with_value
from mailgov.settings import Settings
from mailgov.store import dump, restored
from mailgov.store.engine import current_revision, migrate
from mailgov.store.ledger import apply_events
from mailgov.store.spool.copy import outbox, queued, rename

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


def settings_for(file: Path, data: str | None, database: str | None) -> str:
    """The backup's settings with the places of the new installation. Raises ArchiveError.

    `data` None keeps the folder as it was written; the ledger of a SQLite installation lies in it.
    """
    text = archive.member(file, SETTINGS).decode()
    told = tomllib.loads(text)
    folder = data or str(told.get("data_dir", "var"))
    url = str(told.get("database", {}).get("url", "sqlite:///"))
    if database is not None or url.startswith("sqlite:"):
        text = with_value(text, "database", "url", database or f"sqlite:///{folder}/ledger.sqlite")
    text = with_value(text, None, "data_dir", folder)
    if told.get("tls", {}).get("certificate"):
        text = with_value(text, "tls", "certificate", f"{folder}/{CERTIFICATE}")
        text = with_value(text, "tls", "key", f"{folder}/{KEY}")
    return with_value(text, "policy", "directory", "policy")


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

    Raises AdminError `conflict` for a data folder, a policy folder or a ledger that is in use.
    """
    settings = ctx.settings
    if settings.policy.directory.exists():
        raise conflict(f"{settings.policy.directory} is there already: restore beside another settings file")
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
    tls = {CERTIFICATE: settings.tls.certificate, KEY: settings.tls.key}
    if (place := tls.get(name)) is not None:
        return place
    roots = {
        "data": settings.data_dir,
        "policy": settings.policy.directory,
        "spool": settings.data_dir / "spool",
        "mail": settings.data_dir / "mail",
        "ledger": settings.data_dir / LEDGER,
    }
    if path.parts[0] not in roots:
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
