"""DMARC (RFC 9989): does what was proven agree with the author's domain, and what does that domain ask for?

Pure but for the look-up that is passed in. The organisational domain is found by the DNS tree walk
(RFC 9989 4.10), so no list of public suffixes is needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailgov.relay.senders.spf import Lookup

Policy = Literal["none", "quarantine", "reject"]
POLICIES: tuple[Policy, ...] = ("none", "quarantine", "reject")
WALK_LABELS = 7
"""A longer name goes on with its last seven labels: at most eight questions (RFC 9989 4.10)."""
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_REPORT_URI = re.compile(r"[ \t]*[a-z][a-z0-9+.-]*:[^,;\s]+[ \t]*\Z", re.IGNORECASE)


class TemporaryError(Exception):
    """The DNS did not answer."""


@dataclass(frozen=True, slots=True)
class Record:
    """A policy record (RFC 9989 4.7). None where the tag is not there or not of its form."""

    policy: Policy
    subdomains: Policy | None = None
    nonexistent: Policy | None = None
    dkim_strict: bool = False
    spf_strict: bool = False
    testing: bool = False
    psd: Literal["y", "n", "u"] = "u"
    broken: bool = False
    """A policy that is none stands in it: whoever it applies to is not processed (RFC 9989 4.10.1)."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What SPF or one DKIM signature came to, for which domain."""

    method: Literal["spf", "dkim"]
    result: str
    domain: str


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`result` in the words of RFC 8601; `policy` is what the domain asks for where it fails."""

    result: str
    policy: Policy | None = None
    domain: str = ""


def parse(text: str) -> Record | None:
    """A record, or None for what is none. Without p= it asks for nothing (RFC 9989 4.7)."""
    if not _VERSION.match(text):
        return None
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    policy, bad = _policy(tags, "p")
    subdomains, bad_sp = _policy(tags, "sp")
    nonexistent, bad_np = _policy(tags, "np")
    broken = bad or bad_sp or bad_np
    if broken:
        policy, subdomains, nonexistent = "none", None, None
        # Who asks for reports is taken to ask for nothing else.
        broken = not any(_REPORT_URI.match(uri) for uri in tags.get("rua", "").split(","))
    psd = tags.get("psd", "u").lower()
    return Record(
        policy or "none",
        subdomains,
        nonexistent,
        tags.get("adkim", "r").lower() == "s",
        tags.get("aspf", "r").lower() == "s",
        tags.get("t", "n").lower() == "y",
        "y" if psd == "y" else "n" if psd == "n" else "u",
        broken,
    )


def _policy(tags: dict[str, str], name: str) -> tuple[Policy | None, bool]:
    """The policy, and whether something stands there that is none."""
    value = tags.get(name)
    found = next((p for p in POLICIES if value is not None and value.lower() == p), None)
    return found, value is not None and found is None


def walked(domain: str) -> list[str]:
    """The names that the tree walk asks about, the longest first."""
    labels = domain.split(".")
    first = min(len(labels) - 1, WALK_LABELS)
    return [domain, *(".".join(labels[-n:]) for n in range(first, 0, -1))]


class Dmarc:
    """One message's evaluation: a name is asked about once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._records: dict[str, Record | None] = {}

    async def evaluate(self, author: str, proven: Sequence[Proven]) -> DmarcResult:
        """DMARC for one author domain (A-labels, lower case). Never raises."""
        try:
            organisation, record, applied = await self._discover(author)
            if record is None or record.broken:
                return DmarcResult("none", None, author)
            result = await self._result(author, organisation, record, proven)
            policy = await self._asked(author, record, own=applied == author)
        except TemporaryError:
            return DmarcResult("temperror", None, author)
        return DmarcResult(result, policy, author)

    async def _result(self, author: str, organisation: str, record: Record, proven: Sequence[Proven]) -> str:
        doubtful = False
        for one in proven:
            if one.result not in {"pass", "temperror"}:
                continue
            strict = record.spf_strict if one.method == "spf" else record.dkim_strict
            try:
                aligned = await self._aligned(one.domain, author, organisation, strict=strict)
            except TemporaryError:
                doubtful = True
                continue
            if aligned and one.result == "pass":
                return "pass"
            doubtful |= aligned
        return "temperror" if doubtful else "fail"

    async def _aligned(self, domain: str, author: str, organisation: str, *, strict: bool) -> bool:
        """RFC 9989 4.4: the same domain, or relaxed, the same organisation's."""
        if domain == author or strict:
            return domain == author
        if domain != organisation and not domain.endswith(f".{organisation}"):
            return False
        return (await self._discover(domain))[0] == organisation

    async def _asked(self, author: str, record: Record, *, own: bool) -> Policy:
        policy = record.policy
        if not own:
            policy = record.subdomains or record.policy
            if (record.nonexistent or policy) != policy and await self._missing(author):
                policy = record.nonexistent or policy
        if record.testing:
            # One step less than it would be (RFC 9989 4.7, t=y).
            policy = POLICIES[max(0, POLICIES.index(policy) - 1)]
        return policy

    async def _missing(self, domain: str) -> bool:
        answer = await self._lookup(domain, "A")
        if answer.status == "temporary":
            raise TemporaryError(domain)
        return answer.status == "nxdomain"

    async def _discover(self, domain: str) -> tuple[str, Record | None, str]:
        """The organisational domain, the record that applies to `domain`, and where it stands."""
        found: list[tuple[str, Record]] = []
        organisation = None
        for name in walked(domain):
            record = await self._record(name)
            if record is None:
                continue
            found.append((name, record))
            if record.psd == "y" and name != domain:
                labels = name.count(".") + 2
                organisation = ".".join(domain.split(".")[-labels:])
            if record.psd != "u":
                break  # steps 2 and 6; at the domain itself, psd=y too makes it its own organisation
        if not found:
            return domain, None, domain
        if organisation is None:
            organisation = found[-1][0]
        at = dict(found)
        for name in (domain, organisation, found[-1][0]):
            if name in at:
                return organisation, at[name], name
        return organisation, None, domain

    async def _record(self, name: str) -> Record | None:
        if name not in self._records:
            answer = await self._lookup(f"_dmarc.{name}", "TXT")
            if answer.status == "temporary":
                raise TemporaryError(name)
            texts = [text for text in answer.values if _VERSION.match(text)]
            self._records[name] = parse(texts[0]) if len(texts) == 1 else None
        return self._records[name]
