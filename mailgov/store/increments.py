"""What one event adds to the daily rollup: the same definitions for the fold and the rebuild.

`sent` counts an accepted message that an account of ours sent, once, on the local day of its
acceptance. `received` counts a local mailbox that a message was delivered to, once per place in
the message, on the local day of its first delivery; its kind (class, automatic, sample, size)
is the message's, its account and agency the mailbox's, and `personal` is always False there
because the event does not say whose mailbox it is. `outbound` counts the accepted recipients
outside the province, on the local day of acceptance, for the agency of the account that sent.

A document counts once a year for its issuer, on the local day that it was first sent, and once
for each other agency, on the local day that it first reached one of its mailboxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

SENT = "sent"
RECEIVED = "received"
OWN = "own"
"""The source of mail that the service makes itself: nobody's use of mail."""
PROVIDERS = ("free", "paid-foreign", "domestic", "gateway", "unknown")
"""The classes of who hosts a recipient's mail."""


class Key(NamedTuple):
    """The primary key of `rollup_daily`, in its order."""

    local_date: date
    agency_code: str
    account: str
    flow: str
    document_class: str
    automatic: bool
    personal: bool
    sample: bool


class Counts(NamedTuple):
    """The figures of `rollup_daily`, in its order."""

    messages: int
    to_others: int
    recipients: int
    recipients_internal: int
    recipients_outbound: int
    size_bytes: int


class OutboundKey(NamedTuple):
    """The primary key of `rollup_outbound`, in its order."""

    local_date: date
    agency_code: str
    provider: str
    sample: bool


class DocumentKey(NamedTuple):
    """The primary key of `rollup_document`, in its order."""

    document_key: str
    issuer: str
    flow: str
    agency_code: str


OUTSIDE = "@"
"""Begins an issuer that is none of our agencies: what follows is a domain."""

Row = Mapping[str, Any]


def sent(message: Row, directions: Iterable[str | None]) -> tuple[Key, Counts] | None:
    """What a new message row with recipients of these directions adds, if anything."""
    if message["verdict"] != "accepted" or message["account"] is None:
        return None
    seen = list(directions)
    key = _key(message, SENT, message["local_date"], message, personal=message["personal"])
    return key, Counts(
        messages=1,
        to_others=int(message["to_others"]),
        recipients=len(seen),
        recipients_internal=seen.count("internal"),
        recipients_outbound=seen.count("outbound"),
        size_bytes=message["size_bytes"] or 0,
    )


def received(message: Row, recipient: Row) -> tuple[Key, Counts] | None:
    """What a recipient row that has just become delivered adds, if anything."""
    if (
        message["verdict"] != "accepted"
        or recipient["account"] is None
        or recipient["delivered_date"] is None
    ):
        return None
    key = _key(message, RECEIVED, recipient["delivered_date"], recipient, personal=False)
    return key, Counts(1, 0, 0, 0, 0, message["size_bytes"] or 0)


def provider_at_acceptance(direction: str | None, state: str, provider: str | None) -> str | None:
    """The class that a recipient counts under for good; None for one that is not counted at all.

    What a later attempt finds does not move it: a day that is over keeps its figure.
    """
    if direction != "outbound" or state == "rejected":
        return None
    return provider if provider in PROVIDERS else "unknown"


def outbound(message: Row, providers: Iterable[str | None]) -> Counter[OutboundKey]:
    """What a new message row adds, given its recipients' providers at acceptance."""
    if message["verdict"] != "accepted" or message["source"] == OWN:
        return Counter()
    day, agency, sample = message["local_date"], message["agency_code"] or "", message["sample"]
    return Counter(OutboundKey(day, agency, one, sample) for one in providers if one is not None)


def document_sent(message: Row) -> tuple[DocumentKey, date] | None:
    """The document that an accepted message of ours carries, and its day."""
    key, issuer = message["document_key"], message["issuer"]
    if key is None or issuer is None or issuer.startswith(OUTSIDE):
        return None
    return DocumentKey(key, issuer, SENT, issuer), message["local_date"]


def document_received(message: Row, recipient: Row) -> tuple[DocumentKey, date] | None:
    """The document that a recipient row which is delivered brought to its mailbox's agency."""
    key, issuer, agency = message["document_key"], message["issuer"], recipient["agency_code"]
    day = recipient["delivered_date"]
    if key is None or issuer is None or day is None or recipient["account"] is None:
        return None
    return (DocumentKey(key, issuer, RECEIVED, agency), day) if agency not in (None, issuer) else None


def _key(message: Row, flow: str, day: date, owner: Row, *, personal: bool) -> Key:
    return Key(
        local_date=day,
        agency_code=owner["agency_code"] or "",
        account=owner["account"],
        flow=flow,
        document_class=message["document_class"] or "",
        automatic=message["automatic"],
        personal=personal,
        sample=message["sample"],
    )
