"""The form of traffic events: what an outbox of any version holds comes out whole."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from mailgov.mail.events import (
    KINDS,
    AlarmEvent,
    DecisionRecord,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecipientRecord,
    SenderReportEvent,
    decode,
    encode,
)
from mailgov.mail.sender_reports.found import ReportRow, SenderReport

DECISION = DecisionRecord(
    "d1", "rcpt", "accept", "cold-free-mail", "CB", "1b", "monitor", "c0ffee", {"recipient.domain": "x.vn"}, 0
)
BARE = DecisionRecord("d2", "data", "reject", None, None, None, None, "c0ffee", None)
EVENTS: list[Event] = [
    MessageEvent("accepted", "Q1", 1, None, "c0ffee"),
    MessageEvent(
        "accepted",
        "Q2",
        2,
        "mx",
        "c0ffee",
        subject="Giấy mời \x00",
        personal=True,
        size_bytes=0,
        spam_score=0.0,
        signatures=("pdf", "smime"),
        risks=("macro",),
        recipients=(
            RecipientRecord(0, "an@x.vn", "inbound", "queued"),
            RecipientRecord(1, None, None, "rejected", last_reply="550 5.7.1 no"),
        ),
        decisions=(DECISION, BARE),
    ),
    OutcomeEvent("Q2", 1, 3, "delivered"),
    OutcomeEvent("Q2", 0, 4, "deferred", "451 4.3.0", 2, decision=DECISION),
    AlarmEvent("A1", 5, "mx1", "sending.limit_reached", "account:an", {"limit": 9, "left": None}, "00ff"),
    SenderReportEvent(
        "Q3",
        6,
        SenderReport("tls", "Y", "r1", "x.vn", 0, 9, ((ReportRow("x.vn", "", "success"), 3),), 2, False),
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode(encode(event)) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_outbox_of_a_version_that_told_every_field_is_read(event: Event) -> None:
    every_field = {"kind": KINDS[type(event)], **asdict(event)}
    assert decode(json.dumps(every_field).encode()) == event


def test_what_versions_before_cannot_do_without_is_told() -> None:
    """They look these up in every event: a service that goes back a version reads its outbox."""
    assert {"signatures", "recipients", "decisions"} <= json.loads(encode(EVENTS[0])).keys()
    assert json.loads(encode(EVENTS[2]))["decision"] is None


def test_what_is_not_known_takes_no_room() -> None:
    assert len(encode(EVENTS[0])) < 160
