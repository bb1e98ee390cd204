"""Questions to the DNS: mail exchangers and addresses, asynchronously, bounded in time and number."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal
from weakref import WeakValueDictionary

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver
import structlog
from dns.rdata import Rdata
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TLSA import TLSA
from dns.rdtypes.ANY.TXT import TXT

from mailgov.mail.domains import ascii_domain, normal_domain
from mailgov.relay.dns_answers import BoundedNameserver
from mailgov.settings import DnsSettings

log = structlog.get_logger()

MX_LIMIT = 20
"""Exchangers looked at for one domain: RFC 5321 5.1 asks for two at least."""
ADDRESS_LIMIT = 8

VALUES_LIMIT = 100
"""Records of one answer that are looked at."""
VALUE_OCTETS = 8192
"""Of one TXT record: no SPF, DKIM or DMARC record of everyday mail comes near it."""
LOOKUPS_AT_ONCE = 256
"""Questions that strangers cause under way in one worker, and as many of our own beside them: neither takes
the other's places. Further ones wait, and the wait is part of their time."""

SHARE_AT_ONCE = 32
"""Of those for strangers, that one network or one block list may hold: who makes names that never answer
keeps his own mail waiting, and a list that died no more than that."""

MxStatus = Literal["ok", "implicit", "null", "nxdomain", "temporary"]


@dataclass(frozen=True, slots=True)
class MxAnswer:
    """A domain's exchangers, best first.

    `implicit`: no MX, the domain itself (RFC 5321 5.1); `null`: it takes no mail (RFC 7505);
    `temporary`: the answer is not known now. `secure`: a validating resolver vouches for it (DNSSEC).
    """

    status: MxStatus
    hosts: tuple[str, ...] = ()
    preferences: tuple[int, ...] = ()
    """Of each host; the lowest first."""
    detail: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """A host's IP addresses; `temporary` when a look-up failed and none was found."""

    addresses: tuple[str, ...]
    temporary: bool = False
    secure: bool = False
    """All that was said of it is vouched for by a validating resolver (DNSSEC)."""
    alias_of: str = ""
    """The name behind the aliases, where there are some."""


@dataclass(frozen=True, slots=True)
class TlsaAnswer:
    """TLSA records (RFC 6698) that a validating resolver vouches for: usage, selector, matching type, data.

    `temporary`: it is not known whether there are some, or somebody forges them.
    """

    records: tuple[tuple[int, int, int, bytes], ...] = ()
    temporary: bool = False


RecordKind = Literal["A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT"]


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one name and kind; empty unless `ok`.

    Addresses and names as text, names without the final dot, exchangers best first, a TXT record's
    strings joined with each octet as the character of that number (RFC 7208 3.3, RFC 6376 3.6.2.2).
    `none`: the name is there, such a record is not; `temporary`: the answer is not known now.
    """

    status: Literal["ok", "none", "nxdomain", "temporary"]
    values: tuple[str, ...] = ()
    alias_of: str = ""
    """The name behind the aliases, where there are some and the records are `ok`."""


def _system_resolver() -> dns.asyncresolver.Resolver:
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        log.warning("the system names no DNS server: every look-up fails for now; see [dns] nameservers")
        return dns.asyncresolver.Resolver(configure=False)


def _name(domain: str) -> str:
    """The one form that the policy knows the domain by too; raises UnicodeError for no domain."""
    try:
        return ascii_domain(normal_domain(domain))
    except ValueError as error:
        raise UnicodeError(str(error)) from error


class Resolver:
    """Answers are cached by TTL (at most `cache_size`); a look-up never raises.

    An answer past the bounds of `dns_answers` is temporary trouble.
    """

    def __init__(self, settings: DnsSettings) -> None:
        resolver = (
            _system_resolver() if not settings.nameservers else dns.asyncresolver.Resolver(configure=False)
        )
        servers = [(host, port) for host, port in settings.nameservers]
        servers = servers or [(str(host), resolver.port) for host in resolver.nameservers]
        resolver.nameservers = [BoundedNameserver(host, port) for host, port in servers]
        resolver.lifetime = settings.timeout_s
        resolver.timeout = min(settings.timeout_s, 2.0)
        resolver.cache = dns.resolver.LRUCache(settings.cache_size)
        self.validating = settings.validating
        if settings.validating:  # RFC 6840 5.7: who wants to know says so
            resolver.set_flags(dns.flags.RD | dns.flags.AD)
        self._resolver = resolver
        self._known: OrderedDict[str, tuple[MxAnswer, float]] = OrderedDict()
        """Answers and when they end (Unix time): dnspython takes 0.1 ms to say one that it has."""
        self._known_limit = settings.cache_size
        self._strangers = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._own = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def mx(self, domain: str, *, stranger: bool = False) -> MxAnswer:
        """The exchangers of `domain` by preference, lower-case, without the final dot.

        `stranger`: mail from outside causes the question, not our people's or a delivery.
        """
        known = self._known.get(domain)
        if known is not None and time.time() < known[1]:
            return known[0]
        try:
            answer = await self._ask(_name(domain), "MX", self._strangers if stranger else self._own)
        except dns.resolver.NXDOMAIN:
            return MxAnswer("nxdomain", detail="no such domain")
        except dns.resolver.NoAnswer as none:
            return MxAnswer("implicit", (domain,), (0,), secure=self._vouched(none.kwargs["response"]))
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
            return MxAnswer("nxdomain", detail="not a domain name")
        except (dns.exception.DNSException, OSError, TimeoutError) as error:
            return MxAnswer("temporary", detail=type(error).__name__)
        pairs = sorted((r.preference, r.exchange.to_text(omit_final_dot=True).lower()) for r in answer)
        if len(pairs) == 1 and pairs[0][1] in (".", ""):
            return MxAnswer("null", detail="null MX")
        pairs = [(preference, host) for preference, host in pairs if host not in (".", "")][:MX_LIMIT]
        hosts, preferences = tuple(host for _, host in pairs), tuple(number for number, _ in pairs)
        told = MxAnswer("ok", hosts, preferences, secure=self._vouched(answer.response))
        if len(self._known) >= self._known_limit:
            self._known.popitem(last=False)
        self._known[domain] = told, answer.expiration
        return told

    async def addresses(self, host: str) -> AddressAnswer:
        """IPv4 before IPv6, at most `ADDRESS_LIMIT`."""
        found: list[str] = []
        temporary, secure, alias_of = False, True, ""
        for kind in ("A", "AAAA"):
            try:
                answer = await self._ask(_name(host), kind, self._own)
            except dns.resolver.NoAnswer as none:
                secure = secure and self._vouched(none.kwargs["response"])
                continue
            except dns.resolver.NXDOMAIN:
                continue
            except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
                continue
            except (dns.exception.DNSException, OSError, TimeoutError):
                temporary = True
                continue
            found += [record.to_text() for record in answer]
            secure = secure and self._vouched(answer.response)
            alias_of = answer.canonical_name.to_text(omit_final_dot=True).lower()
        alias_of = "" if alias_of == host.lower() else alias_of
        return AddressAnswer(
            tuple(found[:ADDRESS_LIMIT]), temporary and not found, secure and bool(found), alias_of
        )

    async def secure_alias(self, host: str) -> bool | None:
        """Whether a validating resolver vouches for the host being an alias, whatever stands behind it;
        None where it is not known, or somebody forges it.
        """
        try:
            answer = await self._ask(_name(host), "CNAME", self._own)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, UnicodeError):
            return False
        except (dns.exception.DNSException, OSError, TimeoutError):
            return None
        return self._vouched(answer.response)

    async def tlsa(self, name: str) -> TlsaAnswer:
        """The records of `_port._tcp.host`; without a voucher they are none (RFC 7672 2.1)."""
        try:
            answer = await self._ask(_labels(name), "TLSA", self._own)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return TlsaAnswer()
        except (dns.exception.DNSException, OSError, TimeoutError):
            return TlsaAnswer(temporary=True)
        if not self._vouched(answer.response):
            return TlsaAnswer()
        records = [record for record in answer if isinstance(record, TLSA)]
        return TlsaAnswer(tuple((r.usage, r.selector, r.mtype, r.cert) for r in records[:VALUES_LIMIT]))

    async def texts(self, name: str) -> Records:
        """The TXT records of `name`, for a delivery of ours."""
        return await self._records(name, "TXT", self._own)

    def _vouched(self, response: dns.message.Message) -> bool:
        return self.validating and bool(response.flags & dns.flags.AD)

    async def records(self, name: str, kind: RecordKind, asker: str = "") -> Records:
        """What the DNS says of `name`, for the checks of who writes in; a name that is none is `nxdomain`.

        `asker` is who has the question asked, for his share of the places.
        """
        share = self._shares.setdefault(asker, asyncio.Semaphore(SHARE_AT_ONCE))
        return await self._records(name, kind, share, self._strangers)

    async def _records(self, name: str, kind: RecordKind, *places: asyncio.Semaphore) -> Records:
        try:
            question = _labels(name)
        except (dns.exception.DNSException, UnicodeError):
            return Records("nxdomain")
        try:
            answer = await self._ask(question, kind, *places)
        except dns.resolver.NXDOMAIN:
            return Records("nxdomain")
        except dns.resolver.NoAnswer:
            return Records("none")
        except (dns.exception.DNSException, OSError, TimeoutError):
            return Records("temporary")
        values = tuple(_text(record) for record in _in_order(answer))[:VALUES_LIMIT]
        canonical = answer.canonical_name
        alias_of = "" if canonical == question else canonical.to_text(omit_final_dot=True).lower()
        return Records("ok", values, alias_of)

    def asked_by(self, asker: str) -> Callable[[str, RecordKind], Awaitable[Records]]:
        """`records` on behalf of one network or list."""
        return partial(self.records, asker=asker)

    async def _ask(
        self, name: dns.name.Name | str, kind: str, *places: asyncio.Semaphore
    ) -> dns.resolver.Answer:
        """Raises what dnspython raises, and TimeoutError where there was no place in time."""
        async with asyncio.timeout(self._resolver.lifetime), AsyncExitStack() as held:
            for place in places:
                await held.enter_async_context(place)
            return await self._resolver.resolve(name, kind, search=False)


def _labels(name: str) -> dns.name.Name:
    """The name as it is written: a backslash is an octet like any other."""
    labels = [label.encode("ascii") for label in name.removesuffix(".").split(".")]
    return dns.name.Name([*labels, b""])


def _in_order(answer: dns.resolver.Answer) -> list[Rdata]:
    return sorted(answer, key=lambda record: record.preference if isinstance(record, MX) else 0)


def _text(record: Rdata) -> str:
    if isinstance(record, TXT):
        return b"".join(record.strings)[:VALUE_OCTETS].decode("latin-1")
    if isinstance(record, MX):
        return record.exchange.to_text(omit_final_dot=True)
    if isinstance(record, PTR):
        return record.target.to_text(omit_final_dot=True)
    return record.to_text()
