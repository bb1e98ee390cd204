"""Asks one outside service: so many at once, each within its time, and none while it is known to be away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

FAILURES_LIMIT = 3
"""Failures in a row after which it is left alone for a while."""


class Unavailable(Exception):
    """The service gave no verdict; the message is the cause, for the log alone.

    `answered` says that it did speak, so it is not away: it could not check this message.
    """

    def __init__(self, cause: str, *, answered: bool = False) -> None:
        super().__init__(cause)
        self.answered = answered


class Turn:
    """The line before a service, and what is known of its health."""

    def __init__(
        self, *, concurrency: int, timeout_s: float, retry_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._places = asyncio.Semaphore(concurrency)
        self._timeout_s, self._retry_s, self._monotonic = timeout_s, retry_s, monotonic
        self._failures = 0
        self._retry_at = 0.0

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """`work()`'s answer. Raises Unavailable for OSError, EOFError, lack of time, and at once while away.

        The time includes the wait for a place; who never got one tells nothing of the service.
        """
        began = False
        try:
            async with asyncio.timeout(self._timeout_s):
                self._check(going=False)  # who would only be told after a long wait is told now
                async with self._places:
                    self._check(going=True)
                    began = True
                    answer = await work()
        except TimeoutError:
            self._note(failed=began)
            raise Unavailable("no answer in time" if began else "too many wait for it") from None
        except (OSError, EOFError) as error:
            self._note(failed=True)
            raise Unavailable(str(error) or type(error).__name__) from None
        except Unavailable as error:
            if error.answered:
                self._failures = 0
            self._note(failed=began and not error.answered)
            raise
        self._failures = 0
        return answer

    def _check(self, *, going: bool) -> None:
        """Raises Unavailable while it is away. When that time is over one goes to see for all."""
        if self._failures < FAILURES_LIMIT:
            return
        now = self._monotonic()
        if now < self._retry_at:
            raise Unavailable("not asked, for it failed lately")
        if going:
            self._retry_at = now + self._timeout_s

    def _note(self, *, failed: bool) -> None:
        if failed:
            self._failures += 1
            self._retry_at = self._monotonic() + self._retry_s
