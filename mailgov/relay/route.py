"""Where a recipient's mail goes next: a Maildir here, a configured route, a smarthost, or its MX."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.dns import Resolver
from mailgov.settings import DeliveryLogin, DeliverySettings, parse_listen

NULL_MX = Reply(556, "5.1.10", "The domain accepts no mail (null MX)")
NO_DOMAIN = Reply(550, "5.1.2", "The domain does not exist")
NO_HOST = Reply(550, "5.4.4", "None of the domain's mail hosts has an address")
LOOPS_BACK = Reply(554, "5.4.6", "The domain's mail loops back to this host")
DNS_TROUBLE = Reply(451, "4.4.3", "The DNS does not answer for this domain now")
FORBIDDEN = Reply(554, "5.4.4", "The domain's mail hosts lie at private or reserved addresses")

LaneKind = Literal["maildir", "smtp", "smtps", "lmtp", "mx"]
_SCHEMES: tuple[LaneKind, ...] = ("smtp", "smtps", "lmtp")


@dataclass(frozen=True, slots=True)
class Lane:
    """What shares a next hop, and so connections and a concurrency limit.

    maildir: `target` is an account's address. smtp, smtps: host:port. lmtp: host:port, or the path of a
    Unix socket. mx: a domain.
    """

    kind: LaneKind
    target: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How one talks there."""

    lmtp: bool = False
    """RFC 2033: a reply for each recipient after the data."""
    tls_first: bool = False
    """The handshake before the greeting (RFC 8314 3.3)."""
    login: DeliveryLogin | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One address to try. `host` is the name that TLS and logs know it by."""

    host: str
    address: str
    port: int
    manner: Manner = Manner()

    @property
    def unix(self) -> bool:
        """True where `address` is the path of a socket of this machine."""
        return self.address.startswith("/")


@dataclass(frozen=True, slots=True)
class Hops:
    """Where to try, in order, and the exchangers that the DNS named (for the policy)."""

    hops: tuple[Hop, ...]
    mx_hosts: tuple[str, ...] | None = None


class RouteError(ValueError):
    """A configured route is not usable; the message names it."""


class Router:
    """Lanes from settings, hops from the DNS. Raises MailError with the reply that a DSN will show."""

    def __init__(self, settings: DeliverySettings, resolver: Resolver, hostname: str) -> None:
        self._resolver, self._hostname = resolver, hostname.lower()
        self._mx_port = settings.mx_port
        self._allowed = [ipaddress.ip_network(network) for network in settings.allow_networks]
        self._routes = {domain.lower(): _lane(domain, route) for domain, route in settings.routes.items()}
        self._smarthost = _smarthost(settings.smarthost)
        self._logins = self._checked_logins(settings.logins)

    def lane(self, destination: str) -> Lane:
        """The lane of a recipient: `destination` is a local account's address, or a domain.

        A route that names a domain of ours leads to where its mailboxes are kept; no other one does.
        """
        if "@" in destination:
            route = self._routes.get(destination.rpartition("@")[2]) if self._routes else None
            return route or Lane("maildir", destination)
        return (
            self._routes.get(destination)
            or self._routes.get("*")
            or self._smarthost
            or Lane("mx", destination)
        )

    async def hops(self, lane: Lane) -> Hops:
        """Addresses to try for any lane but a mailbox's."""
        if lane.kind != "mx":
            return Hops(await self._configured(lane))
        answer = await self._resolver.mx(lane.target)
        if answer.status == "temporary":
            raise MailError(DNS_TROUBLE, answer.detail)
        if answer.status == "nxdomain":
            raise MailError(NO_DOMAIN)
        if answer.status == "null":
            raise MailError(NULL_MX)
        hosts = answer.hosts
        if self._hostname in hosts:
            # RFC 5321 5.1: only hosts preferred to ourselves, or the mail would circle.
            hosts = hosts[: hosts.index(self._hostname)]
            if not hosts:
                raise MailError(LOOPS_BACK)
        return Hops(await self._exchangers(hosts), answer.hosts)

    def _checked_logins(self, logins: Sequence[DeliveryLogin]) -> dict[str, DeliveryLogin]:
        """By next hop; one that no route leads to is a slip of the pen, and so is an unreadable file."""
        places = {lane.target for lane in (*self._routes.values(), self._smarthost) if lane is not None}
        found: dict[str, DeliveryLogin] = {}
        for login in logins:
            if str(login.at) not in places:
                raise RouteError(f"login at {login.at}: neither the smarthost nor a route is there")
            found[str(login.at)] = login
        return found

    async def _configured(self, lane: Lane) -> tuple[Hop, ...]:
        manner = Manner(lane.kind == "lmtp", lane.kind == "smtps", self._logins.get(lane.target))
        if lane.target.startswith("/"):
            return (Hop(lane.target, lane.target, 0, manner),)
        host, port = parse_listen(lane.target)
        hops = await self._addresses(host, port, configured=True)
        return tuple(replace(hop, manner=manner) for hop in hops)

    async def _exchangers(self, hosts: tuple[str, ...]) -> tuple[Hop, ...]:
        hops: list[Hop] = []
        trouble = forbidden = False
        for host in hosts:
            try:
                hops += await self._addresses(host, self._mx_port, configured=False)
            except MailError as error:
                trouble = trouble or error.reply.transient
                forbidden = forbidden or error.reply is FORBIDDEN
        if hops:
            return tuple(hops)
        raise MailError(DNS_TROUBLE if trouble else FORBIDDEN if forbidden else NO_HOST, ", ".join(hosts))

    async def _addresses(self, host: str, port: int, *, configured: bool) -> tuple[Hop, ...]:
        if configured and _is_literal(host):  # an MX must be a name (RFC 5321 5.1), a route need not
            return (Hop(host, host, port),)
        answer = await self._resolver.addresses(host)
        if answer.temporary:
            raise MailError(DNS_TROUBLE, host)
        usable = [a for a in answer.addresses if configured or self._may_reach(a)]
        if not usable:
            raise MailError(FORBIDDEN if answer.addresses else NO_HOST, host)
        return tuple(Hop(host, address, port) for address in usable)

    def _may_reach(self, text: str) -> bool:
        """A stranger's DNS must not point us at our own network."""
        address = ipaddress.ip_address(text)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_global or any(address in network for network in self._allowed)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _smarthost(text: str) -> Lane | None:
    if not text:
        return None
    plain = text.partition(":")[0] not in _SCHEMES
    return _lane("smarthost", f"smtp:{text}" if plain else text)


def _lane(name: str, route: str) -> Lane:
    scheme, colon, target = route.partition(":")
    kind = next((one for one in _SCHEMES if one == scheme), None)
    if kind is None or not colon:
        raise RouteError(
            f"delivery route {name!r}: {route!r} is not smtp:host:port, smtps:host:port, lmtp:host:port"
            " or lmtp:/path"
        )
    if kind == "lmtp" and target.startswith("/"):
        return Lane(kind, target)
    try:
        return Lane(kind, str(parse_listen(target)))
    except ValueError as error:
        raise RouteError(f"delivery route {name!r}: {error}") from None
