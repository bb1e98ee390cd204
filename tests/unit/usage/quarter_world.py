"""A province whose agencies end, begin and merge in the middle of a quarter, and a relay in front of it.

Messages are bytes that the real relay takes in on a day of the test's choosing; what it tells the
ledger is kept as events.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from mailgov.mail.address import Address
from mailgov.mail.events import Event, OutcomeEvent
from mailgov.relay.data import DataSink
from mailgov.relay.edits import Trace
from mailgov.relay.expand import Target
from mailgov.relay.incoming import Incoming, Recipient
from mailgov.relay.judge import account_facts, path_facts, session_facts
from mailgov.relay.node import Node
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.snapshot import AccountEntry
from tests.support.relay_node import directory
from tests.unit.usage.traffic import address, at_ms

FIRST, DISSOLVED, MERGED, END = date(2026, 10, 1), date(2026, 11, 16), date(2026, 12, 1), date(2027, 1, 1)
"""The quarter, the day that haquang became xa1 and xa2, and the day that stttt went into snv."""
MINISTRY = "vanthu@bo-mau.example"

AGENCIES = (
    AgencySpan("ubnd", "UBND tỉnh", "province", "UBND"),
    AgencySpan("vpubnd", "Văn phòng UBND tỉnh", "province", "VP"),
    AgencySpan("snv", "Sở Nội vụ", "province", "SNV"),
    AgencySpan("stc", "Sở Tài chính", "province", "STC"),
    AgencySpan("stttt", "Sở Thông tin và Truyền thông", "province", "STTTT", valid_until=MERGED),
    AgencySpan("haquang", "UBND huyện Hà Quảng", "district", "UBND", valid_until=DISSOLVED),
    AgencySpan("xa1", "UBND xã Một", "commune", "UBND"),
    AgencySpan("xa2", "UBND xã Hai", "commune", "UBND", valid_from=DISSOLVED),
)
BY_CODE = {span.code: span for span in AGENCIES}
CLASSES = ("can_bo", "cong_chuc", "vien_chuc", "khac")


@dataclass(frozen=True)
class Holder:
    """An account and where it serves, in order; a person's has a class."""

    name: str
    posts: tuple[Post, ...]
    personal: bool = False
    grants: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return address(self.name)

    @property
    def number(self) -> int:
        """A person's number within the first agency: habits go by it."""
        return int(self.name.rpartition("-")[2])

    def post_on(self, day: date) -> Post | None:
        inside = [
            post
            for post in self.posts
            if (post.valid_from is None or post.valid_from <= day)
            and (post.valid_until is None or day < post.valid_until)
        ]
        return inside[0] if inside else None

    def agency_on(self, day: date) -> str | None:
        post = self.post_on(day)
        return post.agency_code if post else None


def holders(chance: random.Random) -> list[Holder]:
    """A shared mailbox for each agency, and its people: some move, and all leave an agency that ends."""
    found = []
    for span in AGENCIES:
        post = Post(span.code, None, span.valid_from, span.valid_until)
        grants = (address("ubnd"),) if span.code == "vpubnd" else ()
        found.append(Holder(span.code, (post,), grants=grants))
    after = {"haquang": (("xa1", "xa2"), DISSOLVED), "stttt": (("snv",), MERGED)}
    for at, span in enumerate(AGENCIES):
        for number in range(6 if span.code != "xa2" else 0):
            person_class = CLASSES[(number + at) % len(CLASSES)]
            if span.code in after:
                heirs, day = after[span.code]
                to: str | None = heirs[number % len(heirs)]
            else:
                day = FIRST + timedelta(days=chance.randrange(100))
                to = chance.choice(["snv", "stc", "vpubnd"]) if number == 5 else None
                to = None if to == span.code else to
            posts: tuple[Post, ...] = (Post(span.code, person_class, None, None if to is None else day),)
            if to is not None:
                posts += (Post(to, person_class, day, None),)
            found.append(Holder(f"{span.code}-{number}", posts, personal=True))
    return found


@dataclass(frozen=True)
class Mail:
    """A message that was taken in: where it went, and the day that it arrived there.

    It arrives for the agency that the mailbox belonged to when it was taken in.
    """

    queue_id: str
    day: date
    to: tuple[Holder, ...]
    arrived: date


HOUR_MS = 3_600_000


@dataclass
class World:
    """The relay with a calendar. `events` grow as mail goes through it."""

    node: Node
    chance: random.Random
    people: list[Holder]
    clock: list[int]
    """The one moment that the relay's clock shows."""
    events: list[Event] = field(default_factory=list)
    _read: int = 0
    _day: date | None = None

    def holder(self, name: str) -> Holder:
        return next(one for one in self.people if one.name == name)

    def staff(self, agency: str, day: date) -> list[Holder]:
        """Who writes at work there: those numbered below 3 have habits of their own."""
        return [
            one for one in self.people if one.personal and one.number > 2 and one.agency_on(day) == agency
        ]

    async def send(
        self,
        sender: Holder | str,
        subject: str,
        to: Sequence[Holder],
        day: date,
        *,
        author: str | None = None,
        fields: Sequence[str] = (),
        attached: bytes | None = None,
        name: str = "van-ban.pdf",
        late_days: int = 0,
    ) -> Mail:
        """Give the message to the relay on that day (from outside where `sender` is an address)."""
        self._turn_to(day)
        account = None if isinstance(sender, str) else self.node.directory.snapshot.account(sender.address)
        path = sender if isinstance(sender, str) else sender.address
        incoming = _envelope(self.node, account, path, to)
        sink = DataSink(self.node, incoming)
        await sink.feed(_letter(author or path, subject, fields, attached, name))
        reply = await sink.end()
        assert reply.code == 250, reply
        await self._hear()
        arrived = day + timedelta(days=late_days)
        for position, one in enumerate(to):
            self.events.append(
                OutcomeEvent(
                    incoming.queue_id,
                    position,
                    at_ms(arrived, 0) + (self.clock[0] - at_ms(day, 0)),
                    "delivered",
                    account=one.address,
                    agency=one.agency_on(day),
                )
            )
        return Mail(incoming.queue_id, day, tuple(to), arrived)

    def _turn_to(self, day: date) -> None:
        # At work, or in the first or the last moment of the province's day.
        moments = [8 * HOUR_MS + self.chance.randrange(9 * HOUR_MS)] * 8 + [0, 24 * HOUR_MS - 1]
        self.clock[0] = at_ms(day, 0) + self.chance.choice(moments)
        if day != self._day:
            self._day = day
            self.node.directory.confirm(directory([_entry(one, day) for one in self.people]))

    async def _hear(self) -> None:
        for sequence, event in await self.node.spool.events(self._read, 100):
            assert not isinstance(event, bytes)
            self._read = sequence
            self.events.append(event)


def _entry(one: Holder, day: date) -> AccountEntry:
    post = one.post_on(day)
    return AccountEntry(
        id=1,
        address=one.address,
        kind="personal" if one.personal else "shared",
        display_name=one.name,
        agency=post.agency_code if post else None,
        person_class=post.person_class if post else None,
        password_hash=None,
        suspended=False,
        must_change=False,
        citizen_desk=False,
        addresses=frozenset({one.address, *one.grants}),
        registered=frozenset(),
    )


def _envelope(node: Node, account: AccountEntry | None, path: str, to: Sequence[Holder]) -> Incoming:
    inside = account is not None
    facts = session_facts(
        node, listener="submission" if inside else "mx", authenticated=inside, tls=True, client="192.0.2.1"
    )
    facts |= account_facts(account) | path_facts(account, path, own=False)
    trace = Trace("client.test", "192.0.2.1", "ESMTPSA")
    made = Incoming(node.clock.queue_id(), "submission" if inside else "mx", account, path, trace, facts)
    for one in to:
        entry = node.directory.snapshot.account(one.address)
        target = Target(Address.parse(one.address), one.address, entry)
        made.recipients.append(Recipient(target, "internal" if inside else "inbound", {}))
    return made


def _letter(author: str, subject: str, fields: Sequence[str], attached: bytes | None, name: str) -> bytes:
    word = base64.b64encode(subject.encode()).decode()
    head = [f"From: <{author}>", f"Subject: =?UTF-8?B?{word}?=", *fields]
    if attached is None:
        return "\r\n".join(head).encode() + b"\r\n\r\nKinh gui\r\n"
    head.append('Content-Type: multipart/mixed; boundary="b"')
    part = f'--b\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    part += "Content-Transfer-Encoding: base64\r\n\r\n"
    body = base64.encodebytes(attached).replace(b"\n", b"\r\n")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + part.encode() + body + b"--b--\r\n"
