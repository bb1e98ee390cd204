"""SPF is begun at RCPT: by the end of the message its answers are mostly there."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from mailgov.mail.address import Address, AddressError
from mailgov.mail.domains import ascii_domain, normal_domain
from mailgov.relay.incoming import Incoming
from mailgov.relay.listener import inside, network_of
from mailgov.relay.node import Node
from mailgov.relay.senders.spf import Client, SpfResult, check_host

BEGUN_AT_ONCE = 500
"""Checks under way before their message came, in one worker; beyond, a message's check waits for its end."""


def begin_spf(node: Node, incoming: Incoming) -> None:
    """Begin the check for mail from outside, once a transaction. It ends by itself (`spf.TIME_LIMIT_S`).

    Not for mail by way of a gateway: whom it is about stands in the header.
    """
    if inside(incoming.trace.client_address, node.settings.smtp.gateway_networks):
        return
    if incoming.source != "mx" or incoming.spf is not None or len(node.checks) >= BEGUN_AT_ONCE:
        return
    incoming.spf = asyncio.get_running_loop().create_task(_check(node, client_of(node, incoming)))
    node.checks.add(incoming.spf)
    incoming.spf.add_done_callback(node.checks.discard)


async def spf_of(node: Node, incoming: Incoming) -> SpfResult:
    """The check's result, begun before or now."""
    if incoming.spf is None:
        return await _check(node, client_of(node, incoming))
    return await incoming.spf


def identity(incoming: Incoming) -> tuple[str, str]:
    """What SPF is about, mailfrom or helo (RFC 7208 2.4), and its domain in A-labels; "" for none."""
    if not incoming.reverse_path:
        return "helo", _ascii(incoming.judged.helo)
    try:
        return "mailfrom", _ascii(Address.parse(incoming.reverse_path).domain)
    except AddressError:
        return "mailfrom", ""


def client_of(node: Node, incoming: Incoming) -> Client | None:
    """Whom SPF is asked about; None where there is nobody to ask about."""
    kind, domain = identity(incoming)
    address = incoming.judged.address
    try:
        ip_address(address)
    except ValueError:
        return None
    local = incoming.reverse_path.rpartition("@")[0] if kind == "mailfrom" else "postmaster"
    if not domain:
        return None
    helo = _ascii(incoming.judged.helo) or "unknown"
    return Client(address, f"{local}@{domain}", helo, node.settings.hostname, node.clock.now_ms() // 1000)


def _ascii(domain: str) -> str:
    try:
        return ascii_domain(normal_domain(domain)).removesuffix(".")
    except ValueError:
        return ""


async def _check(node: Node, client: Client | None) -> SpfResult:
    if client is None:
        return SpfResult("none")
    return await check_host(client, node.resolver.asked_by(network_of(client.address)))
