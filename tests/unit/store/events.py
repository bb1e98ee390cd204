"""Streams of traffic events for the ledger's tests."""

from __future__ import annotations

import random
from dataclasses import replace

from mailgov.mail.events import (
    DecisionRecord,
    Direction,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecipientRecord,
    RecipientState,
)

START_MS = 1_764_435_600_000
"""2025-11-30 00:00 in Asia/Ho_Chi_Minh."""
DAY_MS = 86_400_000
POLICY = "c0ffee"
PROVIDERS = ("free", "paid-foreign", "domestic", "gateway", "unknown", "of a later version", None)


def decision(number: int, position: int | None = None, outcome: str = "accept") -> DecisionRecord:
    return DecisionRecord(
        id=f"{number:032x}",
        stage="rcpt",
        outcome=outcome,
        rule="cold-free-mail",
        document="CB",
        article="1b",
        mode="monitor",
        policy_hash=POLICY,
        facts={"recipient.domain": "gmail.com", "recipient.wrote_in_days": None},
        position=position,
    )


def recipient(
    position: int = 0, direction: Direction = "internal", state: RecipientState = "queued"
) -> RecipientRecord:
    if direction == "outbound":
        return RecipientRecord(
            position, f"nguoi{position}@example.vn", direction, state, mx_provider="domestic"
        )
    address = f"hop{position}@caobang.gov.vn"
    return RecipientRecord(position, address, direction, state, account=address, agency="H14.02")


def message(number: int, at_ms: int = START_MS, *recipients: RecipientRecord) -> MessageEvent:
    return MessageEvent(
        verdict="accepted",
        queue_id=f"{number:016x}",
        at_ms=at_ms,
        source="submission",
        policy_hash=POLICY,
        account="an@caobang.gov.vn",
        agency="H14.01",
        personal=True,
        reverse_path="an@caobang.gov.vn",
        author="an@caobang.gov.vn",
        subject="12/GM-UBND: Giấy mời họp",
        document_class="GM",
        symbol="12/GM-UBND",
        to_others=True,
        size_bytes=2048,
        signatures=("dkim",),
        recipients=recipients or (recipient(),),
    )


def outcome(
    number: int, position: int = 0, state: RecipientState = "delivered", at_ms: int = START_MS + 1000
) -> OutcomeEvent:
    return OutcomeEvent(f"{number:016x}", position, at_ms, state, reply="250 2.0.0 ok", attempts=1)


def numbered(*events: Event, start: int = 1) -> list[tuple[int, Event]]:
    return list(enumerate(events, start))


def stream(seed: int, messages: int = 120, days: int = 5) -> list[tuple[int, Event]]:
    """A random stream as a spool would tell it: messages of every kind, outcomes late, repeated and odd."""
    chance = random.Random(seed)
    events: list[Event] = []
    waiting: list[OutcomeEvent] = []
    for number in range(messages):
        event = _random_message(chance, seed * 10_000 + number, START_MS + chance.randrange(days * DAY_MS))
        events.append(event)
        for record in event.recipients:
            waiting += _random_outcomes(chance, event, record)
        while waiting and chance.random() < 0.6:
            events.append(waiting.pop(chance.randrange(len(waiting))))
    chance.shuffle(waiting)
    return numbered(*events, *waiting[: len(waiting) * 3 // 4])


def _random_message(chance: random.Random, number: int, at_ms: int) -> MessageEvent:
    states: list[RecipientState] = ["queued", "queued", "held", "delivered", "rejected"]
    directions: list[Direction] = ["internal", "outbound", "inbound"]
    recipients = tuple(
        recipient(position, chance.choice(directions), chance.choice(states))
        for position in range(chance.randrange(5))
    )
    account = chance.choice([None, "an@caobang.gov.vn", "bình@caobang.gov.vn", "vanthu@caobang.gov.vn"])
    recipients = tuple(
        replace(one, mx_provider=chance.choice(PROVIDERS)) if one.direction == "outbound" else one
        for one in recipients
    )
    more = random.Random(number)
    return replace(
        message(number, at_ms),
        recipients=recipients,
        verdict=chance.choice(["accepted", "accepted", "accepted", "rejected"]),
        source=chance.choice(["mx", "own"]) if account is None else "submission",
        account=account,
        agency=chance.choice([None, "H14.01", "H14.02"]),
        personal=chance.random() < 0.7,
        document_class=chance.choice([None, "GM", "CV", "TLH"]),
        symbol=more.choice([None, None, *(f"{number}/GM-UBND" for number in range(8))]),
        issuer=more.choice([None, None, "H14.02"]) if account else None,
        thread_id=more.choice([None, "<1@a>", "<2@a>"]),
        reply=more.random() < 0.1,
        automatic=chance.random() < 0.2,
        to_others=chance.random() < 0.8,
        size_bytes=chance.choice([None, 1, 4096, 41_000_000]),
        sample=chance.random() < 0.3,
        decisions=(decision(number),) if chance.random() < 0.3 else (),
    )


def _random_outcomes(
    chance: random.Random, event: MessageEvent, record: RecipientRecord
) -> list[OutcomeEvent]:
    states: list[RecipientState] = ["delivered", "delivered", "deferred", "held", "bounced", "dropped"]
    return [
        replace(
            outcome(0, record.position, chance.choice(states), event.at_ms + chance.randrange(2 * DAY_MS)),
            queue_id=event.queue_id,
            mx_provider=chance.choice(PROVIDERS),
            account=chance.choice([None, record.account, "khac@caobang.gov.vn"]),
            agency=chance.choice([None, "H14.02", "H14.03"]),
            decision=decision(chance.randrange(1 << 60), outcome="hold") if chance.random() < 0.1 else None,
        )
        for _ in range(chance.randrange(4))
    ]
