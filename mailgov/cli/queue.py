"""`mailgov queue …`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import ConfigOption, JsonOption
from mailgov.cli.options import given, grouped
from mailgov.cli.trace import print_message

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.admin.queue_many import Many
    from mailgov.store.commands import CommandView
    from mailgov.store.queue import QueueEntry

queue = typer.Typer(help="Messages on their way.", rich_markup_mode=None)

PAGE = 1000
LIMIT = 10_000
"""Recipients listed unless more are asked for: a queue may have a million."""
_AGE = re.compile(r"(\d{1,6})([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_age(text: str) -> float:
    """`90s`, `30m`, `4h` or `2d`, in seconds."""
    match = _AGE.match(text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no age: write 90s, 30m, 4h or 2d")
    return float(int(match[1]) * _SECONDS[match[2]])


QueueId = Annotated[str, typer.Argument(metavar="ID", help="The queue id that 250 carried.")]
OneId = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="The queue id; without one, options say which."),
]


@dataclass(frozen=True, slots=True)
class Which:
    """What is looked for, as `admin.queue.Search` names it; all hold together."""

    agency: Annotated[str | None, typer.Option(metavar="CODE", help="Of the sending account.")] = None
    reverse_path: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="The reverse-path or the account; <> for bounces."),
    ] = None
    recipient: Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="The recipient.")] = None
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The recipient's.")] = None
    reply: Annotated[str | None, typer.Option(metavar="TEXT", help="Stands in the last reply.")] = None
    older_than_s: Annotated[
        float | None,
        typer.Option("--older-than", parser=parse_age, metavar="AGE", help="Accepted before: 30m, 4h, 2d."),
    ] = None
    newer_than_s: Annotated[
        float | None,
        typer.Option("--newer-than", parser=parse_age, metavar="AGE", help="Accepted since: 30m, 4h, 2d."),
    ] = None


@dataclass(frozen=True, slots=True)
class InState(Which):
    """The same, of those in one state where it is named."""

    state: Annotated[str | None, typer.Option(help="queued, deferred or held.", show_default="all")] = None


@dataclass(frozen=True, slots=True)
class Listed(InState):
    """What a list is narrowed to."""

    queue_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Of this queue id.")] = None


LimitOption = Annotated[int, typer.Option(min=1, help="Recipients shown, the oldest.")]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Do it; without this you are told how many it would be.")
]
PositionOption = Annotated[
    int | None,
    typer.Option("--recipient", metavar="N", help="One recipient by its number.", show_default="all"),
]
ReasonOption = Annotated[str | None, typer.Option(help="Goes into the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(queue, name="queue")


@queue.command("list")
@grouped
def queue_list(
    *,
    which: Listed,
    limit: LimitOption = LIMIT,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List recipients that wait, the oldest first; options narrow it together."""

    async def work(ctx: AdminContext, actor: Actor) -> list[QueueEntry]:
        from mailgov.admin import queue as acts

        search = acts.Search(**given(which))
        found: list[QueueEntry] = []
        after = 0
        while len(found) <= limit:  # one more shows that there are more
            page = await acts.list_queue(ctx, actor, search, after=after, limit=PAGE)
            if not page:
                break
            found += page
            after = page[-1].id
        return found

    settings = common.read_settings(config)
    found = common.act_with(settings, work)
    if len(found) > limit:
        common.warn(f"these are the oldest {limit}; there are more: --limit, or options that narrow it")
        del found[limit:]
    if as_json:
        bodies.print_queue(settings, found)
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
    """Show one message of which something waits, and what was tried so far."""
    from mailgov.admin import queue as acts

    settings = common.read_settings(config)
    found = common.act_with(settings, lambda ctx, actor: acts.show_queued(ctx, actor, queue_id))
    if as_json:
        bodies.print_traced(settings, found.message, found.attempts)
    else:
        print_message(found.message, found.attempts, settings.province.timezone)


@queue.command("hold")
@grouped
def queue_hold(
    *,
    queue_id: OneId = None,
    position: PositionOption = None,
    which: InState,
    yes: YesOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a message from leaving, or all that is found."""
    _act("hold", queue_id, position, which, yes, reason, config, as_json)


@queue.command("release")
@grouped
def queue_release(
    *,
    queue_id: OneId = None,
    position: PositionOption = None,
    which: Which,
    yes: YesOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a held message go on, or all that is found."""
    _act("release", queue_id, position, which, yes, reason, config, as_json)


@queue.command("retry")
@grouped
def queue_retry(
    *,
    queue_id: OneId = None,
    position: PositionOption = None,
    which: InState,
    yes: YesOption = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a deferred message now, or all that is found."""
    _act("retry", queue_id, position, which, yes, reason, config, as_json)


@queue.command("drop")
@grouped
def queue_drop(
    *,
    reason: Annotated[str, typer.Option(help="Goes into the record.")],
    queue_id: OneId = None,
    position: PositionOption = None,
    which: InState,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a message up for good, or all that is found."""
    _act("drop", queue_id, position, which, yes, reason, config, as_json)


def _act(
    act: str,
    queue_id: str | None,
    position: int | None,
    which: Which,
    yes: bool,
    reason: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """On one message, or on all that is found: first told how many, done with `--yes`."""
    asked = given(which)
    if (queue_id is None) is not bool(asked) or (position is not None and queue_id is None):
        common.usage_error("name one message by its queue id, or say by options which are meant")
    if queue_id is None:
        _act_on_many(act, asked, yes, reason, config, as_json)
        return

    async def work(ctx: AdminContext, actor: Actor) -> CommandView:
        from mailgov.admin import queue as acts

        if act == "drop":
            return await acts.drop(ctx, actor, queue_id, position=position, reason=reason or "")
        do = {"hold": acts.hold, "release": acts.release, "retry": acts.retry}[act]
        return await do(ctx, actor, queue_id, position=position, reason=reason)

    settings = common.read_settings(config)
    done = common.act_with(settings, work)
    if as_json:
        bodies.print_command(settings, done)
    else:
        common.say(f"{done.act} {done.queue_id}: {done.result_text or done.result}")


def _act_on_many(
    act: str, asked: dict[str, Any], yes: bool, reason: str | None, config: Path | None, as_json: bool
) -> None:
    async def work(ctx: AdminContext, actor: Actor) -> Many:
        from mailgov.admin import queue_many
        from mailgov.admin.queue import Search

        seen = await queue_many.preview(ctx, actor, act, Search(**asked))
        if not yes or not seen.recipients:
            return seen
        return await queue_many.act_on_many(
            ctx, actor, act, Search(**asked), at_most=queue_many.MANY_LIMIT, reason=reason
        )

    done = common.act(config, work)
    if as_json:
        bodies.print_many(done)
        return
    what = f"{common.count(done.recipients, 'recipient')} of {common.count(done.messages, 'message')}"
    if not done.applied:
        more = "; nothing was done yet: add --yes" if done.recipients else ""
        common.say(f"{act} would be for {what}{more}")
        return
    answers = f"{done.done} done, {done.refused} refused, {done.unanswered} not answered yet"
    common.say(f"{act} for {what}: {answers}")
