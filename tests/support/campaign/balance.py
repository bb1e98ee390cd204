"""What was sent against what arrived, recipient by recipient."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.campaign.load import ID_FIELD, Heard, Sent
from tests.support.sink import Received

_ID = re.compile(rb"^" + ID_FIELD.encode() + rb": (\S+)\r$", re.MULTILINE)
Pair = tuple[str, str]
"""A message's id and a recipient."""


@dataclass(slots=True)
class Balance:
    """Pairs of message and recipient. All of `lost`, `torn`, `corrupt` and `refused` must be empty."""

    kept: set[str] = field(default_factory=set)
    """Messages that heard 250, and those that heard nothing and have arrived."""
    accepted: set[Pair] = field(default_factory=set)
    lost: set[Pair] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)
    """Messages that heard nothing and arrived to some of their recipients."""
    corrupt: set[str] = field(default_factory=set)
    refused: set[Pair] = field(default_factory=set)
    """Arrived although the client heard a refusal, or never came to the end of data."""
    strangers: set[Pair] = field(default_factory=set)
    """Arrived where nobody sent it."""
    forced: int = 0
    extra: int = 0
    """Deliveries beyond the first and beyond those that the sink forced."""


def balance(
    sent: Iterable[Sent], received: list[Received], forced: set[int], mailboxes: Mapping[str, Path]
) -> Balance:
    """Compare. `forced` are places in `received`; `mailboxes` are Maildirs by address."""
    tries = {one.id: one for one in sent}
    arrived: Counter[Pair] = Counter()
    may_repeat: Counter[Pair] = Counter()
    found = Balance()

    def note(data: bytes, recipients: Iterable[str], *, again: bool = False) -> None:
        match = _ID.search(data)
        name = match[1].decode() if match else "?"
        one = tries.get(name)
        if one is not None and hashlib.sha256(data[-one.size :]).digest() != one.digest:
            found.corrupt.add(name)
        for recipient in recipients:
            if one is None or recipient not in one.recipients:
                found.strangers.add((name, recipient))
            arrived[name, recipient] += 1
            may_repeat[name, recipient] += again

    for place, message in enumerate(received):
        note(message.data, message.recipients, again=place in forced)
    for address, maildir in mailboxes.items():
        for file in (maildir / "new").iterdir():
            note(file.read_bytes(), [address])
    for one in tries.values():
        _settle(found, one, arrived)
    for pair, count in arrived.items():
        forced_here = min(count - 1, may_repeat[pair])
        found.forced += forced_here
        found.extra += count - 1 - forced_here
    return found


def _settle(found: Balance, one: Sent, arrived: Counter[Pair]) -> None:
    pairs = {(one.id, recipient) for recipient in one.recipients}
    here = {pair for pair in pairs if arrived[pair]}
    if one.heard is Heard.ACCEPTED or (one.heard is Heard.UNKNOWN and here):
        found.kept.add(one.id)
        found.accepted |= pairs
        if one.heard is Heard.ACCEPTED:
            found.lost |= pairs - here
        elif here != pairs:
            found.torn.add(one.id)
    elif one.heard is not Heard.UNKNOWN:
        found.refused |= here
