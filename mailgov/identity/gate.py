"""In front of the passwords: who guessed too often waits, and his tries go one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

from mailgov.identity.protection import Attempt, SignInProtection, Standing

T = TypeVar("T")


class Paused(Exception):
    """There were too many failures: no password is looked at now, be it right or wrong."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Trial:
    """How a password is to be looked at."""

    known: bool
    """The account signed in from this network lately: it need not wait behind strangers."""
    blind: bool = False
    """Do the work and say no, whatever the password: only the time that it takes is wanted."""


Check = Callable[[Trial], Awaitable[bool]]
"""Whether the password is right; what it raises counts as neither."""


class SignInGate:
    """In front of one process's password checks; `executor` (None: the loop's own) runs what blocks.

    `from_anywhere` says whether an account's failures elsewhere stop networks that it does not
    know. Not for mail: guesses from elsewhere would close it to its owner's telephone, whose
    network changes by the hour.
    """

    def __init__(
        self,
        protection: SignInProtection,
        executor: Executor | None,
        now_ms: Callable[[], int],
        *,
        from_anywhere: bool = False,
    ) -> None:
        self._protection, self._executor, self._now_ms = protection, executor, now_ms
        self._from_anywhere = from_anywhere
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def close(self) -> None:
        """Close the guard's file; no call may follow."""
        self._protection.close()

    async def open(self, attempt: Attempt) -> bool:
        """Whether a right password would be let in now."""
        standing = await self._run(self._standing, attempt)
        return standing.open

    async def attempt(self, attempt: Attempt, check: Check) -> None:
        """Let `check` look at the password, and count how it went. Raises Paused.

        While a whole network or account waits, everybody's password there costs the same work and a
        wrong one the same answer, though known ones are still let in: else the difference would
        tell which accounts there are.
        """
        # Many tries sent at once would else all be made before the first of them has failed.
        turn = self._turns.setdefault(attempt.pair, asyncio.Lock())
        async with turn:
            standing = await self._run(self._standing, attempt)
            wait_s = standing.wait_s
            if standing.pair_wait_s and not standing.crowd_wait_s:
                raise Paused(wait_s)
            blind = standing.pair_wait_s > 0
            right = await check(Trial(standing.known, blind)) and not blind
            if right and standing.open:
                await self._run(self._protection.succeeded, attempt)
            elif not standing.crowd_wait_s:
                await self._run(self._protection.failed, attempt)
            else:
                if not right and not blind:
                    await self._run(self._protection.failed_in_crowd, attempt)
                raise Paused(wait_s)

    async def remembered(self, attempt: Attempt) -> None:
        """The password was right, as it was a moment ago: the network counts as one that is known."""
        await self._run(self._protection.succeeded, attempt)

    def _standing(self, attempt: Attempt, now_ms: int) -> Standing:
        return self._protection.standing(attempt, now_ms, from_anywhere=self._from_anywhere)

    async def _run(self, work: Callable[[Attempt, int], T], attempt: Attempt) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, work, attempt, self._now_ms())
