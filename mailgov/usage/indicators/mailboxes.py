"""Official addresses that lie on free services abroad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mailgov.store import breakdown, people
from mailgov.store.people import Foreign
from mailgov.usage.indicators import remarks
from mailgov.usage.indicators.accounts import before_the_service
from mailgov.usage.indicators.definitions import CB_MAILBOXES
from mailgov.usage.indicators.row import Figure, Indicator, Question

KINDS = ("published", "registered", "alias", "list", "forward")
"""What is counted; a person's own registered address is told beside it."""
PERSONAL = "personal"


async def _count(question: Question) -> list[Figure]:
    note = await before_the_service(question)
    if note is not None:
        codes = [*question.directory, None] if question.agency is None else [question.agency]
        return [Figure(code, None, None, notes=(note,)) for code in codes]
    return await _counted(question)


async def _counted(question: Question) -> list[Figure]:
    found = await people.addresses_at(question.session, question.providers.free_domains, question.day)
    owners = await _owners(question, found)
    written = {
        one.agency: one.counts.get("free", 0)
        for one in await breakdown.outbound_by_provider(
            question.db, question.period.start, question.period.end, question.agency
        )
    }
    sample = frozenset(
        code for code, spans in question.directory.items() if any(span.sample for span in spans)
    )
    codes = list(question.directory) if question.agency is None else [question.agency]
    figures = []
    for code in codes:
        mine = [one for one in found if owners[one] == code]
        figures.append(_figure(question, code, mine, written.get(code, 0), sample=code in sample))
    if question.agency is None:
        covered = frozenset(question.covered())
        mine = [one for one in found if owners[one] is None or owners[one] in covered]
        figures.append(_figure(question, None, mine, sum(written.values()), sample=bool(sample)))
    return figures


def _figure(
    question: Question, agency: str | None, found: Sequence[Foreign], written: int, *, sample: bool
) -> Figure:
    by_kind = Counter(one.kind for one in found)
    total = sum(by_kind[kind] for kind in KINDS)
    return Figure(
        agency=agency,
        numerator=total,
        denominator=None,
        measured={kind: by_kind[kind] for kind in KINDS},
        beside={"personal_registered": by_kind[PERSONAL], "recipients_on_free_services": written},
        notes=(remarks.state_of(question.today),),
        sample=sample and total > 0,
    )


async def _owners(question: Question, found: Sequence[Foreign]) -> dict[Foreign, str | None]:
    """Whose each address is: an agency's own, its holder's, or the agency that an alias belongs to."""
    agency_of = {one.address: one.agency for one in await people.serving_on(question.session, question.day)}
    boxes = {
        span.mailbox: code
        for code, spans in question.directory.items()
        for span in spans
        if span.mailbox is not None and span.holds(question.day)
    }
    aliases = {one.holder for one in found if one.kind in ("alias", "list", "forward")}
    targets = await people.alias_targets(question.session, aliases)
    owners: dict[Foreign, str | None] = {}
    for one in found:
        if one.kind in ("published", "registered"):
            owners[one] = one.holder
        elif one.kind == PERSONAL:
            owners[one] = agency_of.get(one.holder)
        else:
            inside = {agency_of[to] for to in targets.get(one.holder, ()) if to in agency_of}
            owners[one] = boxes.get(one.holder) or (inside.pop() if len(inside) == 1 else None)
    return owners


INDICATORS = (Indicator(CB_MAILBOXES.id, CB_MAILBOXES, _count),)
