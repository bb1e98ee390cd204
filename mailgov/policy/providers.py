"""Who hosts a domain's mail: free and foreign, paid and foreign, domestic, a gateway, or unknown.

Only *free* is ever refused: a listed domain, or an MX that serves consumers alone. Paid hosting
abroad is reported apart, for an MX host does not tell a paid customer from a free one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast

from mailgov.mail.domains import normal_domain
from mailgov.policy.source import Reader

ProviderClass = Literal["free", "paid-foreign", "domestic", "gateway", "unknown"]

LISTED_CLASSES = ("free", "paid-foreign", "domestic", "gateway")
MX_LIMIT = 50
"""Hosts looked at of one domain; a thousand MX records are an attack, not a mail system."""

_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")


class Providers:
    """The lists of `providers.toml`, compiled. Suffixes match whole labels, the longest wins."""

    def __init__(self, free_domains: frozenset[str], suffixes: dict[str, ProviderClass]) -> None:
        self.free_domains = free_domains
        self._suffixes = suffixes
        self._labels = max((suffix.count(".") + 1 for suffix in suffixes), default=0)

    @classmethod
    def read(cls, reader: Reader) -> Providers:
        """From `providers.toml`: `free_domains`, and suffixes under `[mx]` by class."""
        free = frozenset(_domains(reader, "free_domains"))
        table = reader.sub("mx")
        suffixes: dict[str, ProviderClass] = {}
        for name in LISTED_CLASSES:
            for number, suffix in enumerate(_domains(table, name)):
                if suffix in suffixes:
                    problem = f"{suffix} is listed twice ({suffixes[suffix]} and {name})"
                    raise reader.source.error(table.at(name, number), problem)
                suffixes[suffix] = cast(ProviderClass, name)
        table.finish()
        reader.finish()
        return cls(free, suffixes)

    def is_free_domain(self, domain: str) -> bool:
        """True for a listed domain itself, not for one below it."""
        return _plain(domain) in self.free_domains

    def classify(self, domain: str, mx_hosts: Sequence[str] | None) -> ProviderClass:
        """The class of a domain's mail hosting.

        `mx_hosts` in order of preference, `()` when the domain has none and receives mail itself
        (RFC 5321 5.1), None when DNS did not tell. The most preferred host that is listed decides.
        """
        name = _plain(domain)
        if name in self.free_domains:
            return "free"
        if mx_hosts is None:
            return "unknown"
        for host in mx_hosts[:MX_LIMIT] or (name,):
            found = self._of_host(_plain(host))
            if found is not None:
                return found
        return "unknown"

    def _of_host(self, host: str) -> ProviderClass | None:
        labels = host.split(".")[-self._labels :] if self._labels else []
        for first in range(len(labels)):
            found = self._suffixes.get(".".join(labels[first:]))
            if found is not None:
                return found
        return None


def _plain(domain: str) -> str:
    try:
        return normal_domain(domain).rstrip(".")
    except ValueError:  # no list names it
        return domain.lower().rstrip(".")


def _domains(reader: Reader, key: str) -> tuple[str, ...]:
    domains = reader.texts(key)
    for number, domain in enumerate(domains):
        if len(domain) > 253 or not _DOMAIN.match(domain):
            raise reader.source.error(reader.at(key, number), f'"{domain}" is not a domain in lower case')
    return domains
