"""Checking who signs in to the pages and the API: the same work for every wrong answer."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from mailgov.identity.passwords import PasswordChecker, is_first_hash, matches_first
from mailgov.identity.protection import Attempt, SignInProtection
from mailgov.identity.tokens import hash_token
from mailgov.store.sessions import Holder

_NO_HASH = hash_token("")


def recovery_hash(code: str) -> str:
    """What is kept of a recovery code (100 bits of its own): however it was typed from paper."""
    return hash_token("".join(sign for sign in code.lower() if sign.isalnum()))


@dataclass(frozen=True, slots=True)
class SignIns:
    """What a process checks sign-ins with. `first_key` gives the key of first passwords."""

    checker: PasswordChecker
    protection: SignInProtection
    first_key: Callable[[], bytes]

    async def matches(self, holder: Holder | None, name: str, password: str) -> bool:
        """True when the password, first or own, is the holder's and the account is open.

        The work is the same for an account that is unknown or shut. Raises `passwords.Busy`.
        """
        stored = None if holder is None or holder.shut else holder.password_hash
        first = is_first_hash(stored)
        own = await self.checker.verify(None if first else stored, name.strip().lower(), password)
        return matches_first(self.first_key(), stored, password) if first else own

    def recovers(self, holder: Holder | None, code: str) -> bool:
        """True when the recovery code is the holder's and the account is open."""
        kept = None if holder is None or holder.shut else holder.recovery_hash
        return hmac.compare_digest(recovery_hash(code), kept or _NO_HASH) and kept is not None

    def close(self) -> None:
        """Let running checks end, and close the guard's file."""
        self.checker.close()
        self.protection.close()

    async def wait_s(self, attempt: Attempt, now_ms: int) -> int | None:
        """`SignInProtection.wait_s`, off the event loop."""
        return await asyncio.to_thread(self.protection.wait_s, attempt, now_ms)

    async def failed(self, attempt: Attempt, now_ms: int) -> None:
        """`SignInProtection.failed`, off the event loop."""
        await asyncio.to_thread(self.protection.failed, attempt, now_ms)

    async def succeeded(self, attempt: Attempt, now_ms: int) -> None:
        """`SignInProtection.succeeded`, off the event loop."""
        await asyncio.to_thread(self.protection.succeeded, attempt, now_ms)
