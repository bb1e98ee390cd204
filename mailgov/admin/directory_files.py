"""Acts that bring agencies and accounts in from a file, all of it or nothing, and that give them out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mailgov.admin.context import Actor, AdminContext, change, require
from mailgov.admin.directory_plan import BadRow, Plan, Progress, plan, silent
from mailgov.admin.directory_rows import COLUMNS, written
from mailgov.admin.errors import AdminError, invalid
from mailgov.identity.passwords import first_password_hash, generate_password
from mailgov.identity.roles import Act
from mailgov.ops.first_key import first_key
from mailgov.store import agencies, bulk
from mailgov.store.bulk import AccountRow
from mailgov.usage import csv_text
from mailgov.usage.csv_text import CsvError, Record


class FirstPassword(NamedTuple):
    """A password that its holder has to change before anything else; shown once."""

    address: str
    password: str

    def __repr__(self) -> str:
        return f"FirstPassword(address={self.address!r})"


class BadRows(AdminError):
    """Rows of a file cannot be imported, so none of it was."""

    def __init__(self, rows: int, bad: Sequence[BadRow]) -> None:
        first = bad[0]
        super().__init__(
            "invalid",
            "Rows that cannot be imported",
            f"{len(bad)} of {rows} rows cannot be imported, so nothing was changed;"
            f" the first: line {first.line}, {first.what}: {first.reason}",
            422,
        )
        self.bad = tuple(bad)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    rows: int
    agencies: int
    accounts: int
    placed: int
    """Accounts that were there without any post and have one now."""
    unchanged: int
    passwords: tuple[FirstPassword, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exported:
    """The directory as a file that `import_directory` reads."""

    text: str = field(repr=False)
    agencies: int
    accounts: int


Deliver = Callable[[Sequence[FirstPassword]], None]
"""Puts first passwords where they last, before the import is committed: nobody could sign in without."""


def _nowhere(_passwords: Sequence[FirstPassword]) -> None:
    """The caller gets them in the result."""


async def show_import(ctx: AdminContext, actor: Actor, data: bytes, *, progress: Progress = silent) -> Plan:
    """What `import_directory` would do with the file; its bad rows are in the plan."""
    require(actor, Act.DIRECTORY_IMPORT)
    records = _records(data)
    return await _planned(ctx, records, progress)


async def import_directory(
    ctx: AdminContext,
    actor: Actor,
    data: bytes,
    *,
    passwords: bool = True,
    deliver: Deliver = _nowhere,
    progress: Progress = silent,
) -> Imported:
    """Make the agencies and accounts of a file that are not there yet; what stands stays as it is.

    An account that stands without any post gets those of the file: so comes a new installation's operator
    to the one of the file.

    All of it or nothing: raises BadRows with every row that cannot be. With `passwords` each new
    account that is open gets a first password. An exception of `deliver` undoes everything.
    """
    require(actor, Act.DIRECTORY_IMPORT)
    records = _records(data)
    # Judged before as well, for a file of a million bad rows must not keep others from writing.
    await _check(ctx, records, progress)
    digest = hashlib.sha256(data).hexdigest()
    async with change(ctx, actor, Act.DIRECTORY_IMPORT, f"file {digest[:16]}") as step:
        made = plan(records, await bulk.standing(step.session), ctx.today())
        if made.bad:
            raise BadRows(made.rows, made.bad)
        first = _first_passwords(ctx, made.accounts) if passwords else {}
        rows = [
            replace(row, password_hash=first[row.address][1]) if row.address in first else row
            for row in made.accounts
        ]
        await bulk.add_spans(step.session, made.spans, step.now_ms)
        await bulk.add_accounts(
            step.session, rows, step.now_ms, lambda done: progress("writing accounts", done, len(rows))
        )
        await bulk.add_posts(step.session, made.placed)
        told = tuple(FirstPassword(address, password) for address, (password, _) in first.items())
        step.content.update(file_sha256=digest, rows=made.rows, unchanged=made.unchanged)
        step.content.update(agencies=[span.code for span in made.spans])
        step.content.update(accounts=[row.address for row in rows])
        step.content.update(placed=[row.address for row in made.placed])
        deliver(told)
    return Imported(made.rows, len(made.spans), len(rows), len(made.placed), made.unchanged, told)


async def export_directory(ctx: AdminContext, actor: Actor) -> Exported:
    """All agencies and accounts; passwords, aliases, keys and what accounts may write as are not in it."""
    async with change(ctx, actor, Act.DIRECTORY_EXPORT, "directory", directory=False) as step:
        spans = await agencies.list_spans(step.session)
        accounts = await bulk.all_accounts(step.session)
        text = csv_text.write(COLUMNS, written(spans, accounts))
        step.content.update(agencies=len(spans), accounts=len(accounts))
        step.content.update(file_sha256=hashlib.sha256(text.encode()).hexdigest())
    return Exported(text, len(spans), len(accounts))


async def _check(ctx: AdminContext, records: Sequence[Record], progress: Progress) -> None:
    """Raise BadRows unless every row can be imported into the directory as it stands now."""
    made = await _planned(ctx, records, progress)
    if made.bad:
        raise BadRows(made.rows, made.bad)


async def _planned(ctx: AdminContext, records: Sequence[Record], progress: Progress) -> Plan:
    async with ctx.db.read() as session:
        return plan(records, await bulk.standing(session), ctx.today(), progress)


def _records(data: bytes) -> list[Record]:
    try:
        return csv_text.read(data, COLUMNS)
    except CsvError as error:
        raise invalid(str(error)) from None


def _first_passwords(ctx: AdminContext, rows: Sequence[AccountRow]) -> dict[str, tuple[str, str]]:
    """A password and its hash for each open account; their 100 bits let a fast hash hold them."""
    key = first_key(ctx.settings.data_dir, ctx.random)
    made = {row.address: generate_password(ctx.random) for row in rows if not row.suspended}
    return {address: (password, first_password_hash(key, password)) for address, password in made.items()}
