"""The settings of delivery, anew while mail flows: routes, logins, TLS asked for, schedule, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from mailgov.relay.node import Node
from mailgov.relay.route import Router
from mailgov.relay.scheduler import Scheduler
from mailgov.settings import Settings

log = structlog.get_logger()

RELOADED = frozenset({"delivery", "tls_out"})
"""The sections that are taken anew; what else has changed waits for a restart."""


class SettingsUnusable(Exception):
    """The file cannot be used; the message is one line: file, key, problem."""


class DeliveryReload:
    """One worker's; `load` reads and checks the file (it blocks), and raises SettingsUnusable."""

    def __init__(self, node: Node, scheduler: Scheduler, load: Callable[[], tuple[Settings, Router]]) -> None:
        self._node, self._scheduler, self._load = node, scheduler, load
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Once: all of it, or nothing and a line in the log."""
        async with self._turn:
            try:
                settings, router = await asyncio.get_running_loop().run_in_executor(
                    self._node.executor, self._load
                )
            except SettingsUnusable as error:
                log.error("settings not loaded, the old ones stay", problem=str(error))
                return
            before = self._node.settings
            self._node.heed(settings)
            self._scheduler.heed(router)
        others = [name for name in differing(before, settings) if name not in RELOADED]
        if others:
            log.warning("settings that wait for a restart", keys=others)
        taken = [name for name in differing(before, settings) if name in RELOADED]
        log.info("settings of delivery loaded", changed=taken)


def differing(one: Settings, other: Settings) -> list[str]:
    """The sections in which they are not the same."""
    return sorted(name for name in Settings.model_fields if getattr(one, name) != getattr(other, name))
