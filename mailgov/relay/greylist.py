"""Greylisting: who is a stranger is asked to come back, which machines that only spray do not."""

from __future__ import annotations

import asyncio
import math

from mailgov.mail.address import Address
from mailgov.mail.reply import Reply
from mailgov.relay.expand import Target
from mailgov.relay.listener import inside, network_of
from mailgov.relay.node import Node
from mailgov.store import greylist
from mailgov.store.greylist import DAY_MS, Spans

ALWAYS_REACHED = frozenset({"postmaster", "abuse"})
"""Local parts that take mail from whoever has trouble with us (RFC 5321 4.5.1, RFC 2142 4)."""


def always_reached(address: str) -> bool:
    """True for an address of ours that no block list and no greylist stands in front of."""
    return address.partition("@")[0].lower() in ALWAYS_REACHED


async def put_off(
    node: Node, client: str, reverse_path: str, recipient: Address, target: Target
) -> Reply | None:
    """What a stranger hears at RCPT who is to come back later, or None. `target` is one of the recipient's.

    Networks count, not addresses: large senders come back from a machine beside the first.
    The null reverse-path never waits: bounces and others' address checks for our own mail have it.
    """
    settings = node.settings.greylisting
    exempt = not settings.enabled or not reverse_path or always_reached(str(recipient))
    smtp = node.settings.smtp
    networks = (*settings.exempt_networks, *smtp.unlimited_networks, *smtp.gateway_networks)
    if exempt or inside(client, networks):
        return None
    agency = target.account.agency if target.account is not None else None
    wait_ms = await asyncio.get_running_loop().run_in_executor(
        node.executor,
        lambda: greylist.wait_ms(
            node.guard,
            network=network_of(client),
            sender=reverse_path,
            recipient=recipient.key,
            scope=f"agency:{agency}" if agency else f"account:{target.address.key}",
            spans=Spans(
                round(settings.delay_s * 1000),
                round(settings.back_within_s * 1000),
                settings.remember_days * DAY_MS,
            ),
            now_ms=node.clock.now_ms(),
        ),
    )
    if not wait_ms:
        return None
    wait_s = math.ceil(wait_ms / 1000)
    text = f"Lan dau nhan thu tu day, hay gui lai sau {wait_s} s / Greylisted, try again in {wait_s} s"
    return Reply(451, "4.7.1", text)
