"""`mailgov dkim …`: keys that sign what leaves, and their place in the DNS."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.settings import Settings
    from mailgov.store.dkim_keys import DkimKeyView

dkim = typer.Typer(help="Keys that sign what leaves.", rich_markup_mode=None)

DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]
SelectorArgument = Annotated[str, typer.Argument(metavar="SELECTOR")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(dkim, name="dkim")


@dkim.command("generate")
def dkim_generate(
    domain: DomainArgument,
    algorithm: Annotated[str, typer.Option(help="rsa (2048 bits) or ed25519.")] = "rsa",
    selector: Annotated[
        str | None, typer.Option(help="Default: made of algorithm and month.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. A domain's first one signs at once; later ones wait until they are seen in the DNS."""
    from mailgov.admin import keys

    made = common.act(
        config,
        lambda ctx, actor: keys.generate_key(ctx, actor, domain, algorithm=algorithm, selector=selector),
    )
    if as_json:
        common.print_json(bodies.keys(common.read_settings(config), [made])[0])
        return
    _say_made([made])


@dkim.command("list")
def dkim_list(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys of a domain, or of all: what each does, what the DNS said last, what is to be done."""
    from mailgov.admin import keys, rotation

    settings = common.read_settings(config)
    found = common.act_with(settings, lambda ctx, actor: keys.list_keys(ctx, actor, domain))
    if as_json:
        common.print_json(bodies.keys(settings, found))
        return
    now_ms = time.time_ns() // 1_000_000
    rows = [
        (
            key.domain, key.selector, key.algorithm, _state(key, settings), key.standing or "not asked yet",
            rotation.advice(key, now_ms), key.key_file,
        )
        for key in found
    ]  # fmt: skip
    common.print_table(
        ("domain", "selector", "algorithm", "state", "in the DNS", "to do", "private key"), rows
    )


@dkim.command("check")
def dkim_check(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the DNS for each key now; exit 1 where one is not there as it must be."""
    from mailgov.admin import rotation

    found = common.act(config, lambda ctx, actor: rotation.look(ctx, actor, domain))
    if as_json:
        bodies.print_seen(
            ({"domain": one.key.domain, "selector": one.key.selector, "state": one.key.state}, one.found)
            for one in found
        )
    else:
        for one in found:
            detail = f": {one.found.detail}" if one.found.detail else ""
            common.say(common.cell(f"{one.key.record_name} ({one.key.state}): {one.found.standing}{detail}"))
    if not all(one.wanted for one in found):
        raise typer.Exit(1)


@dkim.command("rotate")
def dkim_rotate(
    domain: DomainArgument,
    algorithm: Annotated[
        str | None, typer.Option(help="Of this one alone: rsa or ed25519.", show_default="all that sign")
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Begin with what waits although the DNS does not show it.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make new keys to publish, or, where some wait, begin with those that the DNS has.

    The service does the second by itself; exit 1 where a key is still missing in the DNS.
    """
    from mailgov.admin import rotation

    settings = common.read_settings(config)
    done = common.act_with(
        settings,
        lambda ctx, actor: rotation.rotate(ctx, actor, domain, algorithm=algorithm, unchecked=unchecked),
    )
    if as_json:
        waiting = bodies.keys(settings, [one.key for one in done.waiting])
        for body, one in zip(waiting, done.waiting, strict=True):
            body |= {"standing": one.found.standing, "standing_detail": one.found.detail}
        made, begun = bodies.keys(settings, done.made), bodies.keys(settings, done.begun)
        common.print_json({"made": made, "begun": begun, "waiting": waiting})
    else:
        _say_made(done.made)
        for key in done.begun:
            common.say(f"{key.record_name} ({key.algorithm}) signs now; running workers follow within 2 s")
        if done.begun:
            common.say("; leave the records of the keys before in the DNS: mailgov dkim list says until when")
        for one in done.waiting:
            common.warn(f"{one.key.record_name} waits: {one.found.standing}: {one.found.detail}")
    if done.waiting:
        raise typer.Exit(1)


@dkim.command("retire")
def dkim_retire(
    domain: DomainArgument,
    selector: SelectorArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign with a key no more; one that waits, or whose last mail has arrived, is done with."""
    from mailgov.admin import rotation

    settings = common.read_settings(config)
    key = common.act_with(settings, lambda ctx, actor: rotation.retire_key(ctx, actor, domain, selector))
    if as_json:
        common.print_json(bodies.keys(settings, [key])[0])
        return
    common.say(f"{key.record_name} is {_state(key, settings)}")


def _say_made(made: Iterable[DkimKeyView]) -> None:
    from mailgov.ops.dns import text_value

    for key in made:
        common.say(f"made {key.record_name} ({key.algorithm}, {key.state}); publish:")
        if key.state == "pending":
            common.say("; it signs nothing until it is seen in the DNS: the keys that sign go on")
        common.say(f"{key.record_name}. IN TXT {text_value(key.record)}")


def _state(key: DkimKeyView, settings: Settings) -> str:
    if key.state != "retired":
        return key.state
    return f"retired, published until {common.local_time(key.withdraw_ms, settings.province.timezone)}"
