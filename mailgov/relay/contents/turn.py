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
    `away` says that it is, which was told when it began.
    """

    def __init__(self, cause: str, *, answered: bool = False, away: bool = False) -> None:
        super().__init__(cause)
        self.answered, self.away = answered, away


Changed = Callable[[str | None], None]
"""Is told once when a service stops answering, with the cause, and once (None) when it answers again."""


def _nobody(_cause: str | None) -> None:
    return None


class Turn:
    """The line before a service, and what is known of its health."""

    def __init__(
        self,
        *,
        concurrency: int,
        timeout_s: float,
        retry_s: float,
        monotonic: Callable[[], float],
        changed: Changed | None = None,
    ) -> None:
        self._changed, self._away = changed or _nobody, False
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
            if not began:
                raise Unavailable("too many wait for it") from None
            raise self._failed("no answer in time") from None
        except (OSError, EOFError) as error:
            raise self._failed(str(error) or type(error).__name__) from None
        except Unavailable as error:
            if error.answered:
                self._spoke()
            elif began:
                raise self._failed(str(error)) from None
            raise
        self._spoke()
        return answer

    def _check(self, *, going: bool) -> None:
        """Raises Unavailable while it is away. When that time is over one goes to see for all."""
        if self._failures < FAILURES_LIMIT:
            return
        now = self._monotonic()
        if now < self._retry_at:
            raise Unavailable("not asked, for it failed lately", away=True)
        if going:
            self._retry_at = now + self._timeout_s

    def _failed(self, cause: str) -> Unavailable:
        self._failures += 1
        self._retry_at = self._monotonic() + self._retry_s
        if not self._away:
            self._away = True
            self._changed(cause)
        return Unavailable(cause, away=True)

    def _spoke(self) -> None:
        self._failures = 0
        if self._away:
            self._away = False
            self._changed(None)
