"""The grammar of an SPF record (RFC 7208 4.6.1, 5, 6, 7.1): all of it is read before any of it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

Qualifier = Literal["pass", "fail", "softfail", "neutral"]
QUALIFIERS: dict[str, Qualifier] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

MACRO = re.compile(r"%(?:\{([slodiphcrtvSLODIPHCRTV])([0-9]{0,3})([rR]?)([-.+,/_=]*)\}|([%_-]))")
_OF_EXPLANATIONS = re.compile(r"%\{[crt]", re.IGNORECASE)
"""Letters that stand in an explanation's text alone (RFC 7208 7.2), and no record is read without this."""
_NAME = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9._-]*)([:=/]?)(.*)\Z", re.DOTALL)
_CIDR4 = re.compile(r"/(0|[1-9][0-9]?)\Z")
_CIDR6 = re.compile(r"//(0|[1-9][0-9]{0,2})\Z")
_VISIBLE = re.compile(r"[!-$&-~]*\Z")
_TOP_LABEL = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")


class PermanentError(Exception):
    """The record cannot be interpreted, or asks for too much (RFC 7208 2.6.7)."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism. `domain` is its domain-spec with macros unexpanded, None for the current domain."""

    qualifier: Qualifier
    name: str
    domain: str | None = None
    network: IPv4Network | IPv6Network | None = None
    prefix4: int = 32
    prefix6: int = 128


@dataclass(slots=True)
class Record:
    """A record that keeps to the grammar."""

    mechanisms: list[Mechanism] = field(default_factory=list)
    redirect: str | None = None
    explanation: str | None = None


def parse(text: str) -> Record:
    """Read a record that begins with v=spf1. Raises PermanentError for whatever grammar does not allow."""
    if not text.isascii():
        raise PermanentError("not ASCII")
    record = Record()
    for term in text.split(" ")[1:]:
        if term:
            _term(record, term)
    return record


def _term(record: Record, term: str) -> None:
    match = _NAME.match(term)
    if match is None:
        raise PermanentError("not a term")
    sign, name, mark, value = match.groups()
    name = name.lower()
    if mark != "=":
        record.mechanisms.append(_mechanism(QUALIFIERS[sign or "+"], name, mark, value))
        return
    if sign:
        raise PermanentError("a modifier has no qualifier")
    if name == "redirect":
        if record.redirect is not None:
            raise PermanentError("redirect= twice")
        record.redirect = _domain_spec(value)
    elif name == "exp":
        if record.explanation is not None:
            raise PermanentError("exp= twice")
        record.explanation = _domain_spec(value)
    else:
        check_macros(value)


def _mechanism(qualifier: Qualifier, name: str, mark: str, value: str) -> Mechanism:
    if name == "all" and not mark:
        return Mechanism(qualifier, name)
    if name in {"ip4", "ip6"} and mark == ":":
        return Mechanism(qualifier, name, network=_network(name, value))
    if name in {"include", "exists"} and mark == ":":
        return Mechanism(qualifier, name, _domain_spec(value))
    if name == "ptr" and mark in {"", ":"}:
        return Mechanism(qualifier, name, _domain_spec(value) if mark else None)
    if name in {"a", "mx"}:
        return _with_prefixes(qualifier, name, mark, value)
    raise PermanentError("unknown mechanism, or not of its form")


def _with_prefixes(qualifier: Qualifier, name: str, mark: str, value: str) -> Mechanism:
    rest, prefixes = mark + value, [32, 128]
    for at, form in ((1, _CIDR6), (0, _CIDR4)):
        if match := form.search(rest):
            if int(match[1]) > prefixes[at]:
                raise PermanentError("prefix too long")
            prefixes[at], rest = int(match[1]), rest[: match.start()]
    if rest and rest[0] != ":":
        raise PermanentError("not a prefix length")
    return Mechanism(
        qualifier,
        name,
        _domain_spec(rest[1:]) if rest else None,
        prefix4=prefixes[0],
        prefix6=prefixes[1],
    )


def _network(name: str, value: str) -> IPv4Network | IPv6Network:
    address, slash, prefix = value.partition("/")
    if slash and not re.fullmatch(r"0|[1-9][0-9]{0,2}", prefix):
        raise PermanentError("not a prefix length")
    if (name == "ip4") != bool(_IPV4.match(address)) or "%" in address:
        raise PermanentError("not an address of its family")
    try:
        return ip_network(value, strict=False)
    except ValueError:
        raise PermanentError("not a network") from None


def _domain_spec(value: str) -> str:
    """A domain-spec: its last label, or a macro, ends it (RFC 7208 7.1)."""
    last = check_macros(value)
    if _OF_EXPLANATIONS.search(value):
        raise PermanentError("a macro of explanations only")
    _, dot, top = last.removesuffix(".").rpartition(".")
    if not value or (last and not (dot and _TOP_LABEL.match(top))):
        raise PermanentError("not a domain")
    return value


def check_macros(value: str) -> str:
    """Raises PermanentError unless it is a macro-string; what stands behind the last macro-expand."""
    at = 0
    while (found := value.find("%", at)) >= 0:
        match = MACRO.match(value, found)
        if match is None or not _VISIBLE.match(value[at:found]):
            raise PermanentError("not a macro")
        if match[2] and not 0 < int(match[2]) <= 128:
            raise PermanentError("not a number of labels")
        at = match.end()
    if not _VISIBLE.match(value[at:]):
        raise PermanentError("not visible characters")
    return value[at:]
