"""`mailgov class …`: what a message is taken for, corrected by a clerk and checked by a sample."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.classes import ClassView
    from mailgov.store.classes import SampleView

classes = typer.Typer(help="What messages count as.", rich_markup_mode=None)

NOTHING = "none"
"""Typed for what is no document."""


def parse_month(text: str) -> datetime.date:
    """`2026-11` or `11/2026`, as its first day."""
    for form in ("%Y-%m", "%m/%Y"):
        try:
            return datetime.datetime.strptime(text, form).date()  # noqa: DTZ007 - a month has no zone
        except ValueError:
            pass
    raise typer.BadParameter(f"{text!r} is not a month: write 2026-11")


QueueId = Annotated[str, typer.Argument(metavar="ID", help="The queue id that 250 carried.")]
ClassOption = Annotated[
    str, typer.Option("--class", metavar="CODE", help=f"GM, TB, CV, …; {NOTHING}: no document.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(classes, name="class")


@classes.command("correct")
def class_correct(
    queue_id: QueueId,
    document_class: ClassOption,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays with the message.")],
    symbol: Annotated[
        str | None,
        typer.Option(metavar="SYMBOL", help="Its own, such as 12/GM-UBND.", show_default="as it is"),
    ] = None,
    no_symbol: Annotated[bool, typer.Option("--no-symbol", help="It has none.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a message count as another class of document."""
    if no_symbol and symbol is not None:
        common.usage_error("name a --symbol, or say --no-symbol")
    from mailgov.admin import classes as acts

    named = None if no_symbol else symbol or acts.KEEP
    settings = common.read_settings(config)
    view = common.act_with(
        settings,
        lambda ctx, actor: acts.correct_class(
            ctx, actor, queue_id, _code(document_class), reason=reason, symbol=named
        ),
    )
    if as_json:
        common.print_json(view)
        return
    common.say(f"{view.now.queue_id} counts as {_named(view.now.document_class, view.now.symbol)}")


@classes.command("history")
def class_history(queue_id: QueueId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what a message counts as, and who corrected it when and why."""
    from mailgov.admin import classes as acts

    settings = common.read_settings(config)
    view = common.act_with(settings, lambda ctx, actor: acts.show_class(ctx, actor, queue_id))
    if as_json:
        common.print_json(view)
        return
    _print_class(view, settings.province.timezone)


@classes.command("sample")
def class_sample(
    month: Annotated[datetime.date, typer.Argument(parser=parse_month, metavar="MONTH", help="2026-11.")],
    draw: Annotated[bool, typer.Option("--draw", help="Draw it; a month has one sample.")] = False,
    size: Annotated[
        int | None, typer.Option(metavar="N", help="How many to draw.", show_default="100")
    ] = None,
    agency: Annotated[str | None, typer.Option(metavar="CODE", help="One agency's messages.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a month's random sample, for people to confirm."""
    if size is not None and not draw:
        common.usage_error("--size goes with --draw")
    if agency is not None and draw:
        common.usage_error("a sample is drawn of the whole province: leave --agency out")
    from mailgov.admin import classes as acts

    wanted = acts.SAMPLE_SIZE if size is None else size
    settings = common.read_settings(config)
    if draw:
        found = common.act_with(settings, lambda ctx, actor: acts.draw_sample(ctx, actor, month, size=wanted))
    else:
        found = common.act_with(
            settings, lambda ctx, actor: acts.list_sample(ctx, actor, month, agency=agency)
        )
    if as_json:
        common.print_json(found)
        return
    _print_sample(found, settings.province.timezone)


@classes.command("confirm")
def class_confirm(
    queue_id: QueueId, document_class: ClassOption, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Say what a sampled message is; where it counts as something else, that is corrected."""
    from mailgov.admin import classes as acts

    done = common.act(
        config, lambda ctx, actor: acts.confirm_class(ctx, actor, queue_id, _code(document_class))
    )
    if as_json:
        common.print_json(done)
        return
    same = "as by rule" if done.confirmed_class == done.rule_class else f"by rule {_class(done.rule_class)}"
    common.say(f"{done.queue_id} confirmed as {_class(done.confirmed_class)} ({same})")


def _code(text: str) -> str | None:
    return None if text.lower() == NOTHING else text


def _class(code: str | None) -> str:
    return code or "no document"


def _named(code: str | None, symbol: str | None) -> str:
    return f"{_class(code)} {symbol}" if code and symbol else _class(code)


def _print_class(view: ClassView, zone: str) -> None:
    now = view.now
    common.print_fields(
        {
            "queue id": now.queue_id,
            "time": common.local_time(now.at_ms, zone),
            "issuer": now.issuer,
            "subject": now.subject,
            "counts as": _named(now.document_class, now.symbol),
            "by rule": _class(now.rule_class),
            "document": now.document_key,
        }
    )
    if view.changes:
        common.say("")
    rows = [
        (
            common.local_time(one.at_ms, zone),
            one.actor,
            _named(one.class_before, one.symbol_before),
            _named(one.class_after, one.symbol_after),
            one.reason,
        )
        for one in view.changes
    ]
    if rows:
        common.print_table(("when", "who", "from", "to", "why"), rows)


def _print_sample(found: list[SampleView], zone: str) -> None:
    rows = [
        (
            one.queue_id,
            one.agency_code,
            _class(one.rule_class),
            "-" if one.confirmed_ms is None else _class(one.confirmed_class),
            common.local_time(one.confirmed_ms, zone),
            one.subject,
        )
        for one in found
    ]
    common.print_table(("queue id", "agency", "by rule", "confirmed", "when", "subject"), rows)
