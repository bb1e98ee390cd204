"""`mailgov usage`, `mailgov targets` and `mailgov audit …`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailgov.settings import Settings
    from mailgov.store.audit import Problem

audit = typer.Typer(help="Who did what.", rich_markup_mode=None)


class Form(StrEnum):
    """What a report is printed as."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


PeriodOption = Annotated[
    str | None,
    typer.Option(
        parser=common.parse_period,
        metavar="P",
        help="2026, 2026-H2, 2026-Q4, 2026-11 or FROM..TO (both days inside).",
        show_default="the last 30 days",
    ),
]
CalendarOption = Annotated[str, typer.Option(help="civil or administrative.")]
DirectiveOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Only what one document asks for, by its key.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("usage")(usage)
    app.command("targets")(targets)
    app.add_typer(audit, name="audit")


def usage(
    period: PeriodOption = None,
    calendar: CalendarOption = "civil",
    agency: Annotated[str | None, typer.Option(metavar="CODE", help="One agency alone.")] = None,
    directive: DirectiveOption = None,
    form: Annotated[Form, typer.Option("--format", help="csv is for a spreadsheet.")] = Form.TEXT,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print counts, and what the documents ask for, by agency over a period."""
    if as_json and form is Form.CSV:
        common.usage_error("--json and --format csv do not go together")
    from mailgov.admin import figures

    settings = common.read_settings(config)
    report = common.act_with(
        settings,
        lambda ctx, actor: figures.usage(
            ctx, actor, period=period, calendar=calendar, agency=agency, directive=directive
        ),
    )
    if report.indicators is not None:
        _warn_of_unknown(settings, report.indicators.directives)
    if as_json or form is Form.JSON:
        common.print_json(report.to_json())
    elif form is Form.CSV:
        common.say_exactly(report.to_csv())
    else:
        common.say(report.to_text())


def targets(
    period: Annotated[
        str | None,
        typer.Option(parser=common.parse_period, metavar="P", help="As of `usage`.", show_default="today"),
    ] = None,
    calendar: CalendarOption = "civil",
    directive: DirectiveOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what the documents ask for: each target, baseline and duty, and how it stands here."""
    from mailgov.admin import figures

    settings = common.read_settings(config)
    report = common.act_with(
        settings,
        lambda ctx, actor: figures.list_targets(
            ctx, actor, period=period, calendar=calendar, directive=directive
        ),
    )
    _warn_of_unknown(settings, report.directives)
    if as_json:
        common.print_json(report.to_json())
        return
    from mailgov.usage.indicator_text import asked

    common.print_table(
        ("indicator", "article", "kind", "status", "asked for", "what"),
        [
            (one.id, one.article, stands.kind, stands.status, asked(stands.step), one.summary_vi)
            for one, stands in report.rows()
        ],
    )


def _warn_of_unknown(settings: Settings, directives: Collection[str]) -> None:
    """A slip in the settings would make every target of a document a mere reference."""
    for setting, keys in settings.province.adopted.items():
        for key in keys:
            if key not in directives:
                common.warn(
                    f"{setting} names {key}, which no file in directives/ describes: it binds nothing"
                )


@audit.command("list")
def audit_list(
    act: Annotated[str | None, typer.Option(help="One act alone, such as sending.limit_reached.")] = None,
    target: Annotated[
        str | None, typer.Option("--object", metavar="NAME", help="What it was done to, to the letter.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000)] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the latest rows of the audit log: who did what, and what the service itself saw."""
    from mailgov.admin import audit_log

    settings = common.read_settings(config)
    found = common.act_with(
        settings, lambda ctx, actor: audit_log.list_audit(ctx, actor, limit=limit, act=act, target=target)
    )
    if as_json:
        common.print_json(found)
        return
    rows = [
        (_time(one.at_ms, settings.province.timezone), one.actor, one.act, one.object, _content(one.content))
        for one in found
    ]
    common.print_table(("time", "actor", "act", "object", "what"), rows)


def _content(content: dict[str, object] | None) -> str:
    return ", ".join(f"{name}: {common.cell(value)}" for name, value in (content or {}).items())


@audit.command("verify")
def audit_verify(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read every audit chain and say whether it holds."""
    from mailgov.admin import figures

    settings = common.read_settings(config)
    report = common.act_with(settings, figures.verify_audit)
    if as_json:
        common.print_json(report)
    else:
        for problem in report.problems:
            common.say(_line(problem, settings.province.timezone))
        if report.erased:
            gone = common.count(report.erased, "row")
            common.say(f"the content of {gone} was erased and can no longer be checked")
    if report.problems:
        raise common.Refused(f"the audit log does not hold: {common.count(len(report.problems), 'problem')}")
    if not as_json:
        common.say(f"ok: {common.count(report.rows, 'row')} in {common.count(report.chains, 'chain')}")


def _line(found: Problem, timezone: str) -> str:
    """Where and what; the row's own fields may have been forged, so they are cleaned."""
    if found.writer is None:
        return found.problem
    place = f"{found.writer} {found.sequence} ({found.act}, {_time(found.at_ms, timezone)})"
    return f"{common.cell(place)}: {found.problem}"


def _time(at_ms: int | None, timezone: str) -> str:
    try:
        return common.local_time(at_ms, timezone) or "-"
    except (ValueError, OverflowError, OSError):  # a forged one may be no time at all
        return f"{at_ms} ms"
