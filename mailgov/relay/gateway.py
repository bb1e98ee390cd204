"""Mail by way of a filter gateway in front of us: where it came from, as its Received field says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.listener import inside

FIELDS_LIMIT = 5
"""Gateways one behind the other that are seen through."""
FIELD_OCTETS = 2000
"""A Received field that is longer is not read: RFC 5321 4.4 bounds none, servers write some hundred."""

_FROM = re.compile(r"\s*from\s+(\S{1,255})\s", re.IGNORECASE)
_BY = re.compile(r"\sby\s", re.IGNORECASE)
_TCP_INFO = re.compile(
    r"\(\s*(?:[^\s()\[\]]{1,255}\s+)?\[?(?:IPv6:)?([0-9A-Fa-f.:]{2,45})(?:\](?::\d{1,5})?)?(?=[\s)])"
)
_HELO = re.compile(r"\(\[[^\]]{1,50}\](?::\d{1,5})? helo=([^\s()]{1,255})")  # Exim's order


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom checks of the connection are about. An address of "" is nobody: there is nothing to check."""

    address: str
    helo: str


UNKNOWN = Origin("", "")


def origin_of(header: HeaderBlock, gateways: tuple[str, ...]) -> Origin:
    """Who handed the message to the first of the gateways, by the fields on top of its header.

    The top one was written by the gateway that is connected; where that names a gateway too, the next
    one was written by that one. So it is with loopback, where a gateway hands on to itself: nobody else comes
    from there. UNKNOWN where such a field is missing or does not tell for certain.
    """
    for value in header.all(b"received")[:FIELDS_LIMIT]:
        origin = _told(value)
        if origin is None:
            return UNKNOWN
        if not inside(origin.address, gateways) and not ip_address(origin.address).is_loopback:
            return origin
    return UNKNOWN


def _told(value: bytes) -> Origin | None:
    """The client of one Received field (RFC 5321 4.4): the address in brackets behind its name.

    The name before it is what the client called itself, and may be written so that it looks like more of
    the field. So all up to the last "by" counts, and two different addresses there tell nothing.
    """
    if len(value) > FIELD_OCTETS:
        return None  # a long name may have pushed out what the gateway itself wrote
    text = value.decode("ascii", "replace")
    ends = [found.start() for found in _BY.finditer(text)]
    name = _FROM.match(text)
    if not ends or name is None:
        return None
    segment = text[: ends[-1]]
    addresses = {address for found in _TCP_INFO.finditer(segment) if (address := _address(found[1]))}
    if len(addresses) != 1:
        return None
    helo = _HELO.search(segment) or name
    return Origin(addresses.pop(), helo[1])


def _address(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
