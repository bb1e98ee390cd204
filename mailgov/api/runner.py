"""The HTTP side as a process runs it: the app, the policy that it explains, its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from fastapi import FastAPI

from mailgov.identity.sign_in import SignIns
from mailgov.policy import Policy, PolicyError
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.snapshot import revisions

log = structlog.get_logger()

FOLLOW_S = 2.0


class RunningPolicy:
    """The policy that the pages explain; follows `policy load` like the workers do."""

    def __init__(self, load: Callable[[], Policy]) -> None:
        self._load = load
        self.policy: Policy | None = load()

    def __call__(self) -> Policy | None:
        return self.policy

    async def reload(self) -> None:
        """Take the files as they are now; with a fault in them, keep what there is."""
        try:
            self.policy = await asyncio.to_thread(self._load)
        except (PolicyError, OSError) as error:
            log.error("policy not loaded, the old one stays", problem=str(error))


@dataclass(slots=True)
class WebService:
    """Built by `mailgov.config`; `follow` runs beside the server, `close` ends it."""

    app: FastAPI
    db: Database
    policy: RunningPolicy
    sign_ins: SignIns
    _revision: int | None = field(default=None)

    async def follow(self) -> None:
        """Reload the policy when the ledger says that its files changed; for ever."""
        while True:
            try:
                _, revision = await revisions(self.db)
                if self._revision not in (None, revision):
                    await self.policy.reload()
                self._revision = revision
            except LedgerUnavailable as error:
                log.debug("policy revision not asked", cause=str(error))
            await asyncio.sleep(FOLLOW_S)

    async def reload(self) -> None:
        await self.policy.reload()

    async def close(self) -> None:
        await asyncio.to_thread(self.sign_ins.close)
        await self.db.dispose()
