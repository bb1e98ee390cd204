"""The queue beside a clock that may have been put right."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mailgov.relay.node import Node
from mailgov.relay.outcome import longest_wait_ms
from mailgov.store.spool import Spool, SpoolError

log = structlog.get_logger()


async def heed_clock(node: Node, spools: Sequence[Spool]) -> None:
    """Mail that was queued by a clock which ran ahead must not wait until that time comes again.

    While the clock is in doubt it is not noted: who starts then doubts it too.
    """
    if not node.steady.doubtful():
        now_ms, loop = node.clock.now_ms(), asyncio.get_running_loop()
        for spool in spools:
            await loop.run_in_executor(node.executor, spool.note_time, now_ms)
    for spool in spools:
        try:
            moved = await spool.heed_clock(node.clock.now_ms(), longest_wait_ms(node.settings.delivery))
        except SpoolError as error:
            log.error("spool cannot be read", spool=spool.id, error=str(error))
            continue
        if moved:
            log.warning("the clock was ahead: waiting mail is due again", spool=spool.id, recipients=moved)
