"""Sign-in protection: how many failures are borne before a wait is asked for.

Failures are counted by account and network together (a pair), by network, and by account. The last
count could be driven up by a stranger to keep the holder out, so it does not stop networks that the
account signed in from lately. The first failure at a limit asks for a short wait from then on, each
further one for twice as long. Attempts that are refused here are no failures: a wait always ends.
Names that nobody has are counted like any other, so that the answer tells nothing.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mailgov.settings import SignInSettings
from mailgov.store.guard import Guard

NAME_CHARACTERS = 320
FORWARDED_HOPS = 10
DAY_MS = 86_400_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """What an attempt meets: whole seconds to wait, 0 for none."""

    known: bool
    """The account signed in from this network lately."""
    pair_wait_s: int
    crowd_wait_s: int
    """For the network's or the account's failures as a whole; who is known is let in through it."""

    @property
    def wait_s(self) -> int:
        return max(self.pair_wait_s, self.crowd_wait_s)

    @property
    def open(self) -> bool:
        """A right password is let in."""
        return not self.pair_wait_s and (self.known or not self.crowd_wait_s)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who is claimed to sign in, and from where: both in the form that is counted."""

    name: str
    network: str

    @classmethod
    def of(cls, name: str, peer: str) -> Attempt:
        """`peer` is the client's IP address, or any text where there is none."""
        return cls(name.strip().lower()[:NAME_CHARACTERS], network_of(peer))

    @property
    def pair(self) -> str:
        return f"pair:{self.name}|{self.network}"

    @property
    def keys(self) -> tuple[str, str, str]:
        return self.pair, f"network:{self.network}", f"account:{self.name}"


def network_of(peer: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, which one customer has whole."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def client_address(peer: str | None, forwarded_for: str, proxies: Sequence[str]) -> str:
    """The client's IP address: the peer's, or what a trusted proxy says in X-Forwarded-For.

    Each trusted proxy adds the address that it was called from at the end; what stands before
    the first stranger's address is that stranger's own word.
    """
    hops = [part.strip() for part in forwarded_for.split(",")][-FORWARDED_HOPS:] if forwarded_for else []
    address = peer or ""
    while hops and _within(address, proxies):
        address = hops.pop()
    return address


def _within(address: str, networks: Sequence[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in networks)


class SignInProtection:
    """On one node's guard, shared by its SMTP, IMAP and HTTP. The calls block for a moment."""

    def __init__(self, guard: Guard, settings: SignInSettings) -> None:
        self._guard = guard
        self._settings = settings
        self._window_ms = round(settings.failure_window_s * 1000)

    def standing(self, attempt: Attempt, now_ms: int, *, from_anywhere: bool = True) -> Standing:
        """What this attempt meets now.

        `from_anywhere`: whether the account's failures from other networks stop strange ones.
        """
        pair, network, account = attempt.keys
        limits = self._settings
        crowd_s = self._wait_s(network, limits.network_limit, now_ms)
        if from_anywhere:
            crowd_s = max(crowd_s, self._wait_s(account, limits.account_limit, now_ms))
        pair_s = self._wait_s(pair, limits.pair_limit, now_ms)
        return Standing(self.known(attempt, now_ms), pair_s, crowd_s)

    def failed(self, attempt: Attempt, now_ms: int) -> None:
        """A try was wrong. Says so in the log when the account's failures from everywhere reach the limit,
        and each time that they double: by mail nothing stops a guess from ever new networks.
        """
        for key in attempt.keys:
            self._guard.note_failure(key, now_ms, self._window_ms)
        failures = self._guard.failures(attempt.keys[2], now_ms, self._window_ms)
        limit = self._settings.account_limit
        times = 0 if failures is None else failures.times
        if times and times % limit == 0 and (times // limit).bit_count() == 1:
            log.warning(
                "an account is being guessed at", name=attempt.name, failures=times, last=attempt.network
            )

    def failed_in_crowd(self, attempt: Attempt, now_ms: int) -> None:
        """A try was wrong where all wait: it counts for the pair alone, so that their wait ends."""
        self._guard.note_failure(attempt.pair, now_ms, self._window_ms)

    def succeeded(self, attempt: Attempt, now_ms: int) -> None:
        """A try was right; written once a day at most."""
        last = self._guard.last_success(attempt.pair)
        if last is None or now_ms - last >= DAY_MS:
            self._guard.note_success(attempt.pair, now_ms)
        if self._guard.failures(attempt.pair, now_ms, self._window_ms) is not None:
            self._guard.forget_failures(attempt.pair)

    def close(self) -> None:
        """Close the guard's file; no call may follow."""
        self._guard.close()

    def _wait_s(self, key: str, limit: int, now_ms: int) -> int:
        failures = self._guard.failures(key, now_ms, self._window_ms)
        if failures is None or failures.times < limit:
            return 0
        # Without the bound, a number that a stranger drives up would be shifted by.
        doublings = min(failures.times - limit, 32)
        wait_ms = min(self._settings.first_wait_s * 1000 * 2.0**doublings, self._window_ms)
        return max(0, math.ceil((failures.last_ms + wait_ms - now_ms) / 1000))

    def known(self, attempt: Attempt, now_ms: int) -> bool:
        """Whether the account signed in from this network within `known_days`."""
        last = self._guard.last_success(attempt.pair)
        return last is not None and now_ms - last < self._settings.known_days * DAY_MS
