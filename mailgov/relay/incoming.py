"""A message on its way in: who gives it, to whom it goes, what its bytes say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mailgov.mail.authors import AUTHOR_OCTETS, addresses_shown
from mailgov.mail.document import Document
from mailgov.mail.encoded_words import VALUE_OCTETS
from mailgov.mail.events import DecisionRecord, Direction, Source
from mailgov.mail.headers import HeaderBlock, author_addresses, decode_text
from mailgov.mail.mime import MimeLook
from mailgov.mail.secrecy import field_mark, highest
from mailgov.policy import Decision
from mailgov.relay import edits, judge
from mailgov.relay.contents.found import Content
from mailgov.relay.expand import Target
from mailgov.relay.gateway import Origin
from mailgov.relay.notify import NO_WISHES, NOTHING, MessageWishes, RecipientWishes
from mailgov.relay.senders.found import Sender
from mailgov.relay.senders.spf import SpfResult
from mailgov.store.entries import AccountEntry

FROM_LIMIT = 8
"""RFC 5322 3.6 allows one From field; several are read, since readers differ in which one they show."""


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Recipient:
    """One final recipient of a message on its way in; `rejected` tells why it gets nothing."""

    target: Target
    direction: Direction
    facts: judge.Known
    decision: Decision | None = None
    rejected: bool = False
    wishes: RecipientWishes = NOTHING

    @property
    def provider(self) -> str | None:
        value = self.facts.get("recipient.mx_provider")
        return value if isinstance(value, str) else ("unknown" if value is not None else None)


@dataclass(slots=True)
class Incoming:
    """A message being taken in, before its bytes are known."""

    queue_id: str
    source: Source
    account: AccountEntry | None
    reverse_path: str
    """As it was given; "" for the null reverse-path."""
    trace: edits.Trace
    facts: judge.Known
    """Session, account and path facts."""
    smtputf8: bool = False
    eight_bit: bool = False
    wishes: MessageWishes = NO_WISHES
    requiretls: bool = False
    """It may be handed on over proven TLS alone (RFC 8689)."""
    for_stranger: bool = False
    """A report of ours about mail from outside."""
    recipients: list[Recipient] = field(default_factory=list)
    decisions: list[DecisionRecord] = field(default_factory=list)
    expanded: list[tuple[str, RecipientWishes]] = field(default_factory=list)
    """Addresses that stand for several, whose sender asked to hear that the message arrived there."""
    spf: asyncio.Task[SpfResult] | None = None
    """The check that was begun at RCPT: see `senders.early`."""
    origin: Origin | None = None
    """From where a gateway had it, once the header was read; None for mail that came to us itself."""
    sender: Sender = field(default_factory=Sender)
    content: Content = field(default_factory=Content)
    reading: HeaderReading | None = None
    """What the header says, once it was read: see `reading`."""

    @property
    def told(self) -> dict[str, object]:
        """Who gives it to whom, for the log of refusals."""
        recipients = [str(one.target.address) for one in self.recipients]
        return {
            "account": self.account.address if self.account else None,
            "helo": self.trace.helo,
            "reverse_path": self.reverse_path or "<>",
            "recipient": recipients[0] if recipients else None,
            "recipients": len(recipients) if len(recipients) > 1 else None,
        }

    @property
    def judged(self) -> Origin:
        """Whom checks of the connection are about: the client, or whom a gateway had the message from."""
        return self.origin or Origin(self.trace.client_address, self.trace.helo)

    @property
    def submitted(self) -> bool:
        """True for mail of our own people and systems: what it lacks is added, and it is signed."""
        return self.source != "mx"

    def new_message_id(self, hostname: str) -> str:
        """The Message-ID that a submitted message gets where it has none."""
        return f"<{self.queue_id}@{hostname}>"


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Seen:
    """What the bytes say."""

    header: HeaderBlock
    mime: MimeLook
    document: Document
    subject: str
    authors: tuple[str, ...]
    digest: bytes | None
    family: str | None = None
    attachments_hash: str | None = None


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class HeaderReading:
    """What the header says, read once: a stranger chooses how much there is to read."""

    subject: str
    authors: tuple[str, ...]
    shown: frozenset[str]
    """Whatever reads like an address in From, display names and comments included."""
    senders: frozenset[str]
    """The same of Sender, in a person's mail: readers show it as who wrote on the author's behalf."""
    secrecy: str | None
    """The highest mark that any reader may see in the subject."""
    hops: int


def reading(incoming: Incoming, header: HeaderBlock) -> HeaderReading:
    """What the header says. Every Subject and every From counts: a reader may be shown any of them."""
    if incoming.reading is None:
        subjects, authors = _within(header.all(b"subject"), VALUE_OCTETS), _authors(header)
        incoming.reading = HeaderReading(
            subject=" ".join(decode_text(value) for value in subjects),
            authors=authors,
            shown=_shown(header) if _shown_counts(incoming, authors) else frozenset(),
            senders=_senders(header) if incoming.source == "submission" else frozenset(),
            secrecy=highest([field_mark(value) for value in subjects]),
            hops=header.count(b"received"),
        )
    return incoming.reading


def _shown_counts(incoming: Incoming, authors: tuple[str, ...]) -> bool:
    """Only a person may pass himself off as another; a scanner tells on whose behalf it sends.

    From outside it counts where nobody is named for certain: a reader may still be shown our address.
    """
    return incoming.source == "submission" if authors else incoming.source == "mx"


def _within(values: list[bytes], octets: int) -> list[bytes]:
    """The values as far as so many octets of all of them reach; see `legible` for more."""
    kept = []
    for value in values:
        if octets <= 0:
            break
        kept.append(value[:octets])
        octets -= len(value)
    return kept


def header_facts(incoming: Incoming, header: HeaderBlock) -> judge.Known:
    """What the policy may know once the header has ended."""
    read = reading(incoming, header)
    addresses = incoming.account.addresses if incoming.account else frozenset[str]()
    named = {*read.authors, *read.shown, *read.senders}
    itself = incoming.source == "own" or (bool(read.authors) and named <= addresses)
    return {
        "message.author": read.authors,
        "message.author_is_account": itself,
        "message.subject": read.subject,
        "message.secrecy": read.secrecy,
        "message.hops": read.hops,
    }


def _authors(header: HeaderBlock) -> tuple[str, ...]:
    """The addresses of every From field, in look-up form; () when one of the fields is malformed.

    What cannot be read as addresses must not hide behind a field that can.
    """
    values = header.all(b"from")
    if len(values) > FROM_LIMIT or sum(map(len, values)) > AUTHOR_OCTETS:
        return ()
    fields = [author_addresses(value) for value in values]
    return tuple(dict.fromkeys(a for field in fields for a in field)) if all(fields) else ()


def _senders(header: HeaderBlock) -> frozenset[str]:
    """What every Sender shows; one in which nothing can be read stands for somebody else."""
    values = [value for value in header.all(b"sender") if value.strip()]
    return frozenset(key for value in values for key in addresses_shown(value) or ("",))


def _shown(header: HeaderBlock) -> frozenset[str]:
    return frozenset(key for value in header.all(b"from") for key in addresses_shown(value))
