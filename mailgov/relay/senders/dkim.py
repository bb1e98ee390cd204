"""DKIM (RFC 6376): the signatures that a message bears, and which of them hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mailgov.relay.dns import Records
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.signature import (
    Fault,
    Signature,
    check,
    covered_by,
    host,
    number,
    read_key,
    read_signature,
    read_tags,
)

SIGNATURES_LIMIT = 5
"""Signatures that are checked; everyday mail has one to three."""
LOOKED_AT_LIMIT = 50
"""Signatures among which those of the author's domain are preferred."""
ONCE = tuple(
    b"date from sender reply-to to cc message-id in-reply-to references subject"
    b" mime-version content-type content-transfer-encoding content-disposition content-id".split()
)
"""Fields that a message has once at most (RFC 5322 3.6, RFC 2045 3)."""
RANK = ("pass", "temperror", "policy", "fail", "permerror", "none")
"""From the best to the worst: what a message's DKIM is, when its signatures differ."""


@dataclass(frozen=True, slots=True)
class DkimResult:
    """What became of one signature; of one that could not be read, the domain is ""."""

    result: str
    reason: str = ""
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    prefix: str = ""
    """The first characters of b=, by which a reader tells signatures of a domain apart (RFC 6008)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A DKIM-Signature field: readable, or with its fault."""

    signature: Signature | None
    fault: DkimResult | None = None


def candidates(fields: Fields, authors: Collection[str]) -> list[Candidate]:
    """The signatures to be checked, in the message's order: those of the authors' domains or near
    them before others, at most SIGNATURES_LIMIT.
    """
    places = [at for at, name in enumerate(fields.names) if name == b"dkim-signature"][:LOOKED_AT_LIMIT]
    found = [_candidate(fields, at) for at in places]
    if len(found) > SIGNATURES_LIMIT:
        ranked = sorted(range(len(found)), key=lambda n: not _near(found[n], authors))
        found = [found[n] for n in sorted(ranked[:SIGNATURES_LIMIT])]
    return found


def _near(candidate: Candidate, authors: Collection[str]) -> bool:
    if candidate.signature is None:
        return False
    domain = f".{candidate.signature.domain}"
    return any(domain.endswith(f".{a}") or f".{a}".endswith(domain) for a in authors)


def _candidate(fields: Fields, at: int) -> Candidate:
    try:
        return Candidate(_read(at, fields.value(at)))
    except Fault as fault:
        return Candidate(None, DkimResult(fault.result, fault.reason))


def _read(at: int, value: bytes) -> Signature:
    tags = read_tags(value)
    if tags.get(b"v") != b"1":
        raise Fault("permerror", "v= is not 1")
    signature = read_signature(at, tags, body=True)
    if b"from" not in signature.signed:
        raise Fault("permerror", "From is not signed")
    if b"dns/txt" not in [word.strip().lower() for word in tags.get(b"q", b"dns/txt").split(b":")]:
        raise Fault("permerror", "unknown way to the key")
    signed_s, expires_s = number(tags, b"t"), number(tags, b"x")
    if signed_s is not None and expires_s is not None and expires_s <= signed_s:
        raise Fault("permerror", "expires before it was made")
    if not f".{_agent(signature)}".endswith(f".{signature.domain}"):
        raise Fault("permerror", "i= is not under d=")
    return signature


def _agent(signature: Signature) -> str:
    """The domain of i=, which is d= where it is not given."""
    identity = signature.tags.get(b"i")
    return signature.domain if identity is None else host(identity.rpartition(b"@")[2])


def verify(
    candidate: Candidate, keys: Mapping[str, Records], fields: Fields, bodies: Bodies, now_s: int
) -> DkimResult:
    """What became of one signature; `keys` by name in the DNS. Costs by the message's size; never raises."""
    signature = candidate.signature
    if signature is None:
        return candidate.fault or DkimResult("permerror")
    result, reason = "pass", ""
    try:
        key = read_key(keys.get(signature.key_name))
        if key.exact and _agent(signature) != signature.domain:
            raise Fault("permerror", "i= is not at d=, which the key asks for (t=s)")
        expires_s = number(signature.tags, b"x")
        if expires_s is not None and expires_s < now_s:
            raise Fault("fail", "expired")
        check(signature, key, covered_by(signature, fields), bodies)
        if doubled := _doubled(signature, fields):
            raise Fault("policy", f"a second {doubled} that is not signed")
    except Fault as fault:
        result, reason = fault.result, fault.reason
    return DkimResult(
        result,
        reason,
        signature.domain,
        signature.selector,
        signature.algorithm.decode(),
        b"".join(signature.tags[b"b"].split())[:8].decode("ascii", "replace"),
    )


def _doubled(signature: Signature, fields: Fields) -> str | None:
    """A signed field that belongs once in a message and stands there oftener than it was signed.

    Readers differ in which one they show, and anybody may have put the other there (RFC 6376 8.15).
    """
    signed, present = Counter(signature.signed), Counter(fields.names)
    return next((name.decode() for name in ONCE if 0 < signed[name] < present[name]), None)


def best(results: Collection[DkimResult]) -> str:
    """DKIM of the whole message; `none` without a signature."""
    return min((r.result for r in results), key=RANK.index, default="none")
