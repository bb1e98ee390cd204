"""The first of a destination's hosts that takes a session as mail to it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.client import Connection
from mailgov.relay.route import Hop
from mailgov.relay.tls_out.demand import OPEN, Gate, TlsRefused
from mailgov.settings import DeliverySettings

OPENING_S = 900.0
"""After so long no further host is tried: each may take five minutes to greet (RFC 5321 4.5.3.2.1)."""


async def first_connection(
    hops: Sequence[Hop],
    settings: DeliverySettings,
    hostname: str,
    executor: Executor,
    gate: Gate = OPEN,
) -> Connection:
    """The first hop that greets us with what the gate asks of it; raises a MailError when none does.

    The last one, but one of later (4xx) before one for good: another host may still come back.
    """
    last = MailError(Reply(451, "4.4.1", "No mail host to try"))
    loop = asyncio.get_running_loop()
    until_s = loop.time() + OPENING_S
    for number, hop in enumerate(hops):
        if loop.time() >= until_s:
            break
        try:
            return await _through(gate, hop, settings, hostname, executor)
        except MailError as error:
            if number == 0 or error.reply.transient or not last.reply.transient:
                last = error
    raise last


async def _through(
    gate: Gate, hop: Hop, settings: DeliverySettings, hostname: str, executor: Executor
) -> Connection:
    demand = await gate.demand(hop)
    try:
        made = await Connection.open(hop, settings, hostname, executor, demand)
    except TlsRefused as refused:
        gate.told(hop, demand, refused.result)
        raise
    gate.told(hop, demand, made.opened.trouble)
    if demand.requiretls and not made.takes_requiretls:
        await made.close()
        raise MailError(Reply(550, "5.7.30", f"{hop.host} does not support REQUIRETLS, which is needed"))
    return made
