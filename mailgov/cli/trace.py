"""`mailgov trace`: one traffic record by its id, or those that answer a search."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import ConfigOption, JsonOption
from mailgov.cli.options import given, grouped
from mailgov.mail.events import Decided, MalwareWord, ResultWord, Risk, SpamWord

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.admin.messages import Page
    from mailgov.store.queue import AttemptView
    from mailgov.store.search import Filter
    from mailgov.store.traffic import DecisionView, MessageView, RecipientView

LIMIT = 50
LIMIT_MAX = 500
OF_ONE_CELL = 3
"""Recipients that a line of the list names."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("trace")(trace)


def _client(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an IP address") from None


def _line(text: str) -> str:
    if not text or not text.isprintable():
        raise typer.BadParameter("not one line of text")
    return text


def _moment(text: str) -> str:
    """The text as `moment_ms` reads it; the province's zone is known later."""
    from mailgov.api.times import TimeError, moment_ms

    with contextlib.suppress(typer.BadParameter):
        text = common.parse_day(text).isoformat()
    try:
        moment_ms(text, "UTC")
    except TimeError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _option(name: str, metavar: str, text: str, parser: Callable[[str], str] = _line) -> Any:
    return typer.Option(f"--{name}", metavar=metavar, help=text, show_default=False, parser=parser)


def _word(name: str, text: str) -> Any:
    return typer.Option(f"--{name}", help=text, show_default=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a record has to have, as `search.Filter` names it; all hold together."""

    sender: Annotated[
        str | None, _option("sender", "WHO", "Who wrote from outside: an address, or a domain.")
    ] = None
    recipient: Annotated[str | None, _option("recipient", "ADDRESS", "Whom it was for.")] = None
    account: Annotated[str | None, _option("account", "ADDRESS", "The account that sent or received.")] = None
    message_id: Annotated[str | None, _option("message-id", "ID", "Its Message-ID.")] = None
    rule: Annotated[str | None, _option("rule", "RULE", "A rule that decided, or would have.")] = None
    decision: Annotated[Decided | None, _word("decision", "By that rule, or by any.")] = None
    verdict: Annotated[Literal["accepted", "rejected"] | None, _word("verdict", "Of the whole message.")] = (
        None
    )
    spf: Annotated[ResultWord | None, _word("spf", "What SPF said.")] = None
    dkim: Annotated[ResultWord | None, _word("dkim", "What DKIM said.")] = None
    dmarc: Annotated[ResultWord | None, _word("dmarc", "What DMARC said.")] = None
    malware: Annotated[MalwareWord | None, _word("malware", "What clamd said.")] = None
    spam: Annotated[SpamWord | None, _word("spam", "What rspamd said.")] = None
    risk: Annotated[Risk | None, _word("risk", "What an attachment is.")] = None
    client: Annotated[str | None, _option("client", "IP", "Where it came from.", _client)] = None
    from_: Annotated[
        str | None, _option("from", "TIME", "First moment: a day, or a time with its offset.", _moment)
    ] = None
    to: Annotated[str | None, _option("to", "TIME", "First moment outside.", _moment)] = None


@grouped
def trace(
    any_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A queue id or a decision id.", show_default=False)
    ] = None,
    *,
    options: Asked,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Records shown, the newest.")] = LIMIT,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a message's record: who, to whom, decided by what, and what became of it.

    Without an id: the records that answer all the options given, the newest first.
    """
    asked = {name.removesuffix("_"): value for name, value in given(options).items()}
    if (any_id is None) is (not asked):
        raise typer.BadParameter("give an ID, or options to search by, not both", param_hint="ID")
    from mailgov.admin import messages

    settings = common.read_settings(config)
    zone = settings.province.timezone
    if any_id is not None:

        async def look(ctx: AdminContext, actor: Actor) -> tuple[MessageView, list[AttemptView]]:
            seen = await messages.trace(ctx, actor, any_id)
            return seen, await messages.history(ctx, seen)

        message, attempts = common.act_with(settings, look)
        if as_json:
            bodies.print_traced(settings, message, attempts)
        else:
            print_message(message, attempts, zone)
        return
    wanted = _filter(asked, zone)
    page = common.act_with(
        settings, lambda ctx, actor: messages.list_messages(ctx, actor, wanted, limit=limit)
    )
    if as_json:
        bodies.print_messages(settings, page.items)
    else:
        _print_page(page, zone)


def _filter(asked: dict[str, Any], zone: str) -> Filter:
    from mailgov.api.times import moment_ms
    from mailgov.store.search import Filter

    times = {name: moment_ms(asked[name], zone) for name in ("from", "to") if name in asked}
    words = {name: value for name, value in asked.items() if name not in times}
    return Filter(from_ms=times.get("from"), until_ms=times.get("to"), **words)


def _print_page(page: Page, zone: str) -> None:
    rows = [
        (
            common.local_time(one.at_ms, zone),
            one.queue_id,
            one.account or one.reverse_path,
            _recipients(one),
            one.verdict,
            ", ".join(_rules(one)),
        )
        for one in page.items
    ]
    common.print_table(("time", "queue id", "from", "to", "verdict", "rules"), rows)
    if page.next is not None:
        common.say(f"\nthese are the newest {len(page.items)}; there are more: --limit, or an earlier --to")


def _recipients(one: MessageView) -> str:
    named = [each.address or "-" for each in one.recipients[:OF_ONE_CELL]]
    more = one.recipients_total - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _rules(one: MessageView) -> list[str]:
    found: dict[str, None] = {}
    for decision in one.decisions:
        watched = decision.would_reject
        if decision.rule and decision.rule not in watched:
            found[f"{decision.rule} ({decision.outcome})"] = None
        found.update(dict.fromkeys(f"{rule} (would reject)" for rule in watched))
    return list(found)


def print_message(message: MessageView, attempts: Sequence[AttemptView], zone: str) -> None:
    """A record with all its recipients and decisions, and what was tried."""
    _print_record(message, zone)
    _print_recipients(message.recipients, zone)
    for one in message.decisions:
        _print_decision(one)
    _print_history(attempts, zone)


def _print_record(message: MessageView, zone: str) -> None:
    """What is known of the message itself, a line each."""
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


def _print_recipients(recipients: Sequence[RecipientView], zone: str) -> None:
    if not recipients:
        return
    common.say("")
    rows = [
        (
            one.position,
            one.address,
            one.direction,
            one.state,
            one.attempts,
            one.last_reply,
            one.tls,
            common.local_time(one.updated_ms, zone),
        )
        for one in recipients
    ]
    common.print_table(("no.", "recipient", "direction", "state", "tries", "last reply", "TLS", "when"), rows)


def _print_decision(one: DecisionView) -> None:
    """What was decided by which rule, which others watched, and the attachments that were why."""
    why = f"{one.rule} ({one.document} {one.article}, {one.mode})" if one.rule else "no rule"
    watched = one.would_reject
    outcome = "would have rejected (monitor)" if one.rule in watched else one.outcome
    beside = [rule for rule in watched if rule != one.rule]
    more = f"; {', '.join(beside)} would have rejected (monitor)" if beside else ""
    common.say(f"\n{outcome} at {one.stage} by {why}; decision {one.id}{more}")
    for attachment in one.attachments:
        common.say(f"  attachment {common.cell(attachment)}")


def _print_history(attempts: Sequence[AttemptView], zone: str) -> None:
    if not attempts:
        return
    common.say("")
    rows = [
        (
            common.local_time(one.at_ms, zone),
            one.position,
            one.state,
            one.attempts,
            one.mx_host,
            one.reply,
            common.local_time(one.due_ms, zone),
        )
        for one in attempts
    ]
    common.print_table(("when", "no.", "came to", "tries", "host", "reply", "next attempt"), rows)


def _scored(spam: str, score: float | None) -> str:
    return spam if score is None else f"{spam} ({score:g})"
