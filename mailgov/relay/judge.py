"""Asks the policy, gathering only the facts that it wants."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from mailgov.mail.address import Address
from mailgov.policy import Decision, Stage
from mailgov.policy.facts import FACTS, FactValue, Unknown
from mailgov.relay.expand import Target
from mailgov.relay.node import Node
from mailgov.store.calendar import local_date
from mailgov.store.entries import AccountEntry

Known = dict[str, FactValue | Unknown]
DAY_MS = 86_400_000
UNNAMED = ""
"""The id of a decision by no rule, which is not kept."""


def session_facts(
    node: Node, *, listener: str, authenticated: bool, tls: bool, client: str, helo: str = ""
) -> Known:
    """What is known once a client has connected."""
    today = local_date(node.clock.now_ms())
    return {
        "session.listener": listener,
        "session.authenticated": authenticated,
        "session.tls": tls,
        "session.client_address": client,
        "session.helo": helo.lower(),
        "clock.local_date": today.isoformat(),
    }


def account_facts(account: AccountEntry | None) -> Known:
    """What is known of the account that sends; all absent for mail from outside."""
    if account is None:
        return {
            "account.address": None,
            "account.addresses": (),
            "account.kind": None,
            "account.agency": None,
            "account.citizen_desk": False,
            "account.registered_addresses": (),
        }
    return {
        "account.address": account.address,
        "account.addresses": tuple(sorted(account.addresses)),
        "account.kind": account.kind,
        "account.agency": account.agency,
        "account.citizen_desk": account.citizen_desk,
        "account.registered_addresses": tuple(sorted(account.registered)),
    }


def path_facts(account: AccountEntry | None, reverse_path: str, *, own: bool) -> Known:
    """What MAIL tells: `reverse_path` is in look-up form, "" for the null one."""
    itself = own or (account is not None and reverse_path in account.addresses)
    return {"mail.reverse_path": reverse_path, "mail.writes_as_itself": itself}


def recipient_facts(node: Node, target: Target) -> Known:
    """What is known of one final recipient without asking anybody."""
    key = target.address.key
    return {
        "recipient.address": key,
        "recipient.domain": target.address.domain,
        "recipient.local": target.local,
        "recipient.via": target.via,
        "recipient.registered": key in node.directory.snapshot.registered,
    }


async def decide(
    node: Node, stage: Stage, facts: Known, *, without: frozenset[str] = frozenset()
) -> Decision | None:
    """The policy's decision; `facts` gains what was gathered for it.

    None says: nothing speaks against the message so far, and one of the facts `without` is to tell.
    A fact that nobody here can find out is Unknown, so this always ends.
    """
    policy = node.policy.policy
    while isinstance(settled := policy.settle(stage, facts, UNNAMED), tuple):
        if not without.isdisjoint(settled):
            return None
        await _gather(node, settled, facts)
    if settled.rule is None and not settled.watched:
        return settled  # nobody will ask why: randomness is dear
    return replace(settled, id=node.clock.decision_id())


async def _gather(node: Node, names: Iterable[str], facts: Known) -> None:
    for name in names:
        if name == "recipient.mx_provider":
            stranger = facts.get("session.listener") == "mx"
            facts[name] = await mx_provider(node, str(facts.get("recipient.domain")), stranger=stranger)
        elif name == "mail.reverse_path_ours":
            facts[name] = _ours(node, str(facts.get("mail.reverse_path") or ""))
        elif name == "message.author_ours":
            authors = facts.get("message.author")
            facts[name] = isinstance(authors, tuple) and any(_ours(node, author) for author in authors)
        elif name == "recipient.wrote_in_days":
            facts[name] = await _wrote_in_days(node, str(facts.get("recipient.address")))
        elif name == "sender.listed":
            facts[name] = ()  # what is from outside brings it along: see `transaction`
        else:
            facts[name] = Unknown(f"{FACTS[name].source} does not tell here")


def shown_ours(node: Node, shown: Iterable[str]) -> bool:
    """Whether one of the addresses, in look-up form, is under a domain of ours."""
    return any(_ours(node, address) for address in shown)


def _ours(node: Node, address: str) -> bool:
    """Whether the address, in look-up form, is under a domain of the province, in use or not."""
    snapshot = node.directory.snapshot
    domain = address.rpartition("@")[2]
    return snapshot.is_local(domain) or domain in snapshot.disabled_domains


async def mx_provider(node: Node, domain: str, *, stranger: bool = False) -> FactValue | Unknown:
    """Who hosts a domain's mail; a listed free domain is known without asking the DNS.

    `stranger`: mail from outside wants to know.
    """
    providers = node.policy.policy.providers
    if providers.is_free_domain(domain):
        return "free"
    answer = await node.resolver.mx(domain, stranger=stranger)
    if answer.status == "temporary":
        return Unknown(f"DNS: {answer.detail}")
    return providers.classify(domain, answer.hosts if answer.status in ("ok", "implicit") else None)


async def _wrote_in_days(node: Node, address: str) -> FactValue | Unknown:
    loop = asyncio.get_running_loop()
    last_ms = await loop.run_in_executor(node.executor, node.guard.wrote_last, address)
    return None if last_ms is None else max(0, (node.clock.now_ms() - last_ms) // DAY_MS)


def same_mailbox(account: AccountEntry, address: Address) -> bool:
    """True when the address is the account's own or leads to it alone."""
    return address.key in account.addresses
