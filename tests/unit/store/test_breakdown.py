"""Figures by kind: who hosts the outside recipients' mail, and which rules rejected."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import get_args

from mailgov.mail.events import DecisionRecord, Event, MessageEvent
from mailgov.policy.providers import ProviderClass
from mailgov.store.breakdown import Breakdown, outbound_by_provider, rejected_by_rule
from mailgov.store.engine import Database
from mailgov.store.increments import PROVIDERS
from mailgov.store.ledger import apply_events
from tests.unit.store.events import DAY_MS, START_MS, decision, message, numbered, outcome, recipient

NOVEMBER = (date(2025, 11, 1), date(2025, 12, 1))
DECEMBER = (date(2025, 12, 1), date(2026, 1, 1))


async def apply(database: Database, *events: Event) -> None:
    await apply_events(database, "5f00", "node-1", numbered(*events), START_MS)


def reject(number: int, rule: str | None = "cold-free-mail", position: int | None = None) -> DecisionRecord:
    return replace(decision(number, position, "reject"), rule=rule, mode="enforce")


def rejected(number: int, *decisions: DecisionRecord, at_ms: int = START_MS) -> MessageEvent:
    event = message(number, at_ms, recipient(0, "outbound", "rejected"))
    return replace(event, verdict="rejected", decisions=decisions)


def test_the_classes_are_those_of_the_policy() -> None:
    assert get_args(ProviderClass) == PROVIDERS


async def test_outbound_by_agency_and_provider(database: Database) -> None:
    outside = recipient(0, "outbound"), replace(recipient(1, "outbound"), mx_provider="free")
    await apply(
        database,
        message(1, START_MS, *outside),
        replace(message(2, START_MS, *outside, recipient(2)), sample=True),
        replace(message(3, START_MS, outside[0]), agency="H14.02"),
        replace(message(4, START_MS + DAY_MS, outside[1]), source="mx", account=None, agency=None),
        message(5),
    )
    first = Breakdown("H14.01", {"domestic": 2, "free": 2}, sample=True)
    second = Breakdown("H14.02", {"domestic": 1}, sample=False)
    assert await outbound_by_provider(database, *NOVEMBER) == [first, second]
    assert await outbound_by_provider(database, *NOVEMBER, "H14.02") == [second]
    assert await outbound_by_provider(database, *DECEMBER) == [Breakdown("", {"free": 1}, sample=False)]


async def test_a_record_counts_once_under_the_rule_that_rejected(database: Database) -> None:
    watched = replace(decision(90), rule="watched")
    stop = MessageEvent(
        "rejected", "secret", START_MS, None, "p", account="an@caobang.gov.vn", secrecy="MẬT",
        decisions=(reject(6, "secrecy-mark"),), sample=True,
    )  # fmt: skip
    await apply(
        database,
        rejected(1, reject(1)),
        rejected(2, reject(2)),
        # A list's member was left out first; then the message itself was rejected.
        rejected(3, reject(3, "own-free-mail", 0), watched, reject(4, "writes-as-itself")),
        # Each recipient rejected by itself.
        rejected(4, reject(7, "cold-free-mail", 1), reject(8, "own-free-mail", 0)),
        rejected(5, decision(9)),
        rejected(6, reject(10, None)),
        stop,
        # Rejected for one recipient, accepted for the others: no record of a rejection.
        replace(message(7, START_MS, recipient(0), recipient(1)), decisions=(reject(11, position=1),)),
        replace(outcome(7), state="bounced", decision=reject(12, "own-free-mail")),
    )
    nobody = Breakdown("", {"secrecy-mark": 1}, sample=True)
    agency = Breakdown(
        "H14.01", {"cold-free-mail": 2, "own-free-mail": 1, "writes-as-itself": 1}, sample=False
    )
    assert await rejected_by_rule(database, *NOVEMBER) == [nobody, agency]
    assert await rejected_by_rule(database, *NOVEMBER, "H14.01") == [agency]
    assert await rejected_by_rule(database, *DECEMBER) == []


async def test_a_rejection_belongs_to_its_local_day(database: Database) -> None:
    midnight = START_MS + DAY_MS
    await apply(database, rejected(1, reject(1), at_ms=midnight - 1), rejected(2, reject(2), at_ms=midnight))
    for span in (NOVEMBER, DECEMBER):
        (found,) = await rejected_by_rule(database, *span)
        assert found.counts == {"cold-free-mail": 1}
