"""Where a recipient's mail goes next: a Maildir here, a configured route, a smarthost, or its MX."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from time import monotonic
from typing import Literal

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.dns import MxAnswer, Resolver
from mailgov.relay.reach import Reach, alternating
from mailgov.settings import DeliveryLogin, DeliverySettings, parse_listen

NULL_MX = Reply(556, "5.1.10", "The domain accepts no mail (null MX)")
NO_DOMAIN = Reply(550, "5.1.2", "The domain does not exist")
NO_HOST = Reply(550, "5.4.4", "None of the domain's mail hosts has an address")
LOOPS_BACK = Reply(554, "5.4.6", "The domain's mail loops back to this host")
LITERAL = Reply(550, "5.1.2", "Mail goes to domains; to an address literal none is sent")
DNS_TROUBLE = Reply(451, "4.4.3", "The DNS does not answer for this domain now")
FORBIDDEN = Reply(554, "5.4.4", "The domain's mail hosts lie at private or reserved addresses")

HOPS_LIMIT = 20
"""Addresses that one attempt tries; Postfix stops at 5."""

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
    aside: bool = False
    """For reports that strangers have caused: in a line of their own, with a share of the places."""


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
    reach: Reach | None = field(default=None, compare=False, repr=False)
    """Who wants to know whether it could be reached."""

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
    """A configured route is not usable; the message names its key of the settings."""


class Router:
    """Lanes from settings, hops from the DNS. Raises MailError with the reply that a DSN will show."""

    def __init__(
        self,
        settings: DeliverySettings,
        resolver: Resolver,
        hostname: str,
        *,
        own_ports: Collection[int] = (),
        reach: Reach | None = None,
        shuffle: Callable[[list[str]], None] = random.shuffle,
    ) -> None:
        """`own_ports`: where we take mail from outside; an address of this machine with one is ourselves."""
        self._resolver, self._hostname = resolver, hostname.lower()
        self._own_ports, self._shuffle = frozenset(own_ports), shuffle
        self._reach = reach or Reach(monotonic)
        self._mx_port = settings.mx_port
        self._allowed = [ipaddress.ip_network(network) for network in settings.allow_networks]
        self._routes = {
            domain.lower(): _lane(f'delivery.routes."{domain}"', route)
            for domain, route in settings.routes.items()
        }
        self._smarthost = _smarthost(settings.smarthost)
        self._logins = self._checked_logins(settings.logins)

    def lane(self, destination: str) -> Lane:
        """The lane of a recipient: `destination` is a local account's address, or a domain.

        A route that names a domain of ours leads to where its mailboxes are kept; no other one does.
        """
        if "@" in destination:
            route = self._routes.get(destination.rpartition("@")[2]) if self._routes else None
            return route or Lane("maildir", destination)
        return self._routes.get(destination) or self.default or Lane("mx", destination)

    @property
    def default(self) -> Lane | None:
        """The lane of all domains that have none of their own; None where each has its exchangers'."""
        return self._routes.get("*") or self._smarthost

    def named(self, lane: Lane) -> list[str]:
        """The domains whose lane it is, where that is not the default."""
        if lane.kind == "mx":
            return [lane.target]
        return [name for name, route in self._routes.items() if route == lane and name != "*"]

    def told(self) -> dict[str, str]:
        """Each configured way, by domain, `*` for all others: what mail that waits was held up by, or not."""
        ways = dict(self._routes)
        if self.default is not None:
            ways["*"] = self.default
        found = {}
        for domain, lane in ways.items():
            login = self._logins.get(lane.target)
            found[domain] = f"{lane.kind}:{lane.target} {login.user if login else ''}".strip()
        return found

    async def hops(self, lane: Lane) -> Hops:
        """Addresses to try for any lane but a mailbox's."""
        if lane.kind != "mx":
            return Hops(self._in_order(await self._configured(lane)))
        if lane.target.startswith("["):
            raise MailError(LITERAL)
        answer = await self._resolver.mx(lane.target)
        if answer.status == "temporary":
            raise MailError(DNS_TROUBLE, answer.detail)
        if answer.status == "nxdomain":
            raise MailError(NO_DOMAIN)
        if answer.status == "null":
            raise MailError(NULL_MX)
        hosts = self._preferred(answer)
        if not hosts:
            raise MailError(LOOPS_BACK)
        return Hops(self._in_order(await self._exchangers(hosts)), answer.hosts)

    def _preferred(self, answer: MxAnswer) -> tuple[str, ...]:
        """Those preferred to ourselves, or mail would circle; equal ones by chance (RFC 5321 5.1)."""
        found: list[str] = []
        for _, pairs in groupby(zip(answer.preferences, answer.hosts, strict=True), key=lambda pair: pair[0]):
            equal = [host for _, host in pairs]
            if self._hostname in equal:
                break
            self._shuffle(equal)
            found += equal
        return tuple(found)

    def _in_order(self, hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
        """What could not be reached lately last; no more than may be tried in one go."""
        told = (replace(hop, reach=None if hop.unix else self._reach) for hop in hops)
        return tuple(sorted(told, key=lambda hop: self._reach.penalty(hop.address))[:HOPS_LIMIT])

    def _checked_logins(self, logins: Sequence[DeliveryLogin]) -> dict[str, DeliveryLogin]:
        """By next hop; one that no route leads to is a slip of the pen, and so is an unreadable file."""
        places = {lane.target for lane in (*self._routes.values(), self._smarthost) if lane is not None}
        found: dict[str, DeliveryLogin] = {}
        for login in logins:
            if str(login.at) not in places:
                raise RouteError(
                    f"key delivery.logins: {login.at}: neither the smarthost nor a route is there"
                )
            found[str(login.at)] = login
        return found

    async def _configured(self, lane: Lane) -> tuple[Hop, ...]:
        manner = Manner(lane.kind == "lmtp", lane.kind == "smtps", self._logins.get(lane.target))
        if lane.target.startswith("/"):
            return (Hop("localhost", lane.target, 0, manner),)  # a path is nothing for a report
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
                if (
                    error.reply is LOOPS_BACK
                ):  # ourselves by another name: what follows is not preferred to us
                    if not hops:
                        raise
                    break
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
        if not configured and port in self._own_ports and any(map(_of_this_machine, usable)):
            raise MailError(LOOPS_BACK, host)
        return tuple(Hop(host, address, port) for address in alternating(usable))

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


def _of_this_machine(address: str) -> bool:
    """What can be bound to is ours; nothing is sent for it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _smarthost(text: str) -> Lane | None:
    if not text:
        return None
    plain = text.partition(":")[0] not in _SCHEMES
    return _lane("delivery.smarthost", f"smtp:{text}" if plain else text)


def _lane(key: str, route: str) -> Lane:
    scheme, colon, target = route.partition(":")
    kind = next((one for one in _SCHEMES if one == scheme), None)
    if kind is None or not colon:
        raise RouteError(
            f"key {key}: {route!r} is not smtp:host:port, smtps:host:port, lmtp:host:port or lmtp:/path"
        )
    if kind == "lmtp" and target.startswith("/"):
        return Lane(kind, target)
    try:
        return Lane(kind, str(parse_listen(target)))
    except ValueError as error:
        raise RouteError(f"key {key}: {error}") from None
