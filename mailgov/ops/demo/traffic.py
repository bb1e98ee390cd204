"""A month or two of made-up traffic for the demo province, as the events a relay would have told.

Everything is marked as sample. The same day gives the same traffic. Addresses outside the
province cannot exist: their domains are reserved (RFC 2606) or their local parts are not
among those that the free mail services give out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailgov.mail.document import classify
from mailgov.mail.events import DecisionRecord, Event, MessageEvent, OutcomeEvent, RecipientRecord
from mailgov.ops.demo.data import read_json

SEED = 4096
DAYS = 30
"""At least so many days of traffic."""
SPOOL_ID = "sample-traffic"
_MINISTRY = "vanthu@bo-mau.example"
_CITIZENS = tuple(f"mau-cong-dan-{number:02}@gmail.com" for number in range(1, 31))  # Gmail gives no hyphens
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBERS_A_DAY = 0.2
"""Documents of one series that an agency had issued by each day of the year before the traffic begins."""
_ON_PAPER = 3
"""Each number that it divides is left to a document on paper."""
_WEEKEND = 0.06
"""How much of a working day's mail a day off has."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An account of the demo that writes and receives."""

    address: str
    agency: str
    personal: bool
    symbol: str
    """What the agency's documents end in."""


COLD_FREE_MAIL = "cold-free-mail"
SECRECY_STOP = "state-secret-subject"


@dataclass(frozen=True, slots=True)
class RuleNames:
    """The policy that the month's decisions name: its hash, and each rule's document and article."""

    policy_hash: str
    rules: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class _Month:
    """The month as it is made; `events` with the milliseconds they happen at."""

    chance: random.Random
    mailboxes: Sequence[Mailbox]
    policy: RuleNames
    timezone: ZoneInfo
    subjects: dict[str, list[tuple[str, list[str]]]]
    events: list[Event] = field(default_factory=list)
    by_address: dict[str, Mailbox] = field(default_factory=dict)
    numbers: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """The last number of each series: issuer, what follows the number, year."""

    def number(self, issuer: str, series: str, day: date) -> int:
        """The next number of a series that goes by mail."""
        key = (issuer, series, day.year)
        begun = day.timetuple().tm_yday * _NUMBERS_A_DAY
        last = self.numbers.get(key, round(begun))
        self.numbers[key] = last + (2 if (last + 1) % _ON_PAPER == 0 else 1)
        return self.numbers[key]

    def bits(self, count: int) -> int:
        return self.chance.getrandbits(count)


def first_day(today: date) -> date:
    """The traffic begins with a civil month and covers at least one whole: figures are judged by those."""
    return (today - timedelta(days=DAYS)).replace(day=1)


def month(
    mailboxes: Sequence[Mailbox], today: date, *, desk: str, policy: RuleNames, timezone: str
) -> list[tuple[int, Event]]:
    """Events from `first_day` to the day before `today`, numbered from 1 in the order of their time.

    `desk` is the address that citizens write to.
    """
    made = _Month(
        random.Random(f"{SEED} {today}"),  # noqa: S311 - made-up traffic, no secret
        mailboxes,
        policy,
        ZoneInfo(timezone),
        read_json("subjects.json"),
        by_address={mailbox.address: mailbox for mailbox in mailboxes},
    )
    # A habit belongs to a person, not to a day: some never write, which is what the figures show.
    habits = random.Random(SEED)  # noqa: S311 - as above
    rates = {mailbox.address: _rate(habits, mailbox) for mailbox in mailboxes}
    for back in range((today - first_day(today)).days, 0, -1):
        _day(made, today - timedelta(days=back), rates, desk)
    made.events.sort(key=lambda event: event.at_ms)
    return list(enumerate(made.events, start=1))


def _rate(habits: random.Random, mailbox: Mailbox) -> float:
    """Messages on a working day."""
    if not mailbox.personal:
        return habits.uniform(0.5, 2.0)
    kind = habits.random()
    if kind < 0.12:
        return 0.0
    return habits.uniform(0.02, 0.1) if kind < 0.25 else habits.uniform(0.3, 1.6)


def _day(made: _Month, day: date, rates: dict[str, float], desk: str) -> None:
    busy = _WEEKEND if day.weekday() >= 5 else 1.0
    for mailbox in made.mailboxes:
        for _ in range(_times(made.chance, rates[mailbox.address] * busy)):
            _send(made, day, mailbox)
    for _ in range(_times(made.chance, 9 * busy)):
        _receive(made, day, desk)
    if COLD_FREE_MAIL in made.policy.rules:
        for _ in range(_times(made.chance, 0.8 * busy)):
            _reject(made, day)
    if SECRECY_STOP in made.policy.rules and made.chance.random() < 0.1 * busy:
        _stop(made, day)


def _times(chance: random.Random, rate: float) -> int:
    """A whole number whose mean is `rate`."""
    return int(rate) + (chance.random() < rate % 1)


def _send(made: _Month, day: date, mailbox: Mailbox) -> None:
    """One message inside, or now and then to a ministry or a citizen who has written."""
    pattern, names = made.chance.choice(made.subjects["person" if mailbox.personal else "agency"])
    subject = _subject(made, pattern, day, mailbox.agency, mailbox.symbol)
    event = replace(
        _message(made, day, subject, names),
        source="submission",
        account=mailbox.address,
        agency=mailbox.agency,
        personal=mailbox.personal,
        reverse_path=mailbox.address,
        author=mailbox.address,
        issuer=mailbox.agency,
        to_others=True,
        signatures=("pdf",) if not mailbox.personal and made.chance.random() < 0.15 else (),
        recipients=tuple(_recipients(made, mailbox)),
    )
    _keep(made, event)


def _recipients(made: _Month, mailbox: Mailbox) -> Iterator[RecipientRecord]:
    if made.chance.random() < 0.12:
        address = _MINISTRY if made.chance.random() < 0.7 else made.chance.choice(_CITIZENS)
        provider = "domestic" if address == _MINISTRY else "free"
        yield RecipientRecord(0, address, "outbound", "queued", mx_provider=provider)
        return
    others = [other for other in made.mailboxes if other.personal == mailbox.personal and other != mailbox]
    count = 1 + int(made.chance.expovariate(1.2 if mailbox.personal else 0.4))
    chosen = made.chance.sample(others, min(count, len(others), 12))
    for position, other in enumerate(chosen):
        yield RecipientRecord(position, other.address, "internal", "queued", other.address, other.agency)


def _receive(made: _Month, day: date, desk: str) -> None:
    """One message from outside: a citizen to the desk, or a ministry to some agency."""
    if made.chance.random() < 0.6:
        author, target = made.chance.choice(_CITIZENS), made.by_address[desk]
        pattern, names = made.chance.choice(made.subjects["citizen"])
    else:
        author = _MINISTRY
        target = made.chance.choice([mailbox for mailbox in made.mailboxes if not mailbox.personal])
        pattern, names = made.chance.choice(made.subjects["agency"])
    subject = _subject(made, pattern, day, author, "BM")
    recipient = RecipientRecord(0, target.address, "inbound", "queued", target.address, target.agency)
    event = replace(_message(made, day, subject, names), source="mx", reverse_path=author, author=author)
    _keep(made, replace(event, issuer=f"@{author.rpartition('@')[2]}", recipients=(recipient,)))


def _reject(made: _Month, day: date) -> None:
    """A cold message to a free mail service, rejected when its recipient was named."""
    mailbox = made.chance.choice([mailbox for mailbox in made.mailboxes if mailbox.personal])
    facts = {"recipient.domain": "gmail.com", "recipient.mx_provider": "free"}
    decision = _decision(made, COLD_FREE_MAIL, "rcpt", facts, position=0)
    recipient = RecipientRecord(
        0,
        f"mau-nguoi-la-{made.bits(8)}@gmail.com",
        "outbound",
        "rejected",
        mx_provider="free",
        decision_id=decision.id,
    )
    event = replace(
        _message(made, day, "", ()),
        verdict="rejected",
        source="submission",
        account=mailbox.address,
        agency=mailbox.agency,
        personal=True,
        reverse_path=mailbox.address,
        subject=None,
        document_class=None,
        message_id=None,
        size_bytes=None,
        to_others=True,
        recipients=(recipient,),
        decisions=(decision,),
    )
    made.events.append(event)


def _stop(made: _Month, day: date) -> None:
    """A stop for secrecy: nothing but the fact is kept."""
    mailbox = made.chance.choice([mailbox for mailbox in made.mailboxes if mailbox.personal])
    decision = _decision(made, SECRECY_STOP, "data", {"message.secrecy": "MẬT"})
    at_ms = _moment(made, day)
    event = MessageEvent(
        verdict="rejected",
        queue_id=_queue_id(made, at_ms),
        at_ms=at_ms,
        source=None,
        policy_hash=made.policy.policy_hash,
        account=mailbox.address,
        secrecy="MẬT",
        decisions=(decision,),
        sample=True,
    )
    made.events.append(event)


def _decision(
    made: _Month, rule: str, stage: str, facts: dict[str, str], position: int | None = None
) -> DecisionRecord:
    document, article = made.policy.rules[rule]
    return DecisionRecord(
        id=f"{made.bits(128):032x}",
        stage=stage,
        outcome="reject",
        rule=rule,
        document=document,
        article=article,
        mode="enforce",
        policy_hash=made.policy.policy_hash,
        facts=dict(facts),
        position=position,
    )


def _message(made: _Month, day: date, subject: str, names: Sequence[str]) -> MessageEvent:
    document = classify(subject, names)
    at_ms = _moment(made, day)
    queue_id = _queue_id(made, at_ms)
    return MessageEvent(
        verdict="accepted",
        queue_id=queue_id,
        at_ms=at_ms,
        source="submission",
        policy_hash=made.policy.policy_hash,
        subject=subject,
        message_id=f"<{queue_id}@sample.invalid>",
        thread_id=f"<{queue_id}@sample.invalid>",
        document_class=document.document_class,
        symbol=document.symbol,
        urgency=document.urgency,
        reply=document.reply,
        forward=document.forward,
        meeting=document.meeting,
        size_bytes=2_000
        + int(made.chance.expovariate(1 / 4_000))
        + len(names) * made.chance.randrange(2**20),
        tls="TLSv1.3",
        attachments=len(names),
        sample=True,
    )


def _keep(made: _Month, event: MessageEvent) -> None:
    """The message and what became of each recipient, seconds to minutes later."""
    made.events.append(event)
    for recipient in event.recipients:
        at_ms = event.at_ms + int(made.chance.expovariate(1 / 2_000)) + 50
        outside = recipient.direction == "outbound"
        outcome = OutcomeEvent(
            queue_id=event.queue_id,
            position=recipient.position,
            at_ms=at_ms,
            state="delivered",
            reply="250 2.0.0 Ok" if outside else None,
            attempts=1,
            mx_host="mx.example" if outside else None,
            mx_provider=recipient.mx_provider,
            account=recipient.account,
            agency=recipient.agency,
            document_class=event.document_class,
            size_bytes=event.size_bytes or 0,
            sample=True,
        )
        if outside and made.chance.random() < 0.08:
            made.events.append(replace(outcome, state="deferred", reply="451 4.3.0 Try again later"))
            outcome = replace(outcome, at_ms=at_ms + 130_000, attempts=2)
            if made.chance.random() < 0.3:
                outcome = replace(outcome, state="bounced", reply="550 5.1.1 No such mailbox")
        made.events.append(outcome)


def _subject(made: _Month, pattern: str, day: date, issuer: str, symbol: str) -> str:
    number = 0
    if "{number}" in pattern:
        number = made.number(issuer, pattern.partition("/")[2].partition(" ")[0], day)
    return pattern.format(
        number=number,
        symbol=symbol,
        month=f"tháng {day.month}",
        week=day.isocalendar().week,
        day=f"{day:%d/%m/%Y}",
        year=day.year,
    )


def _moment(made: _Month, day: date) -> int:
    """A time between 07:00 and 17:30, local."""
    morning = datetime.combine(day, time(7), made.timezone).timestamp()
    return int(morning * 1000) + made.chance.randrange(10 * 3_600_000 + 1_800_000)


def _queue_id(made: _Month, at_ms: int) -> str:
    """Of the relay's form: 50 bits of time and 40 of chance."""
    number = (at_ms << 40) | made.bits(40)
    return "".join(_SIGNS[number >> shift & 31] for shift in range(85, -1, -5))
