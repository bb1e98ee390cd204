"""Meeting documents of UBND tỉnh: the entries of its issue register, and which of them went by mail."""

from __future__ import annotations

from collections.abc import Sequence

from mailgov.store import declarations, documents
from mailgov.store.documents import Carrier
from mailgov.usage import declared
from mailgov.usage.declared import EXEMPT_REASONS, REGISTER, Register
from mailgov.usage.indicators import document_remarks, remarks
from mailgov.usage.indicators.document_definitions import PT_MEETINGS
from mailgov.usage.indicators.documents import class_errors, error_parts, was_observed
from mailgov.usage.indicators.row import Figure, Indicator, Question
from mailgov.usage.issue_register import Entry, Gaps, entries, missing_numbers
from mailgov.usage.notes import Note


async def _count(question: Question) -> list[Figure]:
    committee = question.committee
    if question.agency not in (None, committee):
        return [Figure(question.agency, None, None, notes=(document_remarks.NOT_ASKED,))]
    if committee not in question.directory:
        return [Figure(None, None, None, notes=(document_remarks.NO_COMMITTEE,))]
    figure = await _of_committee(question)
    if question.agency is not None:
        return [figure]
    # The document speaks of the committee's own papers, so its figure is the province's too.
    return [figure, _as_province(figure)]


def _as_province(figure: Figure) -> Figure:
    return Figure(
        None, figure.numerator, figure.denominator, figure.measured, figure.declared, figure.beside,
        figure.notes, figure.sample, figure.incomplete,
    )  # fmt: skip


async def _of_committee(question: Question) -> Figure:
    told = await declared.registers(question.session, question.period.span, question.committee)
    register = told.get(question.committee)
    observed = was_observed(question)
    notes: list[Note] = [] if observed else [document_remarks.NOT_OBSERVED]
    error = await class_errors(question)
    spread = document_remarks.class_error(error)
    after = () if spread is None else (spread,)
    if register is None:
        notes.append(document_remarks.undeclared_register(question.period.span))
        return Figure(question.committee, None, None, beside=error_parts(error), notes=(*notes, *after))
    distinct = entries(register.lines)
    inside = [entry for entry in distinct if entry.line.exempt is None]
    sent = await _sent(question, inside)
    gaps = missing_numbers(register.lines, question.period.start, await _before(question))
    notes += _remarks(register, distinct, gaps)
    exempt = {
        f"exempt_{reason.replace('-', '_')}": sum(entry.line.exempt == reason for entry in distinct)
        for reason in EXEMPT_REASONS
    }
    return Figure(
        agency=question.committee,
        numerator=sent if observed else None,
        denominator=len(inside),
        measured={"sent_by_mail": sent if observed else None},
        declared={"entries": len(distinct), **exempt},
        beside={"numbers_missing": gaps.count, **error_parts(error)},
        notes=(*notes, *after),
        sample=register.origin.sample,
        incomplete=gaps.count > 0,
    )


def _remarks(register: Register, distinct: Sequence[Entry], gaps: Gaps) -> list[Note]:
    found = [document_remarks.numbers_missing(gaps)] if gaps.count else []
    if len(distinct) < len(register.lines):
        found.append(document_remarks.DUPLICATES)
    if register.origin.restated:
        found.append(remarks.RESTATED)
    return found


async def _before(question: Question) -> list[declarations.RegisterLine]:
    """The lines of the registers that end where the period begins, to go on with their numbers."""
    session, committee = question.session, question.committee
    found = await declarations.latest(session, REGISTER, agency=committee, ends=question.period.start)
    whole = await declarations.with_registers(session, found)
    return [line for view in whole for line in view.register]


async def _sent(question: Question, inside: Sequence[Entry]) -> int:
    """How many of the entries went out by mail as documents of the committee."""
    keys = {entry.key for entry in inside if entry.key is not None}
    days = await documents.first_sent(question.session, question.committee, keys)
    linked = {entry.line.queue_id for entry in inside if entry.line.queue_id is not None}
    carried = await documents.carriers(question.session, linked)

    def sent(entry: Entry) -> bool:
        carrier = carried.get(entry.line.queue_id or "")
        return entry.key in days or _carries(carrier, entry, question.committee)

    return sum(map(sent, inside))


def _carries(carrier: Carrier | None, entry: Entry, committee: str) -> bool:
    """Whether the message that a clerk linked counts as this document, of the committee."""
    return carrier is not None and carrier.issuer == committee and entry.may_be(carrier.key)


INDICATORS = (Indicator(PT_MEETINGS.id, PT_MEETINGS, _count, by_day=False),)
