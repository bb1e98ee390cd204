"""`mailgov backup`, `mailgov restore` and `mailgov verify-data`."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.restores import Restored

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("verify-data")(verify_data)


def backup(
    file: BackupFile,
    with_mail: Annotated[bool, typer.Option("--with-mail", help="The mailboxes too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write ledger, queue, keys, certificate and policy into one file, while everything runs.

    The file holds keys and passwords' hashes: keep it where you keep keys, and not on this machine alone.
    """
    from mailgov.admin import backups
    from mailgov.config import find_settings_file

    path = find_settings_file(common.config_path(config))
    with _Progress(as_json=as_json) as progress:
        made = common.act(
            config,
            lambda ctx, actor: backups.make_backup(
                ctx, actor, file, settings_file=path, mail=with_mail, progress=progress
            ),
        )
    if as_json:
        common.print_json(made)
        return
    common.say(f"made {made.file}: {common.count(made.size_bytes, 'byte')}")
    left = "left out (--with-mail)" if made.mail_files is None else common.count(made.mail_files, "message")
    common.print_fields(
        {
            "rows of the ledger": made.rows,
            "queued messages": made.queued_messages,
            "mailboxes": left,
            "check it with": f"mailgov verify-data {made.file}",
        }
    )


def restore(
    file: BackupFile,
    data: Annotated[str, typer.Option(metavar="DIR", help="The new data folder.")] = "var",
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An empty ledger of either kind.", show_default="as it was"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an installation out of a backup: the settings file named by --config must not be there yet."""
    from mailgov.admin import restores
    from mailgov.admin.errors import AdminError
    from mailgov.config import load_settings
    from mailgov.ops import archive, files
    from mailgov.ops.init import SETTINGS_FILE_MODE

    path = (common.config_path(config) or Path("mailgov.toml")).absolute()
    if path.exists():
        raise common.Refused(f"{path} is there already: an installation is never overwritten")
    with _Progress(as_json=as_json) as progress:
        try:
            manifest = archive.verify(file, progress)
            text = restores.settings_for(file, data, database)
        except archive.ArchiveError as error:
            raise common.Refused(str(error)) from error
        draft = path.with_name(f".{path.name}.draft")
        folders = [one for one in (path.parent, *path.parent.parents) if not one.exists()]
        files.replace(draft, text.encode(), SETTINGS_FILE_MODE)
        settings = None
        try:
            settings = load_settings(draft)
            restores.check_places(settings)
            fresh = [p for p in (settings.data_dir, settings.policy.directory) if not p.exists()]
            done = common.act_with(
                settings,
                lambda ctx, actor: restores.restore(
                    ctx, actor, file, manifest, settings_file=path, progress=progress
                ),
                create=True,
            )
            files.write_new(path, text.encode(), SETTINGS_FILE_MODE)
        except BaseException as error:
            # Nothing half done stays behind: what this run has made goes again.
            if settings is not None and not (isinstance(error, AdminError) and error.code == "conflict"):
                for made in fresh:
                    shutil.rmtree(made, ignore_errors=True)
            draft.unlink(missing_ok=True)
            for folder in folders:
                with suppress(OSError):  # somebody else's files are in it by now
                    folder.rmdir()
            raise
        draft.unlink(missing_ok=True)
    _report(path, done, settings.province.timezone, as_json=as_json)


def _report(path: Path, done: Restored, timezone: str, *, as_json: bool) -> None:
    if as_json:
        common.print_json({"settings": path, **common.plain(done)})
        return
    common.say(f"restored to {path}, as it was at {common.local_time(done.made_ms, timezone)}")
    common.print_fields(
        {
            "rows of the ledger": done.rows,
            "queued messages": done.queued_messages,
            "recipients whose mail is not in it": done.absent_recipients,
            "mailboxes": "restored" if done.mail else "not in the backup",
        }
    )
    common.say("\nqueued mail is delivered when `mailgov serve` starts, again where it had been since")


def verify_data(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A backup. Default: the data in use.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a backup, or the running installation's ledger, audit log, queue and keys; exit 1 for damage."""
    problems = _of_file(file, as_json=as_json) if file else _of_installation(config)
    if as_json:
        common.print_json({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            common.say(common.cell(problem))
        found = f"{common.count(len(problems), 'problem')} found"
        common.say(found if problems else "all is as it should be")
    if problems:
        raise typer.Exit(1)


def _of_file(file: Path, *, as_json: bool) -> list[str]:
    from mailgov.ops import archive

    try:
        with _Progress(as_json=as_json) as progress:
            archive.verify(file, progress)
    except archive.ArchiveError as error:
        return [str(error)]
    return []


def _of_installation(config: Path | None) -> list[str]:
    from mailgov.admin import backups

    return common.act(config, backups.verify_data)


class _Progress:
    """How far it is, on one line of a terminal that is looked at; nothing anywhere else."""

    def __init__(self, *, as_json: bool) -> None:
        self._shown = sys.stderr.isatty() and not as_json
        self._bytes = 0

    def __call__(self, name: str, size: int) -> None:
        self._bytes += size
        if self._shown:
            text = f"{self._bytes / 1_048_576:10.1f} MB  {common.cell(name)}"
            print(f"\r{text[:78]:<78}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._shown:
            print("\r" + " " * 78 + "\r", end="", file=sys.stderr, flush=True)
