"""`mailgov exemption …`: who is outside an obligation, since when, and why."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, DayOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.store.exemptions import ExemptionView

exemption = typer.Typer(help="Exemptions from obligations, dated.", rich_markup_mode=None)

PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(exemption, name="exemption")


@exemption.command("add")
def exemption_add(
    obligation: Annotated[
        str, typer.Argument(metavar="OBLIGATION", help="Its id, such as cb.official-mailboxes.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; goes into the record.")],
    agency: Annotated[str | None, typer.Option("--agency", metavar="CODE", help="Who is exempt.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="All agencies are.")] = False,
    since: Annotated[
        datetime.date | None,
        typer.Option(
            "--from", parser=common.parse_day, metavar="DAY", help="The first day.", show_default="always"
        ),
    ] = None,
    until: common.UntilOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exempt an agency from an obligation whose document allows it."""
    if everyone is (agency is not None):
        common.usage_error("name an --agency, or say --everyone")
    from mailgov.admin import exemptions

    made = common.act(
        config,
        lambda ctx, actor: exemptions.add_exemption(
            ctx, actor, obligation, agency=agency, valid_from=since, valid_until=until, reason=reason
        ),
    )
    if as_json:
        common.print_json(_plain(made))
    else:
        common.say(f"{made.id} added: {_who(made)} is outside {made.obligation}, {_days(made)}")


@exemption.command("list")
def exemption_list(
    obligation: Annotated[str | None, typer.Option(metavar="ID", help="One obligation alone.")] = None,
    agency: Annotated[
        str | None, typer.Option("--agency", metavar="CODE", help="What holds for one agency.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List exemptions, past ones too."""

    async def work(ctx: AdminContext, actor: Actor) -> list[ExemptionView]:
        from mailgov.admin import exemptions

        found: list[ExemptionView] = []
        after = 0
        while page := await exemptions.list_exemptions(
            ctx, actor, obligation=obligation, agency=agency, after=after, limit=PAGE
        ):
            found += page
            after = page[-1].id
        return found

    found = common.act(config, work)
    if as_json:
        common.print_json([_plain(one) for one in found])
        return
    rows = [(one.id, one.obligation, _who(one), one.valid_from, one.valid_until, one.reason) for one in found]
    common.print_table(("id", "obligation", "who", "from", "until", "reason"), rows)


@exemption.command("end")
def exemption_end(
    number: Annotated[int, typer.Argument(metavar="ID", help="The exemption's number, as `list` shows it.")],
    on: DayOption = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Goes into the record.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an exemption; DAY is the first day without it. On its own first day it never held."""
    from mailgov.admin import exemptions

    ended = common.act(
        config, lambda ctx, actor: exemptions.end_exemption(ctx, actor, number, on=on, reason=reason)
    )
    if as_json:
        common.print_json(_plain(ended))
    else:
        common.say(f"{ended.id} ended: {_who(ended)} is outside {ended.obligation}, {_days(ended)}")


def _who(one: ExemptionView) -> str:
    return one.agency or "everyone"


def _days(one: ExemptionView) -> str:
    return f"from {one.valid_from or '…'} until {one.valid_until or '…'}"


def _plain(one: ExemptionView) -> dict[str, object]:
    """As JSON; `agency` null is everyone."""
    return {**common.plain(one), "agency": one.agency or None}
