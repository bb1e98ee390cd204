"""ARC (RFC 8617): what those who handed a message on say of it, and whether their chain holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailgov.relay.dns import Records
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.signature import (
    Fault,
    Signature,
    check,
    covered_by,
    number,
    read_key,
    read_signature,
    read_tags,
)

SETS_LIMIT = 50  # RFC 8617 4.2.1
KEYS_LIMIT = 20
"""Keys asked for: hosts seal again and again with the same, and nobody's mail passes twenty organisations."""
NAMES = (b"arc-authentication-results", b"arc-message-signature", b"arc-seal")
_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,3})[ \t\r\n]*;")


@dataclass(frozen=True, slots=True)
class ArcResult:
    """`result` is none, pass, fail, or temperror where a key could not be asked for."""

    result: str
    reason: str = ""
    sealer: str = ""
    """The domain that sealed last; only of a chain that passes."""
    instance: int = 0
    """The newest set's number."""


@dataclass(frozen=True, slots=True)
class Set:
    """One hop's three fields: places of the results, the message signature and the seal."""

    results: int
    message: Signature
    seal: Signature


@dataclass(frozen=True, slots=True)
class Chain:
    """The sets in order. With a `fault` nothing of it is to be checked: it fails already."""

    sets: tuple[Set, ...] = ()
    fault: ArcResult | None = None

    @property
    def keys(self) -> list[str]:
        """The names of the keys that a check needs, each once, the newest first."""
        if self.fault is not None or not self.sets:
            return []
        names = [self.sets[-1].message.key_name, *(s.seal.key_name for s in reversed(self.sets))]
        return list(dict.fromkeys(names))


def read_chain(fields: Fields) -> Chain:
    """The message's ARC sets, by RFC 8617 5.2 steps 1 to 3: complete, in order, none reported as failed."""
    found: dict[tuple[int, bytes], int] = {}
    try:
        for at, name in enumerate(fields.names):
            if name in NAMES:
                _note(found, _instance(fields, at), name, at)
        count = len({instance for instance, _ in found})
        if any((n, name) not in found for n in range(1, count + 1) for name in NAMES):
            raise Fault("fail", "a set is not complete")
        chain = Chain(tuple(_set(fields, found, n) for n in range(1, count + 1)))
        if len(chain.keys) > KEYS_LIMIT:
            raise Fault("fail", "sealed with more keys than are asked for")
        return chain
    except Fault as fault:
        return Chain(fault=ArcResult("fail", fault.reason))


def _note(found: dict[tuple[int, bytes], int], instance: int, name: bytes, at: int) -> None:
    if not 1 <= instance <= SETS_LIMIT:
        raise Fault("fail", "an instance out of range")
    if (instance, name) in found:
        raise Fault("fail", "a field of a set twice")
    found[instance, name] = at


def _instance(fields: Fields, at: int) -> int:
    if fields.names[at] == NAMES[0]:
        match = _INSTANCE.match(fields.value(at))
        if match is None:
            raise Fault("fail", "results without an instance")
        return int(match[1])
    return number(read_tags(fields.value(at)), b"i") or 0


def _set(fields: Fields, found: Mapping[tuple[int, bytes], int], n: int) -> Set:
    results, message_at, seal_at = (found[n, name] for name in NAMES)
    tags = read_tags(fields.value(message_at))
    message = read_signature(message_at, tags, body=True, default=b"relaxed/relaxed")
    seal_tags = read_tags(fields.value(seal_at))
    seal = read_signature(seal_at, seal_tags, body=False)
    if b"arc-seal" in message.signed:
        raise Fault("fail", "a message signature over a seal")
    if b"h" in seal_tags:
        raise Fault("fail", "a seal with h=")
    if seal_tags.get(b"cv", b"").lower() != (b"none" if n == 1 else b"pass"):
        raise Fault("fail", "a seal that does not say what came before")
    return Set(results, message, seal)


def validate(chain: Chain, keys: Mapping[str, Records], fields: Fields, bodies: Bodies) -> ArcResult:
    """RFC 8617 5.2: the newest message signature, then the seals from the newest on; the first that fails
    ends it. Never raises.
    """
    if chain.fault is not None:
        return chain.fault
    if not chain.sets:
        return ArcResult("none")
    newest = chain.sets[-1].message
    try:
        check(newest, read_key(keys.get(newest.key_name)), covered_by(newest, fields), bodies)
        for n in range(len(chain.sets), 0, -1):
            seal = chain.sets[n - 1].seal
            check(seal, read_key(keys.get(seal.key_name)), _sealed(chain, n, fields), None)
    except Fault as fault:
        return ArcResult("temperror" if fault.result == "temperror" else "fail", fault.reason)
    return ArcResult("pass", "", chain.sets[-1].seal.domain, len(chain.sets))


def _sealed(chain: Chain, n: int, fields: Fields) -> bytes:
    """What seal `n` covers: every set up to its own, the seal without its value (RFC 8617 5.1.1)."""
    parts = []
    for at, one in enumerate(chain.sets[:n], 1):
        parts += [fields.whole(one.results, "relaxed"), fields.whole(one.message.at, "relaxed")]
        own = at == n
        parts.append(fields.unsigned(one.seal.at, "relaxed") if own else fields.whole(one.seal.at, "relaxed"))
    return b"".join(parts)
