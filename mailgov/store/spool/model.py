"""What the spool keeps, as values. Times are milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailgov.mail.events import Event


class SpoolError(Exception):
    """The operation is not on disk; nothing may be acknowledged. The cause is private."""


class SpoolFull(SpoolError):
    """No room on the disk, or too much is waiting for the writer."""


class SpoolHeld(Exception):
    """Another live process holds this spool folder."""


class SpoolUnfit(Exception):
    """No queue that this version can use, until a person acts: the text says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Body:
    """A received message as it came, byte for byte: in memory, or a file of the spool."""

    size_bytes: int
    data: bytes | None = None
    file: str | None = None
    """The file's name under the spool's `bodies` folder."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How a body leaves: `prefix`, then the body with `splices` applied.

    A splice is `(start, end, replacement)` in body offsets; splices are ordered and disjoint,
    and all lie in the header.
    """

    prefix: bytes
    splices: tuple[tuple[int, int, bytes], ...] = ()

    def head(self, body_start: bytes) -> bytes:
        """Prefix and spliced beginning; `body_start` reaches past the last splice at least."""
        if not self.splices:
            return self.prefix + body_start
        parts, at = [self.prefix], 0
        for start, end, replacement in self.splices:
            parts += (body_start[at:start], replacement)
            at = end
        parts.append(body_start[at:])
        return b"".join(parts)

    @property
    def reach(self) -> int:
        """The body offset up to which splices change anything."""
        return self.splices[-1][1] if self.splices else 0


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient and where it stands. `destination` groups what shares a next hop."""

    position: int
    address: str
    destination: str
    variant: int = 0
    state: str = "ready"
    """ready or held"""
    attempts: int = 0
    due_ms: int = 0
    last_reply: str | None = None
    context: dict[str, Any] = field(default_factory=dict)
    """What later outcomes must tell the ledger: account, agency, via, original…"""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in the spool, with all or some of its recipients."""

    queue_id: str
    received_ms: int
    reverse_path: str
    body: Body
    variants: tuple[Variant, ...]
    recipients: tuple[QueuedRecipient, ...]
    smtputf8: bool = False
    eight_bit: bool = False
    context: dict[str, Any] = field(default_factory=dict)
    """Document class, automatic, account, facts for the route decision."""


@dataclass(slots=True)  # not frozen: each delivery makes one, and that would take it three times as long
class Progress:
    """A recipient's new standing after an attempt, an act or a policy decision.

    `state` ready and held keep the row (due at `due_ms`); None means final: the row goes, and
    with the last one the message.
    """

    queue_id: str
    position: int
    state: str | None
    attempts: int
    due_ms: int = 0
    last_reply: str | None = None
    context: dict[str, Any] | None = None
    """The recipient's context where it is another one from now on."""


@dataclass(slots=True)  # not frozen: each operation makes one, and that would take it three times as long
class Change:
    """What one transaction does: store messages, move recipients, tell the ledger."""

    messages: Sequence[QueuedMessage] = ()
    progress: Sequence[Progress] = ()
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class SpoolPaths:
    """Where things lie in a spool folder."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "spool.sqlite"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def reserve(self) -> Path:
        return self.folder / "reserve"

    @property
    def seen(self) -> Path:
        """Empty; it was last written when the spool was last known to be attended."""
        return self.folder / "seen"

    @property
    def incoming(self) -> Path:
        return self.folder / "incoming"

    @property
    def bodies(self) -> Path:
        return self.folder / "bodies"
