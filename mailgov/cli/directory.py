"""`mailgov domain …` and `mailgov agency …`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import CodeArgument, ConfigOption, DayOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.agencies import Merger
    from mailgov.admin.agency_changes import SpanChanges

domain = typer.Typer(help="Mail domains.", rich_markup_mode=None)
agency = typer.Typer(help="Agencies, dated: the past is never rewritten.", rich_markup_mode=None)

DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(domain, name="domain")
    app.add_typer(agency, name="agency")


@domain.command("add")
def domain_add(
    name: DomainArgument,
    postmaster: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The account that postmaster@ and abuse@ lead to. One of the new domain is made with it.",
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a domain with its postmaster@ and abuse@."""
    from mailgov.admin import domains

    made = common.act(config, lambda ctx, actor: domains.add_domain(ctx, actor, name, postmaster=postmaster))
    if as_json:
        domain_show(made.name, config, as_json=True)
    else:
        common.say(f"added {made.name}")
        common.say(
            f"warning: {made.name} has no DKIM key yet, so what leaves it is not signed;"
            f" make one: mailgov dkim generate {made.name}"
        )


@domain.command("list")
def domain_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all domains."""
    from mailgov.admin import domains

    found = common.act(config, domains.list_domains)
    if as_json:
        bodies.print_domains(common.read_settings(config), found)
        return
    rows = [(one.name, "in use" if one.disabled_ms is None else "disabled") for one in found]
    common.print_table(("domain", "state"), rows)


@domain.command("show")
def domain_show(name: DomainArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one domain."""
    from mailgov.admin import domains

    found = common.act(config, lambda ctx, actor: domains.show_domain(ctx, actor, name))
    if as_json:
        bodies.print_domain(common.read_settings(config), found)
        return
    common.print_fields(
        {
            "domain": found.domain.name,
            "state": "in use" if found.domain.disabled_ms is None else "disabled",
            "accounts": found.accounts,
            "aliases": found.aliases,
            "DKIM keys": [f"{key.selector} ({key.algorithm}, {key.state})" for key in found.keys],
        }
    )


@domain.command("disable")
def domain_disable(name: DomainArgument, config: ConfigOption = None) -> None:
    """Take a domain out of use; its accounts and records stay."""
    from mailgov.admin import domains

    common.act(config, lambda ctx, actor: domains.disable_domain(ctx, actor, name))
    common.say(f"disabled {name}")


@domain.command("enable")
def domain_enable(name: DomainArgument, config: ConfigOption = None) -> None:
    """Take a disabled domain into use again."""
    from mailgov.admin import domains

    common.act(config, lambda ctx, actor: domains.enable_domain(ctx, actor, name))
    common.say(f"enabled {name}")


@agency.command("add")
def agency_add(
    code: CodeArgument,
    name: Annotated[str, typer.Option(help="Its full name.")],
    level: Annotated[str, typer.Option(help="province, district or commune.")] = "province",
    abbreviation: Annotated[str | None, typer.Option(help="As in the symbols of its documents.")] = None,
    parent: Annotated[str | None, typer.Option(metavar="CODE", help="The agency above it.")] = None,
    mailbox: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Its published address.")] = None,
    sector_mail: Annotated[bool, typer.Option(help="It has its own sector's mail system.")] = False,
    since: Annotated[
        datetime.date | None,
        typer.Option("--from", parser=common.parse_day, metavar="DAY", help="Its first day."),
    ] = None,
    until: common.UntilOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an agency."""
    from mailgov.admin import agencies
    from mailgov.store.agencies import AgencySpan

    span = AgencySpan(code, name, level, abbreviation, parent, mailbox, sector_mail, since, until)
    made = common.act(config, lambda ctx, actor: agencies.add_agency(ctx, actor, span))
    if as_json:
        agency_show(made.code, config, as_json=True)
    else:
        common.say(f"added {made.code}: {made.name}")


@agency.command("list")
def agency_list(
    everything: Annotated[bool, typer.Option("--all", help="Also those of the past and the future.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the agencies of today."""
    from mailgov.admin import agencies

    found = common.act(
        config,
        lambda ctx, actor: agencies.list_agencies(ctx, actor, day=None if everything else ctx.today()),
    )
    if as_json:
        bodies.print_spans(found)
        return
    rows = [
        (one.code, one.name, one.abbreviation, one.level, one.valid_from, one.valid_until) for one in found
    ]
    common.print_table(("code", "name", "abbr.", "level", "from", "until"), rows)


@agency.command("show")
def agency_show(code: CodeArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one agency's whole life."""
    from mailgov.admin import agencies

    found = common.act(config, lambda ctx, actor: agencies.show_agency(ctx, actor, code))
    if as_json:
        bodies.print_agency(found)
        return
    rows = [
        (one.name, one.abbreviation, one.level, one.parent_code, one.mailbox, one.valid_from, one.valid_until)
        for one in found.spans
    ]
    common.print_table(("name", "abbr.", "level", "above", "mailbox", "from", "until"), rows)
    for succession in found.successions:
        common.say(f"{succession.on_date}: {succession.to_code} took over from {succession.from_code}")
    for address in found.registered:
        common.say(f"registered: {address}")


@agency.command("rename")
def agency_rename(
    code: CodeArgument,
    name: Annotated[str, typer.Option(help="The new name.")],
    abbreviation: Annotated[str | None, typer.Option(help="The new abbreviation.")] = None,
    mailbox: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The new published address.")] = None,
    on: DayOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an agency another name from a day on."""
    from mailgov.admin import agency_changes

    made = common.act(
        config,
        lambda ctx, actor: agency_changes.rename_agency(
            ctx, actor, code, on=on or ctx.today(), name=name, abbreviation=abbreviation, mailbox=mailbox
        ),
    )
    if as_json:
        agency_show(made.code, config, as_json=True)
    else:
        common.say(f"{made.code} is called {made.name} from {made.valid_from}")


@agency.command("change")
def agency_change(
    code: CodeArgument,
    name: Annotated[str | None, typer.Option(help="Its full name.")] = None,
    level: Annotated[str | None, typer.Option(help="province, district or commune.")] = None,
    abbreviation: Annotated[
        str | None, typer.Option(help="As in the symbols of its documents. '': none.")
    ] = None,
    parent: Annotated[str | None, typer.Option(metavar="CODE", help="The agency above it. '': none.")] = None,
    mailbox: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Its published address. '': none.")
    ] = None,
    sector_mail: Annotated[
        bool | None,
        typer.Option(
            "--sector-mail/--no-sector-mail", help="It has its own sector's mail system.", show_default=False
        ),
    ] = None,
    on: Annotated[
        datetime.date | None,
        typer.Option(
            "--from",
            "--on",
            parser=common.parse_day,
            metavar="DAY",
            help="The first day.",
            show_default="today",
        ),
    ] = None,
    correct: Annotated[
        bool,
        typer.Option("--correct", help="It was written down wrongly: change the whole span that holds DAY."),
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Needed to correct.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what an agency is from a day on; what is not given stays as it was."""
    from mailgov.admin import agency_changes

    erasable = {"abbreviation": abbreviation, "parent_code": parent, "mailbox": mailbox}
    named: dict[str, object] = {"name": name, "level": level, "own_sector_mail": sector_mail}
    changes = {key: value for key, value in named.items() if value is not None}
    changes |= {key: text or None for key, text in erasable.items() if text is not None}
    work = agency_changes.correct_agency if correct else agency_changes.change_agency
    made = common.act(
        config,
        lambda ctx, actor: work(
            ctx, actor, code, cast("SpanChanges", changes), on=on or ctx.today(), reason=reason
        ),
    )
    if as_json:
        agency_show(made.code, config, as_json=True)
    else:
        since = f" from {made.valid_from} on" if made.valid_from else ""
        until = f" until {made.valid_until}" if made.valid_until else ""
        common.say(f"changed {made.code}{since}{until}")


@agency.command("close")
def agency_close(
    code: CodeArgument,
    on: DayOption = None,
    reason: Annotated[
        str | None, typer.Option(help="Needed where accounts serve there or agencies stand below it.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an agency that nobody takes over; DAY is the first day without it."""
    from mailgov.admin import agencies

    result = common.act(
        config,
        lambda ctx, actor: agencies.close_agency(ctx, actor, code, on=on or ctx.today(), reason=reason),
    )
    _print_merger(config, code, f"closed {code}", result, as_json)


@agency.command("merge")
def agency_merge(
    code: CodeArgument,
    into: Annotated[list[str], typer.Option(metavar="CODE", help="Who takes over; may be given again.")],
    on: DayOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an agency that others take over; DAY is the first day of the successors."""
    from mailgov.admin import agencies

    result = common.act(
        config, lambda ctx, actor: agencies.merge_agencies(ctx, actor, code, into=into, on=on or ctx.today())
    )
    _print_merger(config, code, f"merged {code} into {', '.join(into)}", result, as_json)


def _print_merger(config: Path | None, code: str, done: str, result: Merger, as_json: bool) -> None:
    if as_json:
        from mailgov.admin import agencies

        found = common.act(config, lambda ctx, actor: agencies.show_agency(ctx, actor, code))
        bodies.print_merger(found, result)
        return
    common.say(f"{done}; accounts moved: {len(result.moved)}, left to place: {len(result.left)}")
    for address in result.left:
        common.say(f"  mailgov account move {address} --agency …")
    for child in result.below:
        common.say(f"  mailgov agency change {child} --parent …")


@agency.command("register")
def agency_register(
    code: CodeArgument,
    outside: Annotated[str, typer.Argument(metavar="ADDRESS", help="An address outside the province.")],
    config: ConfigOption = None,
) -> None:
    """Note an outside address that an agency calls its own."""
    from mailgov.admin import registered

    common.act(config, lambda ctx, actor: registered.register_address(ctx, actor, outside, agency=code))
    common.say(f"registered {outside} for {code}")


@agency.command("unregister")
def agency_unregister(
    code: CodeArgument,
    outside: Annotated[str, typer.Argument(metavar="ADDRESS")],
    config: ConfigOption = None,
) -> None:
    """Forget a registered address of an agency."""
    from mailgov.admin import registered

    common.act(config, lambda ctx, actor: registered.unregister_address(ctx, actor, outside, agency=code))
    common.say(f"forgot {outside} of {code}")
