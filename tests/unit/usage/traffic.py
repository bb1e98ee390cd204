"""A ledger with a directory and traffic of known truth, written through the real fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from mailgov.mail.events import DecisionRecord, Event, MessageEvent, OutcomeEvent, RecipientRecord
from mailgov.store import accounts, agencies
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events

DOMAIN = "caobang.gov.vn"
OUTSIDE = "dan@vnn.vn"
BATCH = 500


def at_ms(day: date | str, hour: int = 9, minute: int = 0) -> int:
    """A local time of Viet Nam (UTC+7) in milliseconds."""
    if isinstance(day, str):
        day = date.fromisoformat(day)
    utc = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 7, minutes=minute)
    return int(utc.timestamp() * 1000)


def address(name: str) -> str:
    return f"{name}@{DOMAIN}"


@dataclass
class Traffic:
    """Events of one spool, in the order in which they are told."""

    spool_id: str = "spool-a"
    events: list[tuple[int, Event]] = field(default_factory=list)
    applied: int = 0

    def put(self, event: Event) -> None:
        self.events.append((self.applied + len(self.events) + 1, event))

    def sent(
        self,
        name: str,
        agency: str | None,
        day: date | str,
        *,
        to: tuple[str, ...] = (OUTSIDE,),
        hour: int = 9,
        personal: bool = True,
        automatic: bool = False,
        sample: bool = False,
        document_class: str | None = None,
        provider: str | None = "domestic",
    ) -> str:
        """An accepted message of an account, waiting in the queue; returns its queue id."""
        queue_id = f"{self.spool_id}-{self.applied + len(self.events) + 1:06d}"
        recipients = tuple(
            RecipientRecord(
                position=n,
                address=one,
                direction="internal" if one.endswith("@" + DOMAIN) else "outbound",
                state="queued",
                mx_provider=None if one.endswith("@" + DOMAIN) else provider,
            )
            for n, one in enumerate(to)
        )
        self.put(
            MessageEvent(
                verdict="accepted",
                queue_id=queue_id,
                at_ms=at_ms(day, hour),
                source="submission",
                policy_hash="p",
                account=address(name),
                agency=agency,
                personal=personal,
                reverse_path=address(name),
                author=address(name),
                automatic=automatic,
                to_others=any(one != address(name) for one in to),
                document_class=document_class,
                size_bytes=1000,
                recipients=recipients,
                sample=sample,
            )
        )
        return queue_id

    def rejected(
        self, name: str, agency: str | None, day: date | str, rule: str, *, sample: bool = False
    ) -> None:
        """A message of an account that a rule rejected; without an agency, a stop for secrecy."""
        number = self.applied + len(self.events) + 1
        decision = DecisionRecord(
            f"{self.spool_id}-d{number}", "rcpt", "reject", rule, "cao-bang", "mục 1b", "enforce", "p", {}
        )
        self.put(
            MessageEvent(
                verdict="rejected",
                queue_id=f"{self.spool_id}-{number:06d}",
                at_ms=at_ms(day),
                source="submission" if agency else None,
                policy_hash="p",
                account=address(name),
                agency=agency,
                secrecy=None if agency else "MẬT",
                decisions=(decision,),
                sample=sample,
            )
        )

    def delivered(self, queue_id: str, position: int, name: str, agency: str, day: date | str) -> None:
        """The message reached the mailbox of `name`."""
        self.put(
            OutcomeEvent(
                queue_id=queue_id,
                position=position,
                at_ms=at_ms(day, 10),
                state="delivered",
                reply="250 2.0.0 ok",
                attempts=1,
                account=address(name),
                agency=agency,
            )
        )

    async def apply(self, db: Database, now_ms: int = at_ms("2026-12-31")) -> None:
        """Tell the ledger what was not told yet."""
        for start in range(0, len(self.events), BATCH):
            await apply_events(db, self.spool_id, "node", self.events[start : start + BATCH], now_ms)
        self.applied += len(self.events)
        self.events.clear()


async def add_agencies(db: Database, *spans: AgencySpan) -> None:
    async with db.write() as session:
        for span in spans:
            await agencies.add_span(session, span, now_ms=1)


async def add_person(
    db: Database,
    name: str,
    *posts: Post,
    kind: str = "personal",
) -> None:
    """An account that serves where `posts` say, each following the one before."""
    async with db.write() as session:
        await accounts.add_account(
            session,
            address(name),
            kind=kind,
            display_name=name,
            password_hash=None,
            must_change_password=False,
            citizen_desk=False,
            sample=False,
            post=posts[0] if posts else None,
            now_ms=1,
        )
        for post in posts[1:]:
            assert post.valid_from is not None
            await accounts.move(session, address(name), post, post.valid_from)


def post(agency: str, since: str | None = None) -> Post:
    return Post(agency, "cong_chuc", date.fromisoformat(since) if since else None, None)
