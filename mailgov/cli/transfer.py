"""`mailgov import` and `mailgov export`: the directory as a file."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.directory_files import FirstPassword, Imported
    from mailgov.admin.directory_plan import BadRow, Plan

STANDARD = Path("-")
BETWEEN_S = 0.2
"""Between two signs of progress."""
BAD_SHOWN = 500
"""Bad rows that people are shown of a file; nobody reads more of them before mending these."""

PasswordsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A new file for the first passwords, mode 0600. Default: they are printed."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("import")(import_file)
    app.command("export")(export_file)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; - for standard input.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    passwords: PasswordsOption = None,
    no_passwords: Annotated[
        bool, typer.Option("--no-passwords", help="The new accounts cannot sign in yet.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in agencies and accounts: all rows or none. What stands just so already is left alone."""
    if passwords is not None and (no_passwords or dry_run):
        common.usage_error("--passwords does not go together with --no-passwords or --dry-run")
    if passwords is not None and passwords.exists():
        raise common.Refused(f"{passwords} is there already, and is never overwritten")
    data = sys.stdin.buffer.read() if file == STANDARD else file.read_bytes()
    if dry_run:
        _preview(config, data, as_json)
    else:
        _import(config, data, _PasswordFile(passwords), no_passwords, as_json)


def _preview(config: Path | None, data: bytes, as_json: bool) -> None:
    from mailgov.admin import directory_files

    with _Progress() as progress:
        plan = common.act(
            config,
            lambda ctx, actor: directory_files.show_import(ctx, actor, data, progress=progress.show),
        )
    if as_json:
        common.print_json(plan)
    else:
        _print_plan(plan)
    if plan.bad:
        raise directory_files.BadRows(plan.rows, plan.bad)


def _import(config: Path | None, data: bytes, kept: _PasswordFile, no_passwords: bool, as_json: bool) -> None:
    from mailgov.admin import directory_files

    try:
        with _Progress() as progress:
            done = common.act(
                config,
                lambda ctx, actor: directory_files.import_directory(
                    ctx,
                    actor,
                    data,
                    passwords=not no_passwords,
                    deliver=kept.write,
                    progress=progress.show,
                ),
            )
    except directory_files.BadRows as error:
        if as_json:
            common.print_json({"bad": error.bad})
        else:
            _print_bad(error.bad)
        raise
    except BaseException:
        kept.undo()
        raise
    _print_done(done, kept.file, as_json)


class _PasswordFile:
    """Where first passwords go before the import is committed; None: they are printed after it."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._written = False

    def write(self, passwords: Sequence[FirstPassword]) -> None:
        """Written whole, synced, and its owner's alone, or OSError."""
        from mailgov.ops import files
        from mailgov.usage import csv_text

        if self.file is not None:
            text = csv_text.write(("address", "first_password"), passwords)
            files.write_new(self.file.absolute(), text.encode())
            self._written = True

    def undo(self) -> None:
        """The import was not committed: the passwords open nothing."""
        if self.file is not None and self._written:
            self.file.unlink(missing_ok=True)


def _print_done(done: Imported, file: Path | None, as_json: bool) -> None:
    if as_json:
        told = (
            {"passwords_file": str(file)}
            if file
            else {"passwords": [one._asdict() for one in done.passwords]}
        )
        counts = {
            name: getattr(done, name) for name in ("rows", "agencies", "accounts", "placed", "unchanged")
        }
        common.print_json({**counts, **told})
        return
    common.say(
        f"added {_counted(done.agencies, done.accounts)}; {_placed(done.placed)}"
        f"there already: {done.unchanged}; rows: {done.rows}"
    )
    if file is not None and done.passwords:
        common.say(f"first passwords: {file}")
    elif done.passwords:
        common.say("first passwords (shown this once):")
        common.print_table(("address", "first password"), done.passwords)


def _print_plan(plan: Plan) -> None:
    common.say(
        f"would add {_counted(len(plan.spans), len(plan.accounts))}; {_placed(len(plan.placed))}"
        f"there already: {plan.unchanged}; rows: {plan.rows}"
    )
    for span in plan.spans:
        common.say(f"  agency {span.code}: {span.name}")
    serving = Counter(row.posts[-1].agency_code if row.posts else "-" for row in plan.accounts)
    if serving:
        common.print_table(("agency", "new accounts"), sorted(serving.items()))
    for row in plan.placed:
        common.say(f"  {row.address} is there, and would serve in {row.posts[-1].agency_code}")
    if plan.bad:
        _print_bad(plan.bad)


def _print_bad(bad: Sequence[BadRow]) -> None:
    common.print_table(
        ("line", "row", "reason"), [(one.line, one.what, one.reason) for one in bad[:BAD_SHOWN]]
    )
    if len(bad) > BAD_SHOWN:
        common.say(f"and {common.count(len(bad) - BAD_SHOWN, 'bad row')} more; --json lists them all")


def _counted(agencies: int, accounts: int) -> str:
    agency = "1 agency" if agencies == 1 else f"{agencies} agencies"
    return f"{agency} and {common.count(accounts, 'account')}"


def _placed(accounts: int) -> str:
    return f"given a post: {accounts}; " if accounts else ""


def export_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new CSV file; - for standard output.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give out agencies and accounts as a file that `import` reads; it is noted in the audit log."""
    from mailgov.admin import directory_files
    from mailgov.ops import files

    if file != STANDARD and file.exists():
        raise common.Refused(f"{file} is there already, and is never overwritten")
    made = common.act(config, directory_files.export_directory)
    if file == STANDARD:
        sys.stdout.flush()
        sys.stdout.buffer.write(made.text.encode())
        sys.stdout.buffer.flush()
        return
    files.write_new(file.absolute(), made.text.encode())
    if as_json:
        common.print_json({"file": str(file), "agencies": made.agencies, "accounts": made.accounts})
    else:
        agencies = common.count(made.agencies, "row") + " of agencies"
        common.say(f"wrote {file}: {agencies}, {common.count(made.accounts, 'account')}")


class _Progress:
    """One line of progress on a terminal, some times a second; nothing where nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._said_s = 0.0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._said_s:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, what: str, done: int, total: int) -> None:
        """That `done` of `total` rows are done."""
        now_s = time.monotonic()
        if self._watched and (now_s - self._said_s >= BETWEEN_S or done == total):
            self._said_s = now_s
            print(f"\r\x1b[K{what}: {done} of {total}", end="", file=sys.stderr, flush=True)
