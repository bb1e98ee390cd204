"""Who writes in: SPF, DKIM, DMARC and ARC of mail from outside (RFC 7208, 6376, 9989, 8617)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mailgov.mail.authors import names_no_address
from mailgov.mail.domains import ascii_domain
from mailgov.mail.headers import HeaderBlock
from mailgov.relay.dns import Records
from mailgov.relay.gateway import origin_of
from mailgov.relay.incoming import Incoming, reading
from mailgov.relay.listener import inside, network_of
from mailgov.relay.node import Node
from mailgov.relay.senders import arc, dkim
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.dmarc import POLICIES, Dmarc, DmarcResult, Policy, Proven
from mailgov.relay.senders.early import identity, spf_of
from mailgov.relay.senders.found import Sender
from mailgov.relay.senders.results_field import results, results_field
from mailgov.relay.senders.spf import Lookup
from mailgov.store.spool import BodyWriter

KEYS_TIME_S = 10.0
KEYS_AT_ONCE = 10
DMARC_TIME_S = 15.0
AUTHORS_LIMIT = 3
"""Domains in From that are each evaluated; more is nothing that anyone writes."""
_WORST = ("fail", "temperror", "permerror", "none", "pass")
"""DMARC of a message with several author domains is that of the worst."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a header says of its signatures, before any was checked."""

    fields: Fields
    signatures: list[dkim.Candidate]
    chain: arc.Chain

    @property
    def any(self) -> bool:
        return bool(self.signatures or self.chain.sets or self.chain.fault)


async def check_sender(node: Node, incoming: Incoming, writer: BodyWriter, header: HeaderBlock) -> Sender:
    """What can be found out of the sender of a complete message; nothing of mail of our own.

    Trouble with the DNS is `temperror`, and never an exception. Takes at most the time limits of SPF,
    keys and DMARC together, and raises SpoolError where the body cannot be read.
    """
    if incoming.source != "mx":
        return Sender()
    gateways = node.settings.smtp.gateway_networks
    if inside(incoming.trace.client_address, gateways):
        incoming.origin = origin_of(header, gateways)
    authors = _authors_of(incoming, header)
    signed = await node.aside(lambda: _read(header, authors or ()), header.size)
    ask = node.resolver.asked_by(network_of(incoming.judged.address))
    spf, keys = await asyncio.gather(spf_of(node, incoming), _keys(node, ask, signed))
    signatures, chain = await _verified(node, signed, keys, writer, header)
    kind, domain = identity(incoming)
    proven = [
        Proven("spf", spf.result, domain),
        *(Proven("dkim", one.result, one.domain) for one in signatures if one.domain),
    ]
    dmarc = await _dmarc(ask, authors, proven)
    body = results(spf.result, (kind, domain), signatures, dmarc, chain)
    sender = Sender(
        spf=spf.result,
        dkim=dkim.best(signatures),
        dmarc=min((one.result for one in dmarc), key=_WORST.index),
        dmarc_policy=_strictest(dmarc),
        arc=chain.result,
        arc_sealer=chain.sealer or None,
        arc_instance=chain.instance,
        results=body,
        field=results_field(node.settings.hostname, body),
    )
    for method in ("spf", "dkim", "dmarc", "arc"):
        node.counters.add(f"sender_{method}_{getattr(sender, method)}")
    return sender


def _authors_of(incoming: Incoming, header: HeaderBlock) -> tuple[str, ...] | None:
    """The domains to evaluate: none for a bounce that a mail server wrote without an address of its own.

    With a Sender it is none of these: readers show that one where From has no address.
    """
    fields, senders = header.all(b"from"), header.all(b"sender")
    if not incoming.reverse_path and not senders and len(fields) == 1 and names_no_address(fields[0]):
        return ()
    return _author_domains(reading(incoming, header).authors)


def _author_domains(authors: Sequence[str]) -> tuple[str, ...] | None:
    """The domains of the authors in A-labels, each once; None where nobody can be said to have written."""
    try:
        domains = tuple(dict.fromkeys(ascii_domain(author.rpartition("@")[2]) for author in authors))
    except ValueError:
        return None
    return domains if 0 < len(domains) <= AUTHORS_LIMIT else None


def _read(header: HeaderBlock, authors: Sequence[str]) -> _Signed:
    fields = Fields(header)
    return _Signed(fields, dkim.candidates(fields, authors), arc.read_chain(fields))


async def _keys(node: Node, ask: Lookup, signed: _Signed) -> dict[str, Records]:
    """The key records that are asked for, by name; one that did not come in time is missing."""
    names = [one.signature.key_name for one in signed.signatures if one.signature is not None]
    names = list(dict.fromkeys([*names, *signed.chain.keys]))
    found: dict[str, Records] = {}

    async def one_after_another() -> None:
        while names:
            name = names.pop(0)
            found[name] = await ask(name, "TXT")

    try:
        async with asyncio.timeout(KEYS_TIME_S):
            await asyncio.gather(*(one_after_another() for _ in range(min(KEYS_AT_ONCE, len(names)))))
    except TimeoutError:
        node.counters.add("sender_keys_late")
    return found


async def _verified(
    node: Node, signed: _Signed, keys: dict[str, Records], writer: BodyWriter, header: HeaderBlock
) -> tuple[list[dkim.DkimResult], arc.ArcResult]:
    """Every signature against the bytes as they came: not before, or they would be read for nothing."""
    if not signed.any:
        return [], arc.ArcResult("none")
    now_s = node.clock.now_ms() // 1000

    def work() -> tuple[list[dkim.DkimResult], arc.ArcResult]:
        with writer.view() as data:
            bodies = Bodies(data, header.size)
            told = [dkim.verify(one, keys, signed.fields, bodies, now_s) for one in signed.signatures]
            return told, arc.validate(signed.chain, keys, signed.fields, bodies)

    return await node.aside(work, writer.size_bytes, blocks=writer.in_file)


async def _dmarc(ask: Lookup, authors: tuple[str, ...] | None, proven: Sequence[Proven]) -> list[DmarcResult]:
    """DMARC for each author domain (RFC 9989 leaves several to the receiver: each must hold)."""
    if not authors:
        return [DmarcResult("permerror" if authors is None else "none")]
    evaluation = Dmarc(ask)
    try:
        async with asyncio.timeout(DMARC_TIME_S):
            return [await evaluation.evaluate(author, proven) for author in authors]
    except TimeoutError:
        return [DmarcResult("temperror", None, author) for author in authors]


def _strictest(dmarc: Sequence[DmarcResult]) -> Policy | None:
    """What is asked for by those of the authors' domains for which it fails; by all where none does."""
    failed = [one for one in dmarc if one.result == "fail"] or dmarc
    return max((one.policy for one in failed if one.policy), key=POLICIES.index, default=None)
