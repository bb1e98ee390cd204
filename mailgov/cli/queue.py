"""`mailgov queue …`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption
from mailgov.cli.trace import print_message

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.store.commands import CommandView
    from mailgov.store.traffic import QueueEntry

queue = typer.Typer(help="Messages on their way.", rich_markup_mode=None)

PAGE = 1000
QueueId = Annotated[str, typer.Argument(metavar="ID", help="The queue id that 250 carried.")]
PositionOption = Annotated[
    int | None,
    typer.Option("--recipient", metavar="N", help="One recipient by its number.", show_default="all"),
]
ReasonOption = Annotated[str | None, typer.Option(help="Goes into the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(queue, name="queue")


@queue.command("list")
def queue_list(
    state: Annotated[str | None, typer.Option(help="queued, deferred or held.", show_default="all")] = None,
    agency: Annotated[str | None, typer.Option(metavar="CODE", help="Of the sending account.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List recipients that wait, the oldest first."""

    async def work(ctx: AdminContext, actor: Actor) -> list[QueueEntry]:
        from mailgov.admin import queue as acts

        found: list[QueueEntry] = []
        after = 0
        while page := await acts.list_queue(ctx, actor, state=state, agency=agency, after=after, limit=PAGE):
            found += page
            after = page[-1].id
        return found

    settings = common.read_settings(config)
    found = common.act_with(settings, work)
    if as_json:
        common.print_json(found)
        return
    zone = settings.province.timezone
    rows = [
        (
            one.queue_id,
            common.local_time(one.at_ms, zone),
            one.reverse_path,
            one.position,
            one.address,
            one.state,
            one.attempts,
            one.last_reply,
        )
        for one in found
    ]
    common.print_table(
        ("queue id", "accepted", "reverse-path", "no.", "recipient", "state", "tries", "last reply"), rows
    )


@queue.command("show")
def queue_show(queue_id: QueueId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one message of which something waits."""
    from mailgov.admin import queue as acts

    settings = common.read_settings(config)
    message = common.act_with(settings, lambda ctx, actor: acts.show_queued(ctx, actor, queue_id))
    print_message(message, settings.province.timezone, as_json)


@queue.command("hold")
def queue_hold(
    queue_id: QueueId,
    recipient: PositionOption = None,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a message from leaving."""
    from mailgov.admin import queue as acts

    _act(
        config,
        as_json,
        lambda ctx, actor: acts.hold(ctx, actor, queue_id, position=recipient, reason=reason),
    )


@queue.command("release")
def queue_release(
    queue_id: QueueId,
    recipient: PositionOption = None,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a held message go on."""
    from mailgov.admin import queue as acts

    _act(
        config,
        as_json,
        lambda ctx, actor: acts.release(ctx, actor, queue_id, position=recipient, reason=reason),
    )


@queue.command("retry")
def queue_retry(
    queue_id: QueueId,
    recipient: PositionOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a deferred message now."""
    from mailgov.admin import queue as acts

    _act(config, as_json, lambda ctx, actor: acts.retry(ctx, actor, queue_id, position=recipient))


@queue.command("drop")
def queue_drop(
    queue_id: QueueId,
    reason: Annotated[str, typer.Option(help="Goes into the record.")],
    recipient: PositionOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a message up for good."""
    from mailgov.admin import queue as acts

    _act(
        config,
        as_json,
        lambda ctx, actor: acts.drop(ctx, actor, queue_id, position=recipient, reason=reason),
    )


def _act(
    config: Path | None, as_json: bool, work: Callable[[AdminContext, Actor], Awaitable[CommandView]]
) -> None:
    done = common.act(config, work)
    if as_json:
        common.print_json(done)
    else:
        common.say(f"{done.act} {done.queue_id}: {done.result_text or done.result}")
