"""What the rooms of one relay worker share: settings, clock, directory, policy, spool, counters."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.protection import SignInProtection
from mailgov.policy import Policy
from mailgov.relay.backscatter import ReportsSent
from mailgov.relay.clock import Clock, Steady
from mailgov.relay.contents.scanners import Scanners
from mailgov.relay.dns import Resolver
from mailgov.relay.door import Door
from mailgov.relay.harvest import Harvest
from mailgov.relay.refusal_log import RefusalLog
from mailgov.relay.sending_ahead import Ahead
from mailgov.relay.sign import Signer
from mailgov.relay.tls_out.policies import TlsPolicies
from mailgov.settings import Settings
from mailgov.store.entries import Snapshot
from mailgov.store.guard import Guard
from mailgov.store.spool import QueuedMessage, Spool
from mailgov.store.tallies import SignInTally

T = TypeVar("T")

FRESH_S = 30.0
"""How long after the ledger last confirmed it a snapshot may say "no such user" (550 5.1.1)."""
DOOR_ADDRESS_LIMIT = 1000
"""Peers told apart in one minute's counters: a flood of addresses must not fill memory or disk."""
INLINE_BYTES = 16_384
"""What a stranger sent is looked at on the event loop up to this size, and in a thread beyond it."""
LOOKS_AT_ONCE = 2
"""Python runs one thread at a time: more would only make the event loop wait longer for its turn."""

NOTHING_MORE: Mapping[str, object] = {}

EMPTY_DIRECTORY = Snapshot(
    revision=0, policy_revision=0, loaded_ms=0, domains=frozenset(), accounts={}, aliases={},
    signing_keys={}, registered=frozenset(),
)  # fmt: skip


class DirectoryView:
    """The snapshot in use and when the ledger last confirmed it."""

    def __init__(self, snapshot: Snapshot | None, monotonic: Callable[[], float]) -> None:
        self.snapshot = snapshot or EMPTY_DIRECTORY
        self._monotonic = monotonic
        self._confirmed_at: float | None = None

    def confirm(self, snapshot: Snapshot | None = None) -> None:
        """The ledger was reached: with a new `snapshot`, or to say that the one in use stands."""
        if snapshot is not None:
            self.snapshot = snapshot
        self._confirmed_at = self._monotonic()

    @property
    def fresh(self) -> bool:
        """True while an unknown address may be refused for good."""
        return self._confirmed_at is not None and self._monotonic() - self._confirmed_at < FRESH_S


class PolicyView:
    """The policy in use; it swaps whole. `error` is why the newest files were not taken."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.error: str | None = None


class Counters:
    """Numbers of this worker since it started, and refusals at the door by minute."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self._door: Counter[tuple[int, str, str, str]] = Counter()
        self._addresses: set[tuple[int, str]] = set()
        self._minute = 0
        self._in_minute: Counter[str] = Counter()
        self.refusals = RefusalLog()

    def add(self, name: str, count: int = 1) -> None:
        self.values[name] += count

    def refuse(
        self,
        now_ms: int,
        listener: str,
        address: str,
        reason: str,
        known: Mapping[str, object] | None = NOTHING_MORE,
    ) -> None:
        """Count a refusal at the door; past `DOOR_ADDRESS_LIMIT` peers it counts as "other".

        What is `known` of it beside goes into the log; None where the caller logs it, or nobody may.
        """
        if known is not None:
            self.refusals.tell(now_ms, listener, address, reason, known)
        minute = now_ms - now_ms % 60_000
        if (minute, address) not in self._addresses:
            if len(self._addresses) >= DOOR_ADDRESS_LIMIT:
                address = "other"
            else:
                self._addresses.add((minute, address))
        self._door[(minute, listener, address, reason)] += 1
        self.values[f"refused_{reason}"] += 1

    def within(self, now_ms: int, name: str, limit: int) -> bool:
        """Count one of `name` in this minute; False once there were `limit` of them."""
        minute = now_ms - now_ms % 60_000
        if self._minute != minute:
            self._minute, self._in_minute = minute, Counter()
        self._in_minute[name] += 1
        return self._in_minute[name] <= limit

    def take_door(self) -> dict[tuple[int, str, str, str], int]:
        """The refusals since the last call; `give_door` puts them back."""
        taken, self._door = dict(self._door), Counter()
        self._addresses.clear()
        return taken

    def give_door(self, taken: dict[tuple[int, str, str, str], int]) -> None:
        """Put back what could not be written, within the bound."""
        if len(taken) <= 10 * DOOR_ADDRESS_LIMIT:
            self._door.update(taken)


def _never(_size_bytes: int) -> bool:
    return False


def _nowhere(_message: QueuedMessage | None, _size_bytes: int) -> None:
    return None


@dataclass(slots=True)
class Node:
    """One relay worker's shared parts. `spool` takes in; adopted spools only drain."""

    settings: Settings
    clock: Clock
    directory: DirectoryView
    policy: PolicyView
    resolver: Resolver
    guard: Guard
    spool: Spool
    signer: Signer
    passwords: PasswordChecker
    executor: Executor
    """Threads for files and for CPU work on large bodies."""
    counters: Counters = field(default_factory=Counters)
    sign_ins: SignInTally = field(default_factory=SignInTally)
    admit: Callable[[int], bool] = _never
    """Whether a new message of this size may be attempted from memory; reserves the room."""
    offer: Callable[[QueuedMessage | None, int], None] = _nowhere
    """Hands a stored message to the scheduler, or None to give the reserved room back."""
    steady: Steady = field(init=False)
    """Whether the wall clock may be believed."""
    door: Door = field(init=False)
    """The places for sessions."""
    harvest: Harvest = field(init=False)
    """Who names recipients that do not exist."""
    gate: SignInGate = field(init=False)
    """Where sign-ins wait, or are told to."""
    ahead: Ahead = field(init=False)
    """What was counted ahead of how much is sent."""
    scanners: Scanners = field(init=False)
    """The services that look into messages."""
    reports_sent: ReportsSent = field(init=False)
    """What strangers' mail was reported on: bounded, since it may be a victim who is told."""
    tls: TlsPolicies = field(init=False)
    """What of TLS other servers must have."""
    connections: set[Any] = field(default_factory=set)
    """The open sessions themselves, to be told when the worker drains."""
    draining: bool = False
    """Set on SIGTERM: open sessions finish their message and are told 421."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    """Work that must end although its session may go away; see `keep`."""
    checks: set[asyncio.Task[Any]] = field(default_factory=set)
    """Checks of senders that nobody need wait for; see `senders.early`."""
    reports_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whose turn it is to be read as a report of another provider."""
    reports_waiting: int = 0
    _looks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS_AT_ONCE))

    def __post_init__(self) -> None:
        self.steady = Steady(self.clock, self.spool.last_seen_ms())
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.door = Door(self.settings.smtp, self.clock.monotonic, descriptors)
        self.harvest = Harvest(self.settings.smtp.unknown_recipient_limit)
        protection = SignInProtection(self.guard, self.settings.sign_in)
        self.gate = SignInGate(protection, self.executor, self.clock.now_ms)
        self.ahead = Ahead(self.guard, self.executor, self.clock.now_ms)
        self.scanners = Scanners(self.settings, self.clock.monotonic)
        self.reports_sent = ReportsSent(self.settings.delivery)
        self.tls = TlsPolicies(self.settings, self.resolver, self.guard, self.executor, self.clock)

    def heed(self, settings: Settings) -> None:
        """Of other settings what is about delivery is in force from now on; the rest waits for a restart."""
        self.settings = self.settings.model_copy(
            update={"delivery": settings.delivery, "tls_out": settings.tls_out}
        )
        self.reports_sent.heed(settings.delivery)
        self.tls.heed(settings)

    @property
    def sessions(self) -> int:
        """Open sessions, and TLS handshakes that may become ones."""
        return self.door.sessions

    async def aside(self, work: Callable[[], T], size_bytes: int, *, blocks: bool = False) -> T:
        """`work()`, which costs by the size of what a stranger sent: a long one holds up no other session.

        `blocks` says that it waits for a disk too.
        """
        if size_bytes <= INLINE_BYTES and not blocks:
            return work()
        async with self._looks:
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run work that goes on when its session ends; a worker that stops waits for it."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
