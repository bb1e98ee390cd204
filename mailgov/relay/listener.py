"""The rules of a listening socket, and what is asked of a connection before it gets a session."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache

_MAPPED = "::ffff:"  # RFC 4291 2.5.5.2


class _CommandLengths(dict[str, int]):
    """Octets per command line; a plain default, since a stranger chooses the names looked up."""

    def __missing__(self, command: str) -> int:
        return 512  # RFC 5321 4.5.3.1.4


# MAIL and RCPT grow by their extensions (RFC 1870, 3461, 6531), AUTH by RFC 4954 4.
COMMAND_LENGTHS = _CommandLengths(MAIL=2048, RCPT=2048, AUTH=12_288)


Command = Callable[[str | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket's rules. `kind`: mx, submission, submissions, trusted."""

    kind: str
    tls_context: ssl.SSLContext | None = None
    """For STARTTLS; on submissions the socket itself is TLS."""
    trusted_networks: tuple[str, ...] = ()
    trusted_account: str | None = None

    @property
    def authenticates(self) -> bool:
        return self.kind in ("submission", "submissions")


def address_of(transport: asyncio.BaseTransport) -> str:
    """The client's IP address; a client of IPv4 on a socket of both has its own, not `::ffff:…`."""
    return address_from(transport.get_extra_info("peername"))


def address_from(peer: object) -> str:
    """The same from what the socket says of its peer."""
    if not isinstance(peer, tuple):
        return "local"
    address = str(peer[0])
    return address.removeprefix(_MAPPED) if address.startswith(_MAPPED) and "." in address else address


@lru_cache(maxsize=4096)
def inside(address: str, networks: tuple[str, ...]) -> bool:
    """True when the address lies in one of the networks."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(client in ipaddress.ip_network(network) for network in networks)


def network_of(address: str) -> str:
    """The /24, or the /64 of IPv6, that an address lies in; itself where it is none."""
    try:
        client = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((client, 24 if client.version == 4 else 64), strict=False))
