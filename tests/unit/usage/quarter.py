"""A quarter of mail whose truth is known: each document and habit is decided on first, and counted so.

The mail that comes of it repeats, answers, forwards and cuts up the documents in every way that
must not be counted twice. Nothing here looks at a key, a class or a rollup.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from mailgov.mail.events import Event
from mailgov.store.declarations import RegisterLine
from mailgov.usage.periods import Span
from tests.unit.usage.quarter_world import (
    AGENCIES,
    BY_CODE,
    DISSOLVED,
    END,
    FIRST,
    MINISTRY,
    Holder,
    Mail,
    World,
)

BEGIN, LAST = date(2026, 9, 8), date(2027, 1, 8)
WORDS = {"GM": "Giấy mời", "TB": "Thông báo", "BC": "Báo cáo", "KH": "Kế hoạch"}


@dataclass(eq=False)
class Doc:
    """One document: who issued it, when it first went out, and whom it reached first when."""

    issuer: str
    symbol: str | None = None
    kind: str | None = None
    mails: list[Mail] = field(default_factory=list)

    @property
    def first(self) -> date:
        return min(mail.day for mail in self.mails)

    def reached(self) -> dict[str, date]:
        days: dict[str, date] = {}
        for mail in self.mails:
            for one in mail.to:
                agency = one.agency_on(mail.day)
                if agency not in (None, self.issuer):
                    days[str(agency)] = min(days.get(str(agency), mail.arrived), mail.arrived)
        return days


@dataclass
class Truth:
    """What is to come out."""

    docs: list[Doc] = field(default_factory=list)
    wrote: dict[str, list[date]] = field(default_factory=lambda: defaultdict(list))
    """Days that a person wrote to somebody else by hand."""
    corrections: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """(queue id, class, symbol) that clerks correct."""
    register: list[RegisterLine] = field(default_factory=list)
    register_before: list[RegisterLine] = field(default_factory=list)
    register_sent: int = 0
    register_entries: int = 0

    def sent(self, agency: str, days: Span) -> int:
        return sum(doc.issuer == agency and days.start <= doc.first < days.end for doc in self.docs)

    def unnumbered(self, agency: str, days: Span) -> int:
        mine = (doc for doc in self.docs if doc.symbol is None and doc.issuer == agency)
        return sum(days.start <= doc.first < days.end for doc in mine)

    def received(self, agency: str, days: Span) -> int:
        firsts = (doc.reached().get(agency) for doc in self.docs)
        return sum(day is not None and days.start <= day < days.end for day in firsts)

    def active(self, people: Iterable[Holder], months: Sequence[Span]) -> set[str]:
        return {
            one.address
            for one in people
            if all(any(m.start <= day < m.end for day in self.wrote[one.address]) for m in months)
        }


@dataclass
class Quarter:
    """The generator. `numbers` are the last of each series: issuer, what follows the number, year."""

    world: World
    chance: random.Random
    truth: Truth = field(default_factory=Truth)
    numbers: dict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))
    _ids: int = 0

    async def run(self) -> list[Event]:
        """All of it, in the order of days; the events as the relay told them."""
        day = BEGIN
        while day < LAST:
            for _ in range(3 if day.weekday() < 5 else 1):
                await self.chance.choice(STORIES)(self, day)
            day += timedelta(days=1)
        await self.habits()
        await self.resent()
        await self.corrected()
        await self.last_days()
        await self.register()
        return self.world.events

    # Tools

    def issuers(self, day: date) -> list[str]:
        return [span.code for span in AGENCIES if span.holds(day)]

    def mailboxes(self, day: date, count: int | None = None, *, without: str = "") -> list[Holder]:
        there = [self.world.holder(code) for code in self.issuers(day) if code != without]
        return self.chance.sample(there, min(len(there), count or self.chance.randrange(1, 5)))

    def message_id(self) -> str:
        self._ids += 1
        return f"<{self._ids}@thu.test>"

    def writer(self, issuer: str, day: date) -> tuple[Holder, str]:
        """Somebody who may write as the issuer, and the address to write as."""
        if issuer == "ubnd":
            office = self.world.holder("vpubnd")
            return office, self.world.holder("ubnd").address
        staff = self.world.staff(issuer, day)
        shared = self.world.holder(issuer)
        one = self.chance.choice([shared, shared, *staff])
        return one, one.address

    def numbered(self, issuer: str, kind: str, day: date) -> Doc:
        """The next number of the series, which begins at 1 each year."""
        abbreviation = BY_CODE[issuer].abbreviation or ""
        tail = f"{kind}-{abbreviation}" if kind != "CV" else f"{abbreviation}-VX"
        self.numbers[issuer, tail, day.year] += 1
        doc = Doc(issuer, f"{self.numbers[issuer, tail, day.year]}/{tail}", kind)
        self.truth.docs.append(doc)
        return doc

    def subject(self, doc: Doc) -> str:
        """One of the ways that people write a document's number at the head of a subject."""
        symbol, word = str(doc.symbol), WORDS.get(str(doc.kind), "Công văn")
        number, tail = symbol.split("/")
        forms = [f"{symbol} {word}", f"{word} số {symbol}", f"Số: {symbol}", f"KHẨN: {symbol} {word}"]
        forms += [f"{number} / {tail} {word}", f"{word} số {number}/ {tail}"]
        return self.chance.choice(forms)

    async def carry(self, doc: Doc, subject: str, day: date, to: Sequence[Holder], **more: object) -> Mail:
        """Send the document, or once more; the person who does so has written."""
        sender, author = self.writer(doc.issuer, day)
        mail = await self.world.send(sender, subject, to, day, author=author, **more)  # type: ignore[arg-type]  # passed on
        doc.mails.append(mail)
        self.wrote(sender, day, to)
        return mail

    def wrote(self, sender: Holder, day: date, to: Sequence[Holder]) -> None:
        if sender.personal and any(one != sender for one in to):
            self.truth.wrote[sender.address].append(day)

    # People

    async def habits(self) -> None:
        """Who writes in which months, by hand or by program, to others or to oneself."""
        for one in [one for one in self.world.people if one.personal]:
            others = [self.world.holder("stc")]
            for month in range(9, 13):
                day = date(2026, month, 1 + self.chance.randrange(28))
                if one.number == 0 and month == 11:
                    continue  # silent in one month
                automatic = ("Auto-Submitted: auto-replied",) if one.number == 1 else ()
                to = [one] if one.number == 2 else others
                await self.world.send(one, "Trao đổi công việc", to, day, fields=automatic)
                if not automatic:
                    self.wrote(one, day, to)

    async def resent(self) -> None:
        """Documents that go out once more weeks later, to some for the first time."""
        day = date(2026, 12, 21)
        known = [
            doc
            for doc in self.truth.docs
            if doc.symbol and doc.first < date(2026, 12, 1) and doc.issuer in self.issuers(day)
        ]
        for doc in self.chance.sample(known, 8):
            await self.carry(doc, self.subject(doc), day, self.mailboxes(day, 3, without=doc.issuer))

    async def corrected(self) -> None:
        """What the rules take for something else, and clerks put right."""
        for number in range(4):
            day = date(2026, 10, 5 + number)
            taken = Doc("snv", None if number % 2 else f"{900 + number}/KH-SNV", "KH")
            self.truth.docs.append(taken)
            mail = await self.carry(taken, f"Kính chuyển anh chị nội dung {number}", day, self.mailboxes(day))
            self.truth.corrections.append((mail.queue_id, "KH", taken.symbol))
            one = self.world.holder("stc")
            innocent = await self.world.send(one, f"Thông báo nghỉ phép {number}", self.mailboxes(day), day)
            self.truth.corrections.append((innocent.queue_id, None, None))

    async def last_days(self) -> None:
        """Sent in the quarter and delivered after it; a district's last document; other years' namesakes."""
        eve = END - timedelta(days=1)
        doc = self.numbered("stc", "BC", eve)
        await self.carry(doc, self.subject(doc), eve, self.mailboxes(eve, 3), late_days=1)
        district = self.numbered("haquang", "GM", DISSOLVED - timedelta(days=1))
        before = DISSOLVED - timedelta(days=1)
        await self.carry(district, self.subject(district), before, self.mailboxes(before, 4))
        for year in (2025, 2027):
            namesake = Doc("snv", "1/KH-SNV", "KH")
            self.truth.docs.append(namesake)
            await self.carry(namesake, "1/KH-SNV Kế hoạch", date(year, 1, 5), self.mailboxes(FIRST, 2))

    async def register(self) -> None:
        """The committee's register of the quarter: what went by mail, on paper, and outside the target."""
        truth = self.truth
        listed = [
            doc for doc in truth.docs if doc.issuer == "ubnd" and doc.kind in {"GM", "TB", "LCT", "TLH"}
        ]
        for doc in sorted(listed, key=lambda doc: doc.first):
            line = RegisterLine(
                str(doc.kind),
                doc.first,
                doc.symbol,
                f"Dòng {len(truth.register)}",
                queue_id=None if doc.symbol else doc.mails[0].queue_id,
            )
            if FIRST <= doc.first < END:
                truth.register.append(line)
                truth.register_sent += 1
            elif doc.first.year == 2026 and doc.first < FIRST:
                truth.register_before.append(line)
        truth.register_entries = truth.register_sent
        for kind, exempt in (("TB", None), ("GM", "secret"), ("GM", None), ("TB", "other-system")):
            on_paper = self.numbered("ubnd", kind, END - timedelta(days=1))
            truth.docs.remove(on_paper)
            symbol = None if exempt == "secret" else on_paper.symbol  # it bears a number that nobody may note
            truth.register.append(RegisterLine(kind, date(2026, 12, 30), symbol, exempt=exempt))
            truth.register_entries += exempt is None
        truth.register.append(RegisterLine("TLH", date(2026, 12, 30), title="Phát giấy"))
        truth.register.append(truth.register[0])  # a line that stands twice
        truth.register_entries += 1


# Stories: each is something that happens to a document, or that looks as if it were one.


async def plain(quarter: Quarter, day: date) -> None:
    issuer = quarter.chance.choice(quarter.issuers(day))
    doc = quarter.numbered(issuer, quarter.chance.choice([*WORDS, "CV"]), day)
    await quarter.carry(doc, quarter.subject(doc), day, quarter.mailboxes(day))


async def the_committees(quarter: Quarter, day: date) -> None:
    doc = quarter.numbered("ubnd", quarter.chance.choice(["GM", "TB"]), day)
    await quarter.carry(doc, quarter.subject(doc), day, quarter.mailboxes(day))


async def secretarial_copies(quarter: Quarter, day: date) -> None:
    """Sent again and again, by whoever has it at hand, to more agencies, in other words."""
    issuer = quarter.chance.choice(quarter.issuers(day))
    doc = quarter.numbered(issuer, "TB", day)
    for _ in range(3):
        await quarter.carry(doc, quarter.subject(doc), day, quarter.mailboxes(day))
        later = day + timedelta(days=quarter.chance.randrange(20))
        if BY_CODE[issuer].holds(later) and later.year == day.year:
            await quarter.carry(doc, quarter.subject(doc), later, quarter.mailboxes(later), late_days=1)


async def answers_and_forwards(quarter: Quarter, day: date) -> None:
    """Others answer it and pass it on: nobody has sent a document by that, nor received one."""
    issuer = quarter.chance.choice(quarter.issuers(day))
    doc = quarter.numbered(issuer, "GM", day)
    mail = await quarter.carry(doc, quarter.subject(doc), day, quarter.mailboxes(day, without=issuer))
    for prefix in ("Re: ", "TL: ", "Fwd: ", "CT: ", "RE: FW: "):
        reader = quarter.chance.choice(mail.to)
        staff = quarter.world.staff(str(reader.agency_on(day)), day) or [reader]
        to = quarter.mailboxes(day)
        sender = quarter.chance.choice(staff)
        await quarter.world.send(sender, f"{prefix}{doc.symbol} {WORDS['GM']}", to, day)
        quarter.wrote(sender, day, to)


async def automatic(quarter: Quarter, day: date) -> None:
    sender, author = quarter.writer(quarter.chance.choice(quarter.issuers(day)), day)
    for fields in (["Auto-Submitted: auto-replied"], ["Precedence: bulk"]):
        subject = f"{quarter.chance.randrange(500, 600)}/GM-TD Giấy mời"
        await quarter.world.send(sender, subject, quarter.mailboxes(day), day, author=author, fields=fields)


async def calendar(quarter: Quarter, day: date) -> None:
    """Without a symbol: sent on in its conversation it is the same, with another file another one."""
    issuer = quarter.chance.choice(["ubnd", *quarter.issuers(day)])
    file = quarter.chance.randbytes(400)
    own = quarter.message_id()
    doc = Doc(issuer, None, "LCT")
    quarter.truth.docs.append(doc)
    subject = f"Lịch công tác tuần {day.isocalendar().week}"
    for fields in ([f"Message-ID: {own}"], [f"Message-ID: {quarter.message_id()}", f"References: {own}"]):
        await quarter.carry(doc, subject, day, quarter.mailboxes(day), fields=fields, attached=file)
    if quarter.chance.random() < 0.5:
        changed = Doc(issuer, None, "LCT")
        quarter.truth.docs.append(changed)
        fields = [f"Message-ID: {quarter.message_id()}", f"References: {own}"]
        await quarter.carry(
            changed, subject, day, quarter.mailboxes(day), fields=fields, attached=file + b"x"
        )


async def papers_in_parts(quarter: Quarter, day: date) -> None:
    """Three messages, one document: by number, in words, or cut up by the mail program."""
    issuer = quarter.chance.choice(["ubnd", *quarter.issuers(day)])
    numbered = quarter.chance.random() < 0.3
    doc = quarter.numbered(issuer, "BC", day) if numbered else Doc(issuer, None, "TLH")
    if not numbered:
        quarter.truth.docs.append(doc)
    sender, author = quarter.writer(issuer, day)
    cut_up = not numbered and quarter.chance.random() < 0.5
    whole = quarter.message_id()[1:-1]
    head = f"{doc.symbol} Báo cáo" if numbered else f"Tài liệu họp {whole}"
    for number in (1, 2, 3):
        fields = [f"Message-ID: {quarter.message_id()}"]
        partial = f'Content-Type: message/partial; id="{whole}"; number={number}; total=3'
        to = quarter.mailboxes(day)
        mail = await quarter.world.send(
            sender,
            f"{head} [{number}/3]" if cut_up else f"{head} (phần {number}/3)",
            to,
            day,
            author=author,
            fields=[*fields, partial] if cut_up else fields,
            attached=None if cut_up else quarter.chance.randbytes(300),
        )
        doc.mails.append(mail)
        quarter.wrote(sender, day, to)


async def from_a_ministry(quarter: Quarter, day: date) -> None:
    """It reaches agencies, and some of them twice; it is nobody's sent document."""
    quarter.numbers["bo", "CV", day.year] += 1
    doc = Doc("@bo", f"{quarter.numbers['bo', 'CV', day.year]}/BM-VP", "CV")
    quarter.truth.docs.append(doc)
    for _ in range(2):
        mail = await quarter.world.send(MINISTRY, f"{doc.symbol} V/v báo cáo", quarter.mailboxes(day), day)
        doc.mails.append(mail)


async def talk(quarter: Quarter, day: date) -> None:
    """No document at all, though one is cited."""
    person = quarter.chance.choice(
        [one for one in quarter.world.people if one.personal and one.agency_on(day)]
    )
    to = quarter.mailboxes(day)
    for subject in ("Góp ý dự thảo 12/GM-UBND", "Trao đổi hồ sơ", "Ý kiến về văn bản 3/TB-SNV"):
        await quarter.world.send(person, subject, to, day)
    quarter.wrote(person, day, to)


STORIES = (
    plain,
    plain,
    the_committees,
    secretarial_copies,
    answers_and_forwards,
    automatic,
    calendar,
    papers_in_parts,
    from_a_ministry,
    talk,
)
