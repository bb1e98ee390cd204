"""SPF (RFC 7208): may this client write under this domain?

Asynchronous, since each question may be as slow as a stranger wants: no thread waits for it. Bounded
as 4.6.4 asks: 10 terms that ask the DNS, 10 exchangers and names of each, 2 void answers, 20 seconds.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote

from mailgov.relay.dns import RecordKind, Records
from mailgov.relay.senders.spf_record import MACRO, Mechanism, PermanentError, Record, check_macros, parse

Lookup = Callable[[str, RecordKind], Awaitable[Records]]
"""Asks the DNS for the records of a name; never raises."""

TERMS_LIMIT = 10
VOID_LIMIT = 2
NAMES_LIMIT = 10
TIME_LIMIT_S = 20.0
DOMAIN_OCTETS = 253
_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)


class _TemporaryError(Exception):
    """The DNS did not answer."""


@dataclass(frozen=True, slots=True)
class SpfResult:
    """`result` in the words of RFC 7208 2.6; `explanation` only for fail, where it was asked for."""

    result: str
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the door: `sender` is the reverse-path, or postmaster@helo for the null one."""

    address: str
    sender: str
    helo: str
    receiver: str = "unknown"
    now_s: int = 0


async def check_host(client: Client, lookup: Lookup, *, explain: bool = False) -> SpfResult:
    """RFC 7208 4 for the domain of `client.sender`. Never raises; temperror once its time is over."""
    local, _, domain = client.sender.rpartition("@")
    check = _Check(client, local or "postmaster", domain, lookup, explain=explain)
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            return await check.host(domain)
    except PermanentError:
        return SpfResult("permerror")
    except (_TemporaryError, TimeoutError):
        return SpfResult("temperror")


def _well_formed(domain: str) -> bool:
    """A name of at least two labels that the DNS can be asked for (RFC 7208 4.3)."""
    labels = domain.removesuffix(".").split(".")
    return (
        len(domain) <= DOMAIN_OCTETS + 1
        and len(labels) > 1
        and domain.isascii()
        and all(0 < len(label) <= 63 for label in labels)
        and not domain.startswith("[")
    )


class _Check:
    """One check: what it may still ask for is counted over all included and redirected records."""

    def __init__(self, client: Client, local: str, sender_domain: str, lookup: Lookup, *, explain: bool):
        self._client, self._local, self._sender_domain = client, local, sender_domain
        self._lookup, self._explain = lookup, explain
        address = ip_address(client.address)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        self._ip: IPv4Address | IPv6Address = mapped or address
        self._terms = self._voids = 0
        self._validated: list[str] | None = None

    async def host(self, domain: str, *, included: bool = False) -> SpfResult:
        """check_host() itself; raises PermanentError and _TemporaryError."""
        if not _well_formed(domain):
            return SpfResult("none")
        text = await self._record(domain)
        if text is None:
            return SpfResult("none")
        record = parse(text)
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                why = None
                if mechanism.qualifier == "fail" and self._explain and not included:
                    why = await self._explanation(record, domain)
                return SpfResult(mechanism.qualifier, why)
        if record.redirect is None:
            return SpfResult("neutral")
        self._count_term()
        result = await self.host(await self._expand(record.redirect, domain), included=included)
        if result.result == "none":
            raise PermanentError("redirect= leads to no record")
        return result

    async def _record(self, domain: str) -> str | None:
        answer = await self._ask(domain, "TXT")
        found = [text for text in answer.values if _VERSION.match(text)]
        if len(found) > 1:
            raise PermanentError("several records")
        return found[0] if found else None

    async def _ask(self, name: str, kind: RecordKind, *, counted: bool = False) -> Records:
        answer = await self._lookup(name, kind)
        if answer.status == "temporary":
            raise _TemporaryError(name)
        if counted and not answer.values:
            self._voids += 1
            if self._voids > VOID_LIMIT:
                raise PermanentError("too many void look-ups")
        return answer

    def _count_term(self) -> None:
        self._terms += 1
        if self._terms > TERMS_LIMIT:
            raise PermanentError("too many terms that ask the DNS")

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return self._ip in mechanism.network
        self._count_term()
        target = domain if mechanism.domain is None else await self._expand(mechanism.domain, domain)
        if mechanism.name == "include":
            result = (await self.host(target, included=True)).result
            if result == "none":
                raise PermanentError("include: leads to no record")
            return result == "pass"
        if mechanism.name == "exists":
            return bool((await self._ask(target, "A", counted=True)).values)
        if mechanism.name == "ptr":
            return any(_under(name, target) for name in await self._names())
        hosts: tuple[str, ...] = (target,)
        if mechanism.name == "mx":
            hosts = (await self._ask(target, "MX", counted=True)).values
            if len(hosts) > NAMES_LIMIT:
                raise PermanentError("too many exchangers")
        for host in hosts:
            if await self._has_address(host, mechanism):
                return True
        return False

    async def _has_address(self, host: str, mechanism: Mechanism) -> bool:
        four = self._ip.version == 4
        prefix = mechanism.prefix4 if four else mechanism.prefix6
        network = ip_network((self._ip, prefix), strict=False)
        answer = await self._ask(host, "A" if four else "AAAA", counted=True)
        return any(ip_address(text) in network for text in answer.values)

    async def _names(self) -> list[str]:
        """The client's names that lead back to it (RFC 7208 5.5); none where the DNS has trouble."""
        if self._validated is None:
            self._validated = []
            names = await self._lookup(self._ip.reverse_pointer, "PTR")
            for name in names.values[:NAMES_LIMIT]:
                answer = await self._lookup(name, "A" if self._ip.version == 4 else "AAAA")
                if any(ip_address(text) == self._ip for text in answer.values):
                    self._validated.append(name.removesuffix(".").lower())
        return self._validated

    async def _explanation(self, record: Record, domain: str) -> str | None:
        """The domain's own words for a fail (RFC 7208 6.2); None for any trouble on the way to them."""
        if record.explanation is None:
            return None
        answer = await self._lookup(await self._expand(record.explanation, domain), "TXT")
        if len(answer.values) != 1 or not answer.values[0].isascii():
            return None
        try:
            check_macros(answer.values[0].replace(" ", "_"))
        except PermanentError:
            return None
        return await self._expanded(answer.values[0], domain)

    async def _expand(self, spec: str, domain: str) -> str:
        """A domain-spec with its macros expanded, cut from the left to fit the DNS (RFC 7208 7.3)."""
        if MACRO.search(spec) is None:
            return spec.removesuffix(".")
        return _cut_to_fit((await self._expanded(spec, domain)).removesuffix("."))

    async def _expanded(self, text: str, domain: str) -> str:
        parts, at = [], 0
        known: dict[str, str] = {}  # a record may write the same macro two thousand times
        for match in MACRO.finditer(text):
            if match[0] not in known:
                known[match[0]] = await self._macro(match, domain)
            parts += [text[at : match.start()], known[match[0]]]
            at = match.end()
        return "".join([*parts, text[at:]])

    async def _macro(self, match: re.Match[str], domain: str) -> str:
        letter, digits, reverse, delimiters, literal = match.groups()
        if literal:
            return {"%": "%", "_": " ", "-": "%20"}[literal]
        value = await self._letter(letter.lower(), domain)
        labels = re.split(f"[{re.escape(delimiters or '.')}]", value)
        if reverse:
            labels.reverse()
        value = ".".join(labels[-int(digits) :] if digits else labels)
        return quote(value, safe="-._~") if letter.isupper() else value

    async def _letter(self, letter: str, domain: str) -> str:
        client, ip = self._client, self._ip
        if letter == "p":
            names = await self._names()
            near = [[n for n in names if n == domain.lower()], [n for n in names if _under(n, domain)], names]
            return next((group[0] for group in near if group), "unknown")
        dotted = str(ip) if ip.version == 4 else ".".join(f"{int(ip):032X}")
        return {
            "s": f"{self._local}@{self._sender_domain}",
            "l": self._local,
            "o": self._sender_domain,
            "d": domain,
            "i": dotted,
            "h": client.helo,
            "v": "in-addr" if ip.version == 4 else "ip6",
            "c": str(ip),
            "r": client.receiver,
            "t": str(client.now_s),
        }[letter]


def _cut_to_fit(name: str) -> str:
    """The name without as many labels on the left as are too many for the DNS, in one step: a stranger's
    macros may make a megabyte of it.
    """
    if len(name) <= DOMAIN_OCTETS:
        return name
    _, dot, rest = name[-DOMAIN_OCTETS - 1 :].partition(".")
    return rest if dot else name.rpartition(".")[2]


def _under(name: str, domain: str) -> bool:
    domain = domain.removesuffix(".").lower()
    return name == domain or name.endswith("." + domain)
