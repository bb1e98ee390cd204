"""A backup made while everything runs: spools first, then the ledger, keys, certificate, policy.

In this order nothing falls between: an event that the ledger had not yet taken when the spool
was copied is in the copied outbox, and one that it took meanwhile is known by its number.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailgov import __version__
from mailgov.admin.context import Actor, AdminContext, change, require, require_province
from mailgov.admin.errors import conflict
from mailgov.identity.roles import Act
from mailgov.ops import archive, dkim_files, first_key
from mailgov.ops.archive import ArchiveWriter, Progress
from mailgov.store import audit, dkim_keys, dump
from mailgov.store.engine import current_revision, damage
from mailgov.store.spool import SpoolError
from mailgov.store.spool.copy import copy_spool, problems, spool_id_of

SETTINGS = "settings.toml"
CERTIFICATE, KEY = "tls/certificate.pem", "tls/key.pem"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    file: str
    size_bytes: int
    made_ms: int
    schema: str
    rows: int
    queued_messages: int
    mail_files: int | None
    """None where mailboxes were left out."""


async def make_backup(
    ctx: AdminContext,
    actor: Actor,
    file: Path,
    *,
    settings_file: Path,
    mail: bool = False,
    progress: Progress = lambda _name, _size: None,
) -> Backup:
    """Write everything that a province needs to stand up again into one file (0600).

    With `mail` the mailboxes too, which are large. Raises AdminError `conflict` for a file
    that is there and for data that is damaged, LedgerUnavailable, OSError.
    """
    require_province(actor, Act.BACKUP_MAKE, "make a backup")
    made_ms = ctx.now_ms()
    stage = await asyncio.to_thread(_stage, file)
    try:
        spools = await asyncio.to_thread(_copy_spools, ctx.settings.data_dir / "spool", stage)
        schema, counts = await _dump_ledger(ctx, stage)
        with archive.writing(file, progress) as writer:
            await asyncio.to_thread(_write_staged, writer, stage)
            await asyncio.to_thread(_write_files, writer, ctx, settings_file)
            boxes = await asyncio.to_thread(_write_mail, writer, ctx.settings.data_dir) if mail else None
            about = {"version": __version__, "made_ms": made_ms, "schema": schema, "mail": mail}
            writer.finish({**about, "spools": spools, "tables": counts})
    except FileExistsError as error:
        raise conflict(f"{file}: there already, and a backup is never overwritten") from error
    except SpoolError as error:
        raise conflict(f"the spool cannot be copied: {error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    queued = sum(spool["messages"] for spool in spools)
    size = (await asyncio.to_thread(file.stat)).st_size
    result = Backup(str(file), size, made_ms, schema, sum(counts.values()), queued, boxes)
    async with change(ctx, actor, Act.BACKUP_MAKE, file.name, directory=False) as step:
        step.content.update(size_bytes=result.size_bytes, rows=result.rows, queued=queued, mail=mail)
    return result


def _stage(file: Path) -> Path:
    """A folder beside the backup, its owner's alone."""
    folder = file.absolute().parent
    try:
        return Path(tempfile.mkdtemp(prefix=".mailgov-backup-", dir=folder))
    except OSError as error:
        error.filename = str(folder)  # whoever asked knows nothing of ours in it
        raise


def _copy_spools(root: Path, stage: Path) -> list[dict[str, Any]]:
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.name.isdigit() and (folder / "spool.sqlite").exists():
            target = stage / "spool" / folder.name
            messages = copy_spool(folder, target)
            found.append({"number": int(folder.name), "id": spool_id_of(target), "messages": messages})
    return found


async def _dump_ledger(ctx: AdminContext, stage: Path) -> tuple[str, dict[str, int]]:
    """Every table as lines of JSON, from one state of the ledger; its schema, and rows by table."""
    schema = await current_revision(ctx.db)
    if schema is None:
        raise conflict("the ledger is empty: there is nothing to back up")
    folder = stage / "ledger"
    folder.mkdir(mode=0o700)
    counts: dict[str, int] = {}
    async with ctx.db.read() as session:
        for table in await dump.tables(session):
            counts[table.name] = 0
            with (folder / f"{table.name}.jsonl").open("w", encoding="utf-8") as file:
                async for row in dump.rows(session, table):
                    file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
                    counts[table.name] += 1
    return schema, counts


def _write_staged(writer: ArchiveWriter, stage: Path) -> None:
    for path in _files(stage):
        writer.file(path.relative_to(stage).as_posix(), path)


def _write_files(writer: ArchiveWriter, ctx: AdminContext, settings_file: Path) -> None:
    settings = ctx.settings
    writer.file(SETTINGS, settings_file)
    for name, place in ((CERTIFICATE, settings.tls.certificate), (KEY, settings.tls.key)):
        if place is not None:
            writer.file(name, place)
    for path in _files(settings.data_dir / "keys"):
        writer.file(f"data/{path.relative_to(settings.data_dir).as_posix()}", path)
    if (settings.data_dir / first_key.FILE).exists():
        writer.file(f"data/{first_key.FILE}", settings.data_dir / first_key.FILE)
    directory = settings.policy.directory
    for path in _files(directory):
        writer.file(f"policy/{path.relative_to(directory).as_posix()}", path)


def _write_mail(writer: ArchiveWriter, data_dir: Path) -> int:
    """Every message in every mailbox. One that is moved meanwhile is there under its new name."""
    root, count, seen = data_dir / "mail", 0, set[str]()
    for _ in range(2):  # the second look finds what was moved from new/ to cur/ behind the first one
        for path in _files(root):
            name = path.relative_to(data_dir).as_posix()
            if name in seen or path.parent.name == "tmp":
                continue
            try:
                writer.file(name, path)
            except FileNotFoundError:
                continue
            seen.add(name)
            count += 1
    return count


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


async def verify_data(ctx: AdminContext, actor: Actor) -> list[str]:
    """What is wrong with the data of a running installation, a line each; none is the answer hoped for."""
    require(actor, Act.DATA_VERIFY)
    found = [f"ledger: {problem}" for problem in await damage(ctx.db)]
    report = await audit.verify(ctx.db)
    found += [f"audit log: {one.writer or ''} {one.sequence or ''}: {one.problem}" for one in report.problems]
    root = ctx.settings.data_dir / "spool"
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        found += [f"spool: {problem}" for problem in await asyncio.to_thread(problems, folder)]
    return found + await key_problems(ctx)


async def key_problems(ctx: AdminContext) -> list[str]:
    """What is wrong with the private sides of DKIM keys that sign or will, a line each."""
    async with ctx.db.read() as session:
        keys = await dkim_keys.list_keys(session)
    found: list[str] = []
    for key in keys:
        if key.state in {"pending", "active"}:
            found += _key_problems(ctx.settings.data_dir / key.key_file, key.public_key)
    return found


def _key_problems(path: Path, public_key: str) -> list[str]:
    try:
        key = dkim_files.load(path)
    except (OSError, ValueError) as error:
        return [f"DKIM key {path}: {error}"]
    if dkim_files.public_text(key) != public_key:
        return [f"DKIM key {path}: not the key whose public side is published"]
    return []
