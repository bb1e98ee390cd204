"""Checking who signs in to the pages and the API: the same work for every wrong answer."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker, is_first_hash, matches_first
from mailgov.identity.protection import Attempt
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
    gate: SignInGate
    first_key: Callable[[], bytes]

    async def matches(
        self, holder: Holder | None, attempt: Attempt, password: str, *, known: bool = False
    ) -> bool:
        """True when the password, first or own, is the holder's and the account is open.

        The work is the same for an account that is unknown or shut. `known` says whether somebody
        has signed in from there before, and waits less. Raises `passwords.Busy`.
        """
        stored = None if holder is None or holder.shut else holder.password_hash
        first = is_first_hash(stored)
        own = await self.checker.verify(
            None if first else stored, attempt.name, password, client=attempt.network, known=known
        )
        return matches_first(self.first_key(), stored, password) if first else own

    def recovers(self, holder: Holder | None, code: str) -> bool:
        """True when the recovery code is the holder's and the account is open."""
        kept = None if holder is None or holder.shut else holder.recovery_hash
        return hmac.compare_digest(recovery_hash(code), kept or _NO_HASH) and kept is not None

    def close(self) -> None:
        """Let running checks end, and close the guard's file."""
        self.checker.close()
        self.gate.close()
