"""Electronic documents: those by mail, which the service counts, among those that agencies declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mailgov.store import classes, documents
from mailgov.store.agencies import AgencySpan
from mailgov.store.classes import SampleResult
from mailgov.store.documents import DocumentCounts
from mailgov.usage import declared
from mailgov.usage.declared import Documents
from mailgov.usage.indicators import document_remarks, remarks
from mailgov.usage.indicators.document_definitions import BG_DOCUMENTS
from mailgov.usage.indicators.row import Figure, Indicator, Parts, Question
from mailgov.usage.notes import Note
from mailgov.usage.periods import Period, Span

_DECLARED_SENT = ("sent_dm_only", "sent_paper_only", "sent_parallel")
_DECLARED_RECEIVED = ("received_dm_only", "received_paper_only", "received_parallel")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the period: `mail` is None where nothing of it was observed."""

    mail: Mapping[str, DocumentCounts] | None
    told: Mapping[str, Documents]
    error: SampleResult


async def class_errors(question: Question) -> SampleResult:
    """What the samples of the months that the period touches say of the rules, over the province."""
    start = question.period.start.replace(day=1)
    return await classes.sample_result(question.session, start, question.period.end)


def was_observed(question: Question) -> bool:
    """Whether any day of the period, today included, has records."""
    through_today = Span(question.observed.start, date.fromordinal(question.today.toordinal() + 1))
    return question.period.span.overlap_days(through_today) > 0


async def _count(question: Question) -> list[Figure]:
    days = question.period.span
    found = await documents.counts(question.session, days.start, days.end, question.agency)
    known = _Known(
        mail=found if was_observed(question) else None,
        told=await _told(question),
        error=await class_errors(question),
    )
    codes = list(question.directory) if question.agency is None else [question.agency]
    figures = [_of_agency(question, code, known) for code in codes]
    if question.agency is None:
        figures.append(_of_province(question, known))
    return figures


async def _told(question: Question) -> dict[str, Documents]:
    """Declared for exactly the period; by an agency that lived through a part of it, for that part too."""
    told = await declared.documents(question.session, question.period.span, question.agency)
    for code, spans in question.directory.items():
        life = lived(spans, question.period)
        if code not in told and life is not None and life != question.period.span:
            told |= await declared.documents(question.session, life, code)
    return told


def lived(spans: Sequence[AgencySpan], period: Period) -> Span | None:
    """The days of the period that the agency existed on, from the first to the last; None for none."""
    days = [
        Span(max(span.valid_from or date.min, period.start), min(span.valid_until or date.max, period.end))
        for span in spans
    ]
    there = [one for one in days if one.days > 0]
    return Span(min(one.start for one in there), max(one.end for one in there)) if there else None


def _of_agency(question: Question, code: str, known: _Known) -> Figure:
    told = known.told.get(code)
    counts = None if known.mail is None else known.mail.get(code, DocumentCounts())
    mail = None if counts is None else counts.sent + counts.received
    measured: Parts = {
        "sent": None if counts is None else counts.sent,
        "sent_unnumbered": None if counts is None else counts.sent_unnumbered,
        "received": None if counts is None else counts.received,
        "received_unnumbered": None if counts is None else counts.received_unnumbered,
    }
    notes = [] if told is not None else [document_remarks.undeclared_documents(question.period.span)]
    dm = None if told is None else told.sent_dm_only + told.received_dm_only
    paper = None if told is None else told.sent_paper_only + told.received_paper_only
    names = (*_DECLARED_SENT, *_DECLARED_RECEIVED)
    return _figure(code, mail, dm, paper, measured, [told] if told else [], names, notes, known, counts)


def _of_province(question: Question, known: _Known) -> Figure:
    """Sent documents alone: what one agency sends another receives, and both are in the province."""
    wanted = covered_in(question)
    told = [known.told[code] for code in wanted if code in known.told]
    counts = None
    if known.mail is not None:
        found = [known.mail[code] for code in wanted if code in known.mail]
        counts = DocumentCounts(
            sent=sum(one.sent for one in found),
            sent_unnumbered=sum(one.sent_unnumbered for one in found),
            sample=any(one.sample for one in found),
        )
    measured: Parts = {
        "sent": None if counts is None else counts.sent,
        "sent_unnumbered": None if counts is None else counts.sent_unnumbered,
    }
    whole = len(told) == len(wanted)
    notes = [] if whole else [remarks.declared_in_part(len(told), len(wanted))]
    dm = sum(one.sent_dm_only for one in told) if whole else None
    paper = sum(one.sent_paper_only for one in told) if whole else None
    sent = None if counts is None else counts.sent
    return _figure(None, sent, dm, paper, measured, told, _DECLARED_SENT, notes, known, counts)


def covered_in(question: Question) -> list[str]:
    """Agencies of the levels that the document names that existed on any day of the period, none exempt.

    Documents are counted over all its days, so an agency that was merged has its part.
    """
    levels = question.obligation.levels
    return sorted(
        code
        for code, spans in question.directory.items()
        if code not in question.exempt
        and lived([span for span in spans if span.level in levels], question.period) is not None
    )


def _figure(
    agency: str | None,
    mail: int | None,
    dm: int | None,
    paper: int | None,
    measured: Parts,
    told: Sequence[Documents],
    names: Sequence[str],
    notes: list[Note],
    known: _Known,
    counts: DocumentCounts | None,
) -> Figure:
    """`mail`, `dm` (by document management alone) and `paper` (alone) are None where not known."""
    numerator = None if mail is None or dm is None else mail + dm
    denominator = None if numerator is None or paper is None else numerator + paper
    if known.mail is None:
        notes = [document_remarks.NOT_OBSERVED, *notes]
    if any(one.origin.restated for one in told):
        notes = [*notes, remarks.RESTATED]
    error = document_remarks.class_error(known.error)
    return Figure(
        agency=agency,
        numerator=numerator,
        denominator=denominator,
        measured=measured,
        declared={
            name: sum(getattr(one, name) for one in told) if dm is not None else None for name in names
        },
        beside=error_parts(known.error),
        notes=(*notes, error) if error is not None else tuple(notes),
        sample=any(one.origin.sample for one in told) or (counts is not None and counts.sample),
    )


def error_parts(error: SampleResult) -> Parts:
    """The monthly samples' numbers, as they stand beside a figure of documents."""
    return {
        "class_sample_drawn": error.drawn,
        "class_sample_confirmed": error.confirmed,
        "class_sample_wrong": error.wrong,
    }


INDICATORS = (Indicator(BG_DOCUMENTS.id, BG_DOCUMENTS, _count, by_day=False),)
