"""`mailgov dns …` and `mailgov token …`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import ConfigOption, JsonOption
from mailgov.identity.roles import Role

dns = typer.Typer(help="The records to publish.", rich_markup_mode=None)
token = typer.Typer(help="Bearer tokens for programs.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(dns, name="dns")
    app.add_typer(token, name="token")


@dns.command("print")
def dns_print(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the records that a domain needs, as lines of a zone file."""
    from mailgov.admin import dns_records

    found = common.act(config, lambda ctx, actor: dns_records.list_records(ctx, actor, domain))
    if as_json:
        common.print_json(found)
        return
    for record in found:
        common.say(f"; {record.why}")
        common.say(record.line())
    if not any(record.type == "CNAME" for record in found):
        common.say("; [http] public_url has no name that mail programs could ask for their settings under")


@dns.command("check")
def dns_check(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the DNS for each record that a domain needs; exit 1 where one is missing."""
    from mailgov.admin import dns_records

    found = common.act(config, lambda ctx, actor: dns_records.list_published(ctx, actor, domain))
    if as_json:
        bodies.print_seen(({"name": one.record.name, "type": one.record.type}, one) for one in found)
    else:
        rows = [
            (one.record.name, one.record.type, one.standing, one.detail or one.record.why) for one in found
        ]
        common.print_table(("name", "type", "in the DNS", "detail"), rows)
    if any(one.fault for one in found):
        raise typer.Exit(1)


@token.command("create")
def token_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    agency: Annotated[str | None, typer.Option(metavar="CODE", help="For an agency's own roles.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Days until it expires.", show_default="never expires")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once."""
    from mailgov.admin import tokens

    made = common.act(
        config,
        lambda ctx, actor: tokens.create_token(ctx, actor, name, role=role, agency=agency, days=days),
    )
    if as_json:
        (body,) = bodies.tokens(common.read_settings(config), [made.token])
        common.print_json({**body, "token": made.text})
        return
    common.say(f"made token {made.token.id} ({made.token.name}, {made.token.role})")
    common.say(f"token (shown this once): {made.text}")


@token.command("list")
def token_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all tokens, without their texts."""
    from mailgov.admin import tokens

    settings = common.read_settings(config)
    zone = settings.province.timezone
    found = common.act_with(settings, tokens.list_tokens)
    if as_json:
        common.print_json(bodies.tokens(settings, found))
        return
    rows = [
        (
            one.id,
            one.name,
            one.role,
            one.agency_code,
            common.local_time(one.expires_ms, zone),
            common.local_time(one.last_used_ms, zone),
            "revoked" if one.revoked_ms is not None else "",
        )
        for one in found
    ]
    common.print_table(("id", "name", "role", "agency", "expires", "last used", "state"), rows)


@token.command("revoke")
def token_revoke(
    token_id: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
) -> None:
    """End a token for good."""
    from mailgov.admin import tokens

    common.act(config, lambda ctx, actor: tokens.revoke_token(ctx, actor, token_id))
    common.say(f"revoked token {token_id}")
