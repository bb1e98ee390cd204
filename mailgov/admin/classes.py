"""Acts on the class of a message: a clerk corrects it, a monthly sample is drawn and confirmed by hand.

The class decides which figures a message is in, so every correction says why, keeps the class
by rule beside it, and stays in the message's history.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mailgov.admin import rules
from mailgov.admin.checks import agency_code
from mailgov.admin.context import (
    Actor,
    AdminContext,
    agency_filter,
    change,
    require,
    require_province,
)
from mailgov.admin.errors import conflict, invalid, not_found
from mailgov.admin.obligations import policy_files
from mailgov.identity.roles import Act, covers
from mailgov.mail.document import Vocabulary
from mailgov.mail.symbol import read_symbol
from mailgov.mail.text import one_line, plain_punctuation
from mailgov.store import classes
from mailgov.store.classes import ChangeView, Classed, SampleView
from mailgov.store.directory import Session

SAMPLE_SIZE = 100
"""Without a mistake among so many, the rules are right in more than 96 of 100 cases (Wilson, 95%)."""
SAMPLE_SIZES = range(10, 1001)
SEED_OCTETS = 16
SYMBOL_CHARACTERS = 60
KEEP = "="
"""As a symbol: the one that the message has."""


@dataclass(frozen=True, slots=True)
class ClassView:
    """What a message is taken for, and the corrections that led there, the first one first."""

    now: Classed
    changes: tuple[ChangeView, ...]


async def show_class(ctx: AdminContext, actor: Actor, queue_id: str) -> ClassView:
    """A message's class with its history, for the agency that sent it or that issued what it carries."""
    require(actor, Act.CLASS_READ)
    async with ctx.db.read() as session:
        now = await _message(session, actor, Act.CLASS_READ, queue_id)
        return ClassView(now, tuple(await classes.history(session, now.queue_id)))


async def correct_class(
    ctx: AdminContext,
    actor: Actor,
    queue_id: str,
    document_class: str | None,
    *,
    reason: str,
    symbol: str | None = KEEP,
) -> ClassView:
    """Let a message count as a document of this class (None: as no document).

    `symbol` None takes it for unnumbered. Raises AdminError where nothing would change, and for a
    message that was rejected, which counts nowhere.
    """
    require(actor, Act.CLASS_CORRECT)
    told = rules.reason(reason)
    vocabulary = (await policy_files(ctx)).vocabulary
    wanted = _class(document_class, vocabulary)
    named = symbol if symbol in (KEEP, None) else _symbol(symbol or "", vocabulary)
    async with change(ctx, actor, Act.CLASS_CORRECT, rules.shown(queue_id), directory=False) as step:
        before = await _message(step.session, actor, Act.CLASS_CORRECT, queue_id)
        after_symbol = before.symbol if named == KEEP else named
        if (wanted, after_symbol) == (before.document_class, before.symbol):
            raise conflict(f"{before.queue_id} counts as that already")
        now = await classes.correct(
            step.session,
            before.queue_id,
            wanted,
            after_symbol,
            actor=actor.name,
            reason=told,
            now_ms=step.now_ms,
        )
        step.content.update(_content(before, now), reason=told)
        return ClassView(now, tuple(await classes.history(step.session, now.queue_id)))


async def draw_sample(
    ctx: AdminContext, actor: Actor, month: date, *, size: int = SAMPLE_SIZE
) -> list[SampleView]:
    """Draw a month's sample at random, once, when the month is over; the whole month where it has less.

    Every message that could be a document is as likely as another: those that our accounts sent, but
    no reply, forward or automatic one.
    """
    require_province(actor, Act.CLASS_SAMPLE, "draw a sample of the province's messages")
    if size not in SAMPLE_SIZES:
        raise invalid(f"a sample has {SAMPLE_SIZES[0]} to {SAMPLE_SIZES[-1]} messages")
    first, after = _month(month)
    if ctx.today() < after:
        raise conflict(f"the month {first:%m/%Y} is not over: what is yet to come could not be drawn")
    seed = ctx.token_hex(SEED_OCTETS)
    async with change(ctx, actor, Act.CLASS_SAMPLE, f"{first:%Y-%m}", directory=False) as step:
        if await classes.sample(step.session, first):
            raise conflict(f"the sample of {first:%m/%Y} was drawn already: a second one would be a choice")
        could_be = await classes.population(step.session, first, after)
        drawn = random.Random(seed).sample(could_be, min(size, len(could_be)))  # noqa: S311 - the seed is no secret
        await classes.keep_sample(step.session, first, drawn)
        # Whoever doubts the draw repeats it: the same records and the same seed give the same sample.
        step.content.update(seed=seed, population=len(could_be), drawn=len(drawn))
        return await classes.sample(step.session, first)


async def list_sample(
    ctx: AdminContext, actor: Actor, month: date, *, agency: str | None = None
) -> list[SampleView]:
    """A month's sample with what was confirmed; an agency's seat sees its own messages."""
    confined = agency_filter(actor, Act.CLASS_READ, agency)
    if confined is not None:
        confined = await agency_code(ctx, confined)
    first, _ = _month(month)
    async with ctx.db.read() as session:
        return await classes.sample(session, first, confined)


async def confirm_class(
    ctx: AdminContext, actor: Actor, queue_id: str, document_class: str | None
) -> SampleView:
    """Say what a sampled message is, after looking at it (None: no document).

    Where it counts as something else, that is corrected with it. What was confirmed may be
    confirmed otherwise later; the log keeps both.
    """
    require(actor, Act.CLASS_CONFIRM)
    wanted = _class(document_class, (await policy_files(ctx)).vocabulary)
    async with change(ctx, actor, Act.CLASS_CONFIRM, rules.shown(queue_id), directory=False) as step:
        now = await _message(step.session, actor, Act.CLASS_CONFIRM, queue_id)
        sampled = await classes.sampled(step.session, now.queue_id)
        if sampled is None:
            raise not_found("message in a sample", now.queue_id)
        await classes.confirm(step.session, now.queue_id, wanted, actor=actor.name, now_ms=step.now_ms)
        step.content.update(month=f"{sampled.month:%Y-%m}", confirmed_class=wanted)
        if now.document_class != wanted:
            why = f"mẫu tháng {sampled.month:%m/%Y}"
            corrected = await classes.correct(
                step.session,
                now.queue_id,
                wanted,
                now.symbol,
                actor=actor.name,
                reason=why,
                now_ms=step.now_ms,
            )
            step.content.update(_content(now, corrected))
        done = await classes.sampled(step.session, now.queue_id)
    assert done is not None  # it was there in this transaction
    return done


async def _message(session: Session, actor: Actor, act: Act, queue_id: str) -> Classed:
    """The accepted message, when the actor may do `act` on it: its agency's, or its issuer's."""
    shown = rules.shown(queue_id)
    found = await classes.find(session, queue_id) if queue_id.isascii() and queue_id.isalnum() else None
    if found is None or not any(
        covers(actor.role, act, actor.agency, agency) for agency in (found.agency_code, found.issuer)
    ):
        raise not_found("message", shown)
    if found.verdict != "accepted":
        raise conflict(f"{shown} was rejected: it counts nowhere")
    return found


def _class(text: str | None, vocabulary: Vocabulary) -> str | None:
    """A code of the province's document types, in whatever case where that tells them apart."""
    if text is None or text in vocabulary.by_code:
        return text
    alike = [code for code in vocabulary.by_code if code.lower() == text.lower()]
    if len(alike) != 1:
        codes: Sequence[str] = sorted(vocabulary.by_code)
        raise invalid(f"{rules.shown(text)!r} is no document type: it is one of {', '.join(codes)}")
    return alike[0]


def _symbol(text: str, vocabulary: Vocabulary) -> str:
    """A whole symbol as the rules would have read it."""
    plain = plain_punctuation(one_line(text, SYMBOL_CHARACTERS + 1))
    found = read_symbol(plain, 0, vocabulary.symbol_codes, vocabulary.lookalikes)
    if found is None or found.end != len(plain) or len(plain) > SYMBOL_CHARACTERS:
        raise invalid(f"{rules.shown(text)!r} is not a number and symbol such as 12/GM-UBND")
    return found.text


def _month(day: date) -> tuple[date, date]:
    """The first day of the day's month, and of the next one."""
    first = day.replace(day=1)
    return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _content(before: Classed, after: Classed) -> dict[str, str | None]:
    return {
        "class_before": before.document_class,
        "class_after": after.document_class,
        "symbol_before": before.symbol,
        "symbol_after": after.symbol,
    }
