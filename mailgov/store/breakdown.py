"""A span's figures by kind: who hosts the outside recipients' mail, and which rules rejected.

Half-open spans of local dates, as in `store.rollup`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Select, func, select

from mailgov.store.engine import Database
from mailgov.store.sql import columns, table
from mailgov.store.tables import DecisionRow, Message, RollupOutbound


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One agency's counts by kind, the kinds in alphabetical order; none of them is 0.

    `agency` is "" where the record names none.
    """

    agency: str
    counts: dict[str, int]
    sample: bool
    """True when generated sample traffic is among them."""


async def outbound_by_provider(
    db: Database, from_date: date, until_date: date, agency: str | None = None
) -> list[Breakdown]:
    """Accepted outside recipients by the provider class known at acceptance; ordered by agency.

    Counted as `increments.outbound` says, from the rollup. With `agency`, that agency alone.
    """
    c = columns(RollupOutbound)
    samples = func.sum(c.recipients).filter(c.sample.is_(True))
    query = (
        select(c.agency_code, c.provider, func.sum(c.recipients), func.coalesce(samples, 0))
        .where(c.local_date >= from_date, c.local_date < until_date)
        .group_by(c.agency_code, c.provider)
        .order_by(c.agency_code, c.provider)
    )
    if agency is not None:
        query = query.where(c.agency_code == agency)
    return await _breakdowns(db, query)


async def rejected_by_rule(
    db: Database, from_date: date, until_date: date, agency: str | None = None
) -> list[Breakdown]:
    """Records of rejected messages by the rule that rejected; ordered by agency, then rule.

    A record counts once: under the rule that rejected the message or, where each recipient was
    rejected by itself, under the first recipient's. Read from the records: rejections are few.
    """
    m, d = columns(Message), columns(DecisionRow)
    # The local date decides; the index on times only needs a span that surely holds it.
    first_ms, last_ms = _utc_ms(from_date - timedelta(days=1)), _utc_ms(until_date + timedelta(days=1))
    place = func.row_number().over(partition_by=d.queue_id, order_by=(d.position.nulls_first(), d.id))
    rejections = (
        select(
            func.coalesce(m.agency_code, "").label("agency"),
            d.rule,
            m.sample,
            place.label("place"),
        )
        .join_from(table(DecisionRow), table(Message), m.queue_id == d.queue_id)
        .where(d.outcome == "reject", d.at_ms >= first_ms, d.at_ms < last_ms, d.rule.is_not(None))
        .where(m.verdict == "rejected", m.local_date >= from_date, m.local_date < until_date)
    )
    if agency is not None:
        rejections = rejections.where(m.agency_code == agency)
    r = rejections.subquery().c
    query = (
        select(r.agency, r.rule, func.count(), func.count().filter(r.sample.is_(True)))
        .where(r.place == 1)
        .group_by(r.agency, r.rule)
        .order_by(r.agency, r.rule)
    )
    return await _breakdowns(db, query)


def _utc_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


async def _breakdowns(db: Database, query: Select[str, str, int, int]) -> list[Breakdown]:
    """Of rows (agency, kind, count, count of sample records), ordered by agency."""
    async with db.read() as session:
        rows = (await session.execute(query)).all()
    counts: dict[str, dict[str, int]] = {}
    samples: set[str] = set()
    for agency, kind, count, sample in rows:
        counts.setdefault(agency, {})[kind] = int(count)
        if sample:
            samples.add(agency)
    return [Breakdown(agency, found, sample=agency in samples) for agency, found in counts.items()]
