"""`mailgov declare …`: what agencies declare, because no server can count it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli import declare_shown as shown
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailgov.admin.context import Actor, AdminContext
    from mailgov.admin.declaring import Placed
    from mailgov.store.declarations import DeclarationView

declare = typer.Typer(help="What agencies declare: people, documents, registers.", rich_markup_mode=None)

PAGE = 1000
AgencyOption = Annotated[str, typer.Option("--agency", metavar="CODE", help="Who declares.")]
PeriodOption = Annotated[
    str,
    typer.Option(
        "--period",
        parser=common.parse_period,
        metavar="P",
        help="2026, 2026-H2, 2026-Q4, 2026-11 or FROM..TO (both inside).",
    ),
]
CalendarOption = Annotated[str, typer.Option("--calendar", help="civil or administrative.")]
CorrectOption = Annotated[
    bool, typer.Option("--correct", help="Replace what is declared already; needs --reason.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why it was corrected, or why a jump is right.")
]
Number = Annotated[int, typer.Option(metavar="N", min=0)]
OptionalNumber = Annotated[int | None, typer.Option(metavar="N", min=0)]
WantedKind = Annotated[
    str | None,
    typer.Option("--kind", help="headcount, documents, register or indicator.", show_default="all"),
]
IdArgument = Annotated[int, typer.Argument(metavar="ID", help="A declaration's number, as `list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(declare, name="declare")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every kind of declaration is asked for with."""

    agency: str
    period: str
    calendar: str
    correct: bool
    reason: str | None


@declare.command("headcount")
def declare_headcount(
    agency: AgencyOption,
    period: PeriodOption,
    can_bo: Number,
    cong_chuc: Number,
    vien_chuc: Number,
    khac: Number,
    long_leave: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Of all these, on long leave.")
    ] = None,
    total: Annotated[int | None, typer.Option(metavar="N", min=0, help="For checking the sum.")] = None,
    calendar: CalendarOption = "civil",
    correct: CorrectOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare the persons of an agency by class, as of the period's last day."""
    counts = {"can_bo": can_bo, "cong_chuc": cong_chuc, "vien_chuc": vien_chuc, "khac": khac}
    content = {**counts, "long_leave": long_leave, "total": total}
    asked = _Asked(agency, period, calendar, correct, reason)
    _declare(config, "headcount", asked, content, as_json=as_json)


@declare.command("documents")
def declare_documents(
    agency: AgencyOption,
    period: PeriodOption,
    sent_dm_only: Annotated[int, typer.Option(metavar="N", min=0, help="By document management, not mail.")],
    sent_paper_only: Annotated[int, typer.Option(metavar="N", min=0, help="On paper alone.")],
    sent_parallel: Annotated[int, typer.Option(metavar="N", min=0, help="Electronic and also on paper.")],
    received_dm_only: Number,
    received_paper_only: Number,
    received_parallel: Number,
    calendar: CalendarOption = "civil",
    correct: CorrectOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare the documents of a period that mail does not show."""
    content = {
        "sent_dm_only": sent_dm_only,
        "sent_paper_only": sent_paper_only,
        "sent_parallel": sent_parallel,
        "received_dm_only": received_dm_only,
        "received_paper_only": received_paper_only,
        "received_parallel": received_parallel,
    }
    asked = _Asked(agency, period, calendar, correct, reason)
    _declare(config, "documents", asked, content, as_json=as_json)


@declare.command("register")
def declare_register(
    agency: AgencyOption,
    period: PeriodOption,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="CSV with document_class, symbol, issued_on, title, exempt, queue_id; - is standard input.",
            show_default=False,
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No meeting document was issued.")] = False,
    calendar: CalendarOption = "civil",
    correct: CorrectOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare the issue register of meeting documents."""
    if none is (file is not None):
        common.usage_error("name a FILE with the register's lines, or say --none where none was issued")
    asked = _Asked(agency, period, calendar, correct, reason)
    if file is None:
        _declare(config, "register", asked, {"entries": 0}, as_json=as_json)
    else:
        _declare_lines(config, asked, file, as_json=as_json)


@declare.command("indicator")
def declare_indicator(
    obligation: Annotated[
        str, typer.Argument(metavar="ID", help="The obligation's id, such as bd.fibre-wan.")
    ],
    period: PeriodOption,
    agency: Annotated[str | None, typer.Option("--agency", metavar="CODE", help="Who declares.")] = None,
    province: Annotated[bool, typer.Option("--province", help="The province as a whole.")] = False,
    numerator: OptionalNumber = None,
    denominator: OptionalNumber = None,
    count: OptionalNumber = None,
    calendar: CalendarOption = "civil",
    correct: CorrectOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare an indicator that the service cannot measure: numerator and denominator, or a count."""
    if province is bool(agency):
        common.usage_error("say who declares: --agency CODE, or --province for the province as a whole")
    content = {"numerator": numerator, "denominator": denominator, "count": count}
    asked = _Asked(agency or "", period, calendar, correct, reason)
    _declare(config, "indicator", asked, content, subject=obligation, as_json=as_json)


@declare.command("list")
def declare_list(
    kind: WantedKind = None,
    agency: Annotated[str | None, typer.Option("--agency", metavar="CODE", help="One agency alone.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="ID", help="One indicator alone.")] = None,
    period: Annotated[str | None, typer.Option(metavar="P", help="Only what lies inside.")] = None,
    calendar: CalendarOption = "civil",
    form: Annotated[str, typer.Option("--format", help="text or csv, which `import` reads.")] = "text",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is declared now, the newest first."""
    if form not in ("text", "csv") or (as_json and form == "csv"):
        common.usage_error("--format is text or csv, and --json stands alone")

    async def work(ctx: AdminContext, actor: Actor) -> list[DeclarationView]:
        from mailgov.admin import declarations
        from mailgov.admin.declaring import days_of
        from mailgov.store.declarations import Filter

        days = None if period is None else days_of(ctx, period, calendar)
        since, until = (days.start, days.end) if days else (None, None)
        wanted = Filter(kind, subject, agency, since, until)
        found: list[DeclarationView] = []
        last: int | None = None
        while page := await declarations.list_declarations(ctx, actor, wanted, before=last, limit=PAGE):
            found += page
            last = page[-1].id
        return await declarations.list_registers(ctx, actor, found) if form == "csv" else found

    found = common.act(config, work)
    if form == "csv":
        from mailgov.admin.declared_files import write_file

        sys.stdout.write(write_file(found))
    elif as_json:
        common.print_json([shown.plain(one) for one in found])
    else:
        shown.print_list(found)


@declare.command("history")
def declare_history(
    declaration: IdArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show every revision of a declaration, the first one first."""
    from mailgov.admin import declarations

    settings = common.read_settings(config)
    found = common.act_with(settings, lambda ctx, actor: declarations.show_history(ctx, actor, declaration))
    if as_json:
        common.print_json([shown.plain(one) for one in found])
        return
    shown.print_history(found, settings.province.timezone)


@declare.command("import")
def declare_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, UTF-8; - is standard input.")],
    kind: WantedKind = None,
    period: Annotated[str | None, typer.Option(metavar="P", help="For rows that name none.")] = None,
    calendar: Annotated[str | None, typer.Option(help="For rows that name none.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be declared; keep nothing.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare what a file says: all of it, or nothing. See docs/declarations.md for its columns."""
    from mailgov.admin import declared_files

    data = _read(file)
    given = {"kind": kind, "period": period, "calendar": calendar}
    result = common.act(
        config,
        lambda ctx, actor: declared_files.import_file(ctx, actor, data, given, dry_run=dry_run),
    )
    shown.report(file, result, dry_run=dry_run, as_json=as_json)


def _declare(
    config: Path | None,
    kind: str,
    asked: _Asked,
    content: Mapping[str, int | None],
    *,
    subject: str = "",
    as_json: bool,
) -> None:
    async def work(ctx: AdminContext, actor: Actor) -> Placed:
        from mailgov.admin import declarations
        from mailgov.admin.declaring import NewDeclaration, days_of

        new = NewDeclaration(
            kind=kind,
            agency=asked.agency,
            days=days_of(ctx, asked.period, asked.calendar),
            content=content,
            subject=subject,
            correct=asked.correct,
            reason=asked.reason,
        )
        return await declarations.declare(ctx, actor, new)

    placed = common.act(config, work)
    if as_json:
        common.print_json(shown.plain(placed.made))
    else:
        common.say(shown.line(placed))


def _declare_lines(config: Path | None, asked: _Asked, file: Path, *, as_json: bool) -> None:
    """A register out of a file that has its lines alone."""
    from mailgov.admin import declared_files

    data = _read(file)
    given = {
        "kind": "register",
        "agency": asked.agency,
        "period": asked.period,
        "calendar": asked.calendar,
        "correct": "x" if asked.correct else None,
        "reason": asked.reason,
    }
    result = common.act(
        config,
        lambda ctx, actor: declared_files.import_file(
            ctx, actor, data, given, columns=declared_files.LINE_COLUMNS
        ),
    )
    shown.report(file, result, dry_run=False, as_json=as_json)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
