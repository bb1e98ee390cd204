"""Block lists in the DNS that name a client's address (RFC 5782)."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

from mailgov.relay.dns import Resolver
from mailgov.relay.listener import inside
from mailgov.settings import DnsblSettings

KEY_CHARACTERS = 16
"""Labels this long are keys: names of lists are words."""

_LISTED = ipaddress.ip_network("127.0.0.0/8")
_ERRORS = ipaddress.ip_network("127.255.255.0/24")
"""Spamhaus's and others' way to say that the question was not answered: asked too often, or through an
open resolver."""
_BLOCKED = ipaddress.ip_address("127.0.0.1")
"""URIBL's and others' way to say the same; RFC 5782 5 lists begin at 127.0.0.2."""


async def listed(resolver: Resolver, settings: DnsblSettings, client: str) -> tuple[str, ...]:
    """The zones that name `client`, as they are `shown`, in the settings' order; all are asked at once.

    A zone that does not answer, or answers what is no listing, does not name it.
    """
    name = reversed_address(client)
    if not settings.zones or name is None or inside(client, settings.exempt_networks):
        return ()
    found = await asyncio.gather(
        *(resolver.records(f"{name}.{zone}", "A", asker=zone) for zone in settings.zones)
    )
    return tuple(
        shown(zone) for zone, answer in zip(settings.zones, found, strict=True) if _names_it(answer.values)
    )


def shown(zone: str) -> str:
    """The zone as it is told: lists that one pays for have the customer's key as a label of its name."""
    return ".".join("…" if len(label) >= KEY_CHARACTERS else label for label in zone.split("."))


def reversed_address(client: str) -> str | None:
    """The labels under which a list has an address (RFC 5782 2.1, 2.4): octets, or 32 nibbles of IPv6."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    pointer = (mapped or address).reverse_pointer
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def _names_it(values: Sequence[str]) -> bool:
    addresses = [ipaddress.ip_address(value) for value in values]
    return any(a in _LISTED and a not in _ERRORS and a != _BLOCKED for a in addresses)
