"""In front of the passwords: who guessed too often waits, and his tries go one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar
from weakref import WeakValueDictionary

from mailgov.identity.protection import Attempt, SignInProtection

T = TypeVar("T")


class Paused(Exception):
    """There were too many failures: no password is looked at now, be it right or wrong."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


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
        """Whether a password would be looked at now."""
        try:
            await self._run(self._standing, attempt)
        except Paused:
            return False
        return True

    async def attempt(self, attempt: Attempt, check: Callable[[bool], Awaitable[bool]]) -> None:
        """Let `check` look at the password, and count how it went.

        `check` is told whether the account signed in from this network lately, and answers
        whether the password was right; what it raises counts as neither. Raises Paused.
        """
        # Many tries sent at once would else all be made before the first of them has failed.
        turn = self._turns.setdefault(attempt.pair, asyncio.Lock())
        async with turn:
            known = await self._run(self._standing, attempt)
            right = await check(known)
            await self._run(self._protection.succeeded if right else self._protection.failed, attempt)

    def _standing(self, attempt: Attempt, now_ms: int) -> bool:
        wait_s = self._protection.wait_s(attempt, now_ms, from_anywhere=self._from_anywhere)
        if wait_s is not None:
            raise Paused(wait_s)
        return self._protection.known(attempt, now_ms)

    async def _run(self, work: Callable[[Attempt, int], T], attempt: Attempt) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, work, attempt, self._now_ms())
