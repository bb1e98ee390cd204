"""What of a traffic record a caller may see: the one place that cuts records down to a seat.

Who sees the whole province sees all of it. An agency's seat sees the whole record of what its
own accounts sent; of what others sent into it, the message and its own recipients, never who
else got it, nor from which desk of another agency it came. A filter never tells what the record
would not show.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from mailgov.store import terms, traffic
from mailgov.store.engine import Database
from mailgov.store.search import Filter
from mailgov.store.traffic import DecisionView, MessageView, RecipientView


async def seen_by(db: Database, found: MessageView, agency: str | None) -> MessageView | None:
    """The record as a seat of `agency` (None: the province) may see it, or None."""
    if agency is None or found.agency_code == agency:
        return found
    if found.recipients_total > len(found.recipients):
        # Its own recipients may be further down than a list reads.
        found = await traffic.get(db, found.queue_id) or found
    own = tuple(one for one in found.recipients if one.agency_code == agency)
    if not own:
        return None
    ids = {one.decision_id for one in own}
    decisions = tuple(one for one in found.decisions if one.position is None or one.id in ids)
    if found.account is not None:
        found = replace(found, client=None, helo=None)
    return replace(found, recipients=own, recipients_total=len(own), decisions=decisions)


def matches(seen: MessageView, wanted: Filter) -> bool:
    """True when what a seat sees, and not only what is hidden from it, answers the filter."""
    if seen.agency_code == wanted.agency:
        return True  # it sees all of that
    if wanted.account is not None:
        accounts = {seen.account, *(one.account for one in seen.recipients)}
        if wanted.account not in accounts:
            return False
    if wanted.client not in (None, seen.client):
        return False
    decided = wanted.rule is not None or wanted.decision is not None
    if decided and not any(_decides(one, wanted) for one in seen.decisions):
        return False
    if wanted.state is None and wanted.direction is None and wanted.recipient is None:
        return True
    return any(_like(one, wanted) for one in seen.recipients)


def _decides(one: DecisionView, wanted: Filter) -> bool:
    return terms.rule(wanted.rule, wanted.decision) in terms.of_decision(asdict(one))


def _like(one: RecipientView, wanted: Filter) -> bool:
    named = wanted.recipient in (None, one.address, one.original)
    return named and wanted.state in (None, one.state) and wanted.direction in (None, one.direction)
