"""Traffic records as they are looked up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgov.mail.events import Event
from mailgov.store import traffic
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events
from mailgov.store.search import Filter
from tests.unit.store.events import START_MS, decision, message, numbered, outcome, recipient


@pytest.fixture(autouse=True)
async def records(database: Database) -> None:
    inbound = replace(
        message(3, START_MS + 2, recipient(0, "inbound")),
        account=None,
        agency=None,
        source="mx",
        reverse_path="x@e.vn",
        author="y@f.vn, X@g.vn",
        message_id="<3@e.vn>",
        spf="fail",
        dkim="pass",
        malware="found Win.Test",
        risks=("macro", "nested"),
        client="192.0.2.1",
        decisions=(
            replace(decision(7, outcome="reject"), mode="enforce", rule="spam", watched=("a-b", "risky")),
        ),
    )
    events: list[Event] = [
        replace(
            message(1, START_MS, recipient(0), recipient(1, "outbound")),
            decisions=(decision(5, 1), decision(6)),
        ),
        replace(message(2, START_MS + 2), account="bình@caobang.gov.vn", agency="H14.07"),
        inbound,
        replace(message(4, START_MS + 3, recipient(state="rejected")), verdict="rejected"),
        message(5, START_MS + 4, recipient(0), recipient(1), recipient(2, "outbound", "held")),
        outcome(1, 0),
        replace(outcome(1, 1, "deferred"), reply="451 4.7.1 greylisted"),
        outcome(3, 0),
        outcome(5, 0),
    ]
    await apply_events(database, "5f00", "node-1", numbered(*events), START_MS)


async def numbers(database: Database, wanted: Filter | None = None) -> list[int]:
    return [int(found.queue_id, 16) for found in await traffic.list_messages(database, wanted)]


FOUND = [
    (Filter(), [5, 4, 3, 2, 1]),
    (Filter(agency="H14.07"), [2]),
    (Filter(agency="H14.01"), [5, 4, 1]),
    (Filter(agency="H14.02"), [5, 4, 3, 2, 1]),
    (Filter(account="bình@caobang.gov.vn"), [2]),
    (Filter(account="hop1@caobang.gov.vn"), [5]),
    (Filter(queue_id=f"{3:016x}"), [3]),
    (Filter(from_ms=START_MS + 2, until_ms=START_MS + 4), [4, 3, 2]),
    (Filter(state="deferred"), [1]),
    (Filter(direction="outbound"), [5, 1]),
    (Filter(state="delivered", direction="outbound"), []),
    (Filter(verdict="rejected"), [4]),
    (Filter(verdict="accepted", agency="H14.01", state="held"), [5]),
    (Filter(sender="x@e.vn"), [3]),
    (Filter(sender="g.vn", from_ms=START_MS + 2, until_ms=START_MS + 3), [3]),
    (Filter(sender="g.vn", until_ms=START_MS + 2), []),
    (Filter(sender="an@caobang.gov.vn"), []),
    (Filter(message_id="3@e.vn"), [3]),
    (Filter(recipient="hop1@caobang.gov.vn", state="delivered"), []),
    (Filter(recipient="nguoi1@example.vn", state="deferred"), [1]),
    (Filter(spf="fail", dkim="pass", malware="found", risk="nested", client="192.0.2.1"), [3]),
    (Filter(risk="macro", spf="none"), []),
    (Filter(rule="risky"), [3]),
    (Filter(rule="cold-free-mail", decision="would-reject"), [1]),
    (Filter(rule="spam", decision="reject", sender="f.vn"), [3]),
    (Filter(decision="would-reject"), [3, 1]),
    (Filter(agency="H14.02", seat=True, rule="risky", decision="would-reject"), [3]),
    (Filter(agency="H14.02", seat=True, rule="isky", decision="would-reject"), []),
    (Filter(agency="H14.02", seat=True, rule="cold-free-mail"), [1]),
    (Filter(agency="H14.02", seat=True, decision="reject", recipient="hop0@caobang.gov.vn"), [3]),
    (Filter(agency="H14.02", seat=True, recipient="nguoi1@example.vn"), []),
    (Filter(agency="H14.02", seat=True, client="192.0.2.1"), [3]),
]


async def test_filters(database: Database) -> None:
    for wanted, found in FOUND:
        assert await numbers(database, wanted) == found, wanted


async def test_pages_follow_each_other_without_gap_or_repeat(database: Database) -> None:
    seen, after = [], None
    while page := await traffic.list_messages(database, limit=2, after=after):
        seen += [int(one.queue_id, 16) for one in page]
        after = page[-1].place
    assert seen == [5, 4, 3, 2, 1], "3 and 2 have the same time"


async def test_one_record_with_all_its_parts(database: Database) -> None:
    found = await traffic.get(database, f"{1:016x}")
    assert found is not None
    assert (found.account, found.agency_code, found.document_class, found.signatures) == (
        "an@caobang.gov.vn", "H14.01", "GM", ["dkim"],
    )  # fmt: skip
    inside, outside = found.recipients
    assert (inside.state, inside.delivered_ms, inside.agency_code) == ("delivered", START_MS + 1000, "H14.02")
    assert (outside.state, outside.last_reply, outside.direction) == (
        "deferred",
        "451 4.7.1 greylisted",
        "outbound",
    )
    assert found.recipients_total == 2
    assert [(one.id, one.position) for one in found.decisions] == [
        (decision(6).id, None),
        (decision(5).id, 1),
    ]
    assert await traffic.get(database, "unknown") is None


async def test_a_list_shows_the_first_recipients_of_a_large_message(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "RECIPIENTS_IN_LIST", 2)
    (found,) = await traffic.list_messages(database, Filter(queue_id=f"{5:016x}"))
    assert ([one.position for one in found.recipients], found.recipients_total) == ([0, 1], 3)


async def test_a_decision_by_its_id(database: Database) -> None:
    found = await traffic.decision(database, decision(5).id)
    assert found is not None
    assert (found.rule, found.document, found.article, found.mode) == (
        "cold-free-mail",
        "CB",
        "1b",
        "monitor",
    )
    assert found.facts == {"recipient.domain": "gmail.com", "recipient.wrote_in_days": None}
    assert await traffic.decision(database, "0" * 32) is None
