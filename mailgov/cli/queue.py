"""`mailgov queue …` and `mailgov trace`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.store.commands import CommandView
    from mailgov.store.traffic import DecisionView, MessageView, QueueEntry

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
    app.command("trace")(trace)


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
    _print_message(message, settings.province.timezone, as_json)


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


def trace(
    any_id: Annotated[str, typer.Argument(metavar="ID", help="A queue id or a decision id.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a message's record: who, to whom, decided by what, and what became of it."""
    from mailgov.admin import messages

    settings = common.read_settings(config)
    message = common.act_with(settings, lambda ctx, actor: messages.trace(ctx, actor, any_id))
    _print_message(message, settings.province.timezone, as_json)


def _print_message(message: MessageView, zone: str, as_json: bool) -> None:
    if as_json:
        common.print_json(message)
        return
    fields: dict[str, object] = {
        "queue id": message.queue_id,
        "time": common.local_time(message.at_ms, zone),
        "verdict": message.verdict,
        "source": message.source,
        "account": message.account,
        "agency": message.agency_code,
        "reverse-path": message.reverse_path,
        "author": message.author,
        "subject": message.subject,
        "document": message.document_class,
        "symbol": message.symbol,
        "urgency": message.urgency,
        "secrecy": message.secrecy,
        "size": None if message.size_bytes is None else f"{message.size_bytes} bytes",
        "client": message.client,
        "HELO": message.helo,
        "TLS": message.tls,
        "SPF": message.spf,
        "DKIM": message.dkim,
        "DMARC": message.dmarc,
        "ARC": message.arc,
        "malware": message.malware,
        "spam": None if message.spam is None else _scored(message.spam, message.spam_score),
        "risks": ", ".join(message.risks) or None,
        "sample": message.sample or None,
    }
    common.print_fields({name: value for name, value in fields.items() if value is not None})
    if message.recipients:
        common.say("")
        rows = [
            (
                one.position,
                one.address,
                one.direction,
                one.state,
                one.attempts,
                one.last_reply,
                common.local_time(one.updated_ms, zone),
            )
            for one in message.recipients
        ]
        common.print_table(("no.", "recipient", "direction", "state", "tries", "last reply", "when"), rows)
    for one in message.decisions:
        why = f"{one.rule} ({one.document} {one.article}, {one.mode})" if one.rule else "no rule"
        outcome = "would have rejected (monitor)" if _watched(one) else one.outcome
        common.say(f"\n{outcome} at {one.stage} by {why}; decision {one.id}")


def _scored(spam: str, score: float | None) -> str:
    return spam if score is None else f"{spam} ({score:g})"


def _watched(one: DecisionView) -> bool:
    """True for the record of a rule that is only being watched and would have rejected."""
    return one.outcome == "accept" and one.mode == "monitor"
