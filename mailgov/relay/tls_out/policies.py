"""What the way to a destination asks of its hosts: the settings' minimum, DANE, MTA-STS, the sender.

Decided before the first connection, from what is cached: a session that is kept costs no decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from mailgov.mail.domains import ascii_domain, normal_domain
from mailgov.mail.reply import MailError, Reply
from mailgov.relay.clock import Clock
from mailgov.relay.dns import Resolver
from mailgov.relay.route import Hop, Lane
from mailgov.relay.tls_out.demand import OPPORTUNISTIC, Demand, Wish
from mailgov.relay.tls_out.handshake import checking, forget_authorities
from mailgov.relay.tls_out.https import Https, reachable
from mailgov.relay.tls_out.sts import FETCHES_AT_ONCE, NOTHING, Found, Sts
from mailgov.relay.tls_out.sts_fetch import Fetcher
from mailgov.relay.tls_out.sts_text import StsPolicy
from mailgov.relay.tls_out.tlsa import Tlsa, usable
from mailgov.settings import Settings, TlsMinimum, parse_listen
from mailgov.store.guard import Guard
from mailgov.store.tallies import Policy, TlsTally

_LEVELS = ("may", "encrypt", "verify")


@dataclass(frozen=True, slots=True)
class Minimum:
    """The settings' for one next hop."""

    level: str
    names: tuple[str, ...]
    ca_file: Path | None


@dataclass(frozen=True, slots=True)
class Way:
    """The gate to one destination: see `demand.Gate`."""

    policies: TlsPolicies
    domain: str
    minimum: Minimum | None
    found: Found
    sts: StsPolicy | None
    chosen_safely: bool
    """Nobody but the domain, or our settings, can have named its hosts."""
    wish: Wish

    async def demand(self, hop: Hop) -> Demand:
        """See `docs/tls.md` for the order. Raises MailError where the host may not be used."""
        if hop.unix:  # this machine itself
            return OPPORTUNISTIC
        if self.minimum is not None and self.minimum.level == "verify":
            minimum = self.minimum
            return self._wished(Demand("pkix", "checked", "minimum", minimum.names, minimum.ca_file), hop)
        encrypt = self.minimum is not None and self.minimum.level == "encrypt"
        if self.wish == "waived":
            return Demand("none", "tls", "minimum") if encrypt else replace(OPPORTUNISTIC, waived=True)
        demand = await self._published(hop)
        if demand.floor == "clear" and encrypt:
            demand = replace(demand, floor="tls", by="minimum" if demand.by == "none" else demand.by)
        return self._wished(demand, hop)

    def told(self, hop: Hop, demand: Demand, result: str | None) -> None:
        """Count it by the policy that the domain publishes, whoever else asked for more."""
        kind, text = "no-policy-found", ""
        if demand.by == "tlsa" or (demand.by == "none" and result in {"dnssec-invalid", "tlsa-invalid"}):
            kind, text = "tlsa", "\n".join(_shown(one) for one in demand.tlsa)
        elif self.sts is not None:
            kind, text = "sts", self.sts.text()
        policy = Policy(kind, self.domain, hop.host, text)
        self.policies.tally.count(self.policies.clock.now_ms(), policy, result or self.found.failure)

    async def _published(self, hop: Hop) -> Demand:
        """What DANE, or else MTA-STS, asks of this host (RFC 8461 2: DANE is never set aside by it)."""
        base, records = await self._tlsa(hop)
        if records:
            good = usable(records)
            if not good:  # RFC 7672 2.2: they say that there is TLS, and no more
                return Demand("none", "tls", "tlsa")
            names = tuple(dict.fromkeys((base, hop.host, self.domain)))
            return Demand("dane", "checked", "tlsa", names, tlsa=good)
        if self.sts is None:
            return OPPORTUNISTIC
        strict = self.sts.mode == "enforce"
        if not self.sts.names(hop.host):
            if not strict:
                return OPPORTUNISTIC
            self.told(hop, OPPORTUNISTIC, "validation-failure")
            text = f"{hop.host} is not among the mail hosts of the domain's MTA-STS policy"
            raise MailError(Reply(451, "4.7.5", text))
        return Demand(
            "pkix", "checked" if strict else "clear", "sts", (hop.host,), self.policies.settings.ca_file
        )

    async def _tlsa(self, hop: Hop) -> tuple[str, tuple[tuple[int, int, int, bytes], ...]]:
        """The host's TLSA records and by which name, where the way to them is vouched for (RFC 7672 2.2)."""
        resolver = self.policies.resolver
        if not resolver.validating or not self.chosen_safely or hop.manner.login is not None:
            return "", ()
        for name in await self._tlsa_names(hop):
            found = await resolver.tlsa(f"_{hop.port}._tcp.{name}")
            if found.temporary:
                raise self._no_dns(hop, f"the TLSA records of {name}")
            if found.records:
                return name, found.records
        return "", ()

    async def _tlsa_names(self, hop: Hop) -> tuple[str, ...]:
        """The names that the host's records may stand at, the first that has some counts (RFC 7672 2.2.2).

        An alias that is vouched for, and leads where nobody vouches for anything, has them at its own name.
        """
        resolver = self.policies.resolver
        answer = await resolver.addresses(hop.host)
        if answer.secure:
            return (answer.alias_of, hop.host) if answer.alias_of else (hop.host,)
        alias = await resolver.secure_alias(hop.host) if answer.alias_of else False
        if alias is None:
            raise self._no_dns(hop, f"the alias {hop.host}")
        return (hop.host,) if alias else ()

    def _no_dns(self, hop: Hop, what: str) -> MailError:
        self.told(hop, OPPORTUNISTIC, "dnssec-invalid")
        return MailError(Reply(451, "4.7.5", f"The DNS does not answer for {what}"))

    def _wished(self, demand: Demand, hop: Hop) -> Demand:
        """With what REQUIRETLS asks for on top (RFC 8689 4.2.1)."""
        if self.wish != "required":
            return demand
        named = demand.by in ("sts", "minimum") and demand.check == "pkix"
        if demand.check == "none":
            demand = Demand("pkix", "checked", "requiretls", (hop.host,), self.policies.settings.ca_file)
        if not (named or self.chosen_safely):
            text = (
                f"Nothing proves that {hop.host} is a mail host of {self.domain}, and the sender requires TLS"
            )
            raise MailError(Reply(550, "5.7.10", text))
        return replace(demand, floor="checked", requiretls=True)


class TlsPolicies:
    """One worker's."""

    def __init__(
        self, settings: Settings, resolver: Resolver, guard: Guard, executor: Executor, clock: Clock
    ) -> None:
        self.settings, self.resolver, self.clock = settings.tls_out, resolver, clock
        self.tally = TlsTally()
        self._minimum = minimums(self.settings.minimum, self.settings.ca_file)
        self.https = Https(
            resolver,
            ThreadPoolExecutor(FETCHES_AT_ONCE, thread_name_prefix="https"),
            lambda: checking(self.settings.ca_file),
            reachable(settings.delivery.allow_networks),
        )
        self._fetcher = Fetcher(self.https, self.settings.mta_sts_port)
        self._sts = Sts(resolver, self._fetcher, guard, executor, clock)

    def heed(self, settings: Settings) -> None:
        """Other settings, from the next connection on; certificates of authorities are read anew."""
        self.settings = settings.tls_out
        self._minimum = minimums(self.settings.minimum, self.settings.ca_file)
        self.https.may_reach = reachable(settings.delivery.allow_networks)
        self._fetcher.port = self.settings.mta_sts_port
        forget_authorities()

    @property
    def named(self) -> Collection[str]:
        """For whom the settings have a minimum."""
        return self._minimum.keys()

    def minimum(self, lane: Lane, destinations: Iterable[str]) -> Minimum | None:
        """The settings' minimum for this next hop and for whom the mail is for; the strictest of them.

        None for a mailbox here: nothing is connected to.
        """
        if not self._minimum or lane.kind == "maildir":
            return None
        hosts = (lane.target, _host_of(lane)) if lane.kind != "mx" else (lane.target,)
        found = [self._minimum[one] for one in (*hosts, *destinations) if one in self._minimum]
        return max(found, key=lambda one: _LEVELS.index(one.level), default=None)

    async def way(self, lane: Lane, minimum: Minimum | None, wish: Wish) -> Way:
        """The gate to a lane's hosts."""
        if lane.kind != "mx":
            return Way(self, _host_of(lane), minimum, NOTHING, None, True, wish)
        domain = _ascii(lane.target)
        found, safely = NOTHING, False
        if self.settings.mta_sts and domain:
            found = await self._sts.of(domain)
        if self.resolver.validating:
            safely = (await self.resolver.mx(domain)).secure
        policy = found.in_force(self.clock.now_ms())
        policy = policy if policy is not None and policy.mode != "none" else None
        return Way(self, domain, minimum, found, policy, safely, wish)


def minimums(settings: dict[str, TlsMinimum], ca_file: Path | None) -> dict[str, Minimum]:
    """By next hop in lower case; without names its own, and all below it."""
    found = {}
    for key, given in settings.items():
        name = key.lower()
        host = name.rpartition(":")[0] or name if name.rpartition(":")[2].isdigit() else name
        found[name] = Minimum(given.level, tuple(given.names) or (host, f".{host}"), given.ca_file or ca_file)
    return found


def _host_of(lane: Lane) -> str:
    if lane.target.startswith("/"):
        return lane.target
    return parse_listen(lane.target).host.lower()


def _ascii(domain: str) -> str:
    try:
        return ascii_domain(normal_domain(domain))
    except ValueError:
        return ""


def _shown(record: Tlsa) -> str:
    return f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"[:512]
