"""Acts on the policy: read and test the files, tell the workers to take them, say why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, change, require
from mailgov.admin.errors import AdminError, invalid, not_found
from mailgov.identity.roles import Act
from mailgov.mail.document import classify, secrecy_mark
from mailgov.mail.secrecy import highest
from mailgov.policy import (
    FACTS,
    Decision,
    Facts,
    FactValue,
    Policy,
    PolicyError,
    RuleExplanation,
    Stage,
    TestResult,
    Unknown,
    explain,
    load,
    read_directory,
    read_fact,
    run_tests,
)
from mailgov.settings import Settings
from mailgov.store import status
from mailgov.store.correspondents import last_written
from mailgov.store.directory import bump_policy_revision
from mailgov.store.snapshot import Snapshot, load_snapshot
from mailgov.store.status import Worker

DAY_MS = 86_400_000
WORKER_SILENT_MS = 10_000


def read_policy(settings: Settings) -> Policy:
    """The policy of the settings' folder, compiled and its own tests run; raises AdminError `policy`."""
    folder = settings.policy.directory
    try:
        return load(
            read_directory(folder),
            directive_numbers=settings.province.directive_numbers,
            adopted=settings.province.adopted,
            directory=str(folder),
        )
    except PolicyError as error:
        raise AdminError("policy", "The policy does not load", str(error), 422) from error


async def check_policy(ctx: AdminContext, actor: Actor) -> Policy:
    """The policy as the files say it now; nothing is put in force."""
    require(actor, Act.POLICY_READ)
    return await asyncio.to_thread(read_policy, ctx.settings)


async def run_policy_tests(ctx: AdminContext, actor: Actor) -> tuple[TestResult, ...]:
    """The results of the policy's own tests; a policy whose tests fail does not load at all."""
    return run_tests(await check_policy(ctx, actor))


async def load_policy(ctx: AdminContext, actor: Actor) -> Policy:
    """Check the files and have every worker read them anew; a fault leaves the running policy."""
    require(actor, Act.POLICY_LOAD)
    policy = await asyncio.to_thread(read_policy, ctx.settings)
    async with change(ctx, actor, Act.POLICY_LOAD, policy.hash, directory=False) as step:
        revision = await bump_policy_revision(step.session)
        step.content.update(revision=revision, rules=len(policy.rules), warnings=list(policy.warnings))
    return policy


async def list_workers(ctx: AdminContext, actor: Actor) -> list[Worker]:
    """Relay workers that run now: those that spoke within 10 s (each does so every few seconds)."""
    require(actor, Act.POLICY_READ)
    found = await status.workers(ctx.db, since_ms=ctx.now_ms() - WORKER_SILENT_MS)
    return [worker for worker in found if worker.relays]


async def list_free_mail(ctx: AdminContext, actor: Actor, addresses: Sequence[str]) -> list[str]:
    """Those of the addresses whose domain the policy lists as a free mail service abroad.

    The rule own-free-mail refuses mail that an alias leads there. Raises AdminError `policy`
    for a policy that does not load.
    """
    policy = await check_policy(ctx, actor)
    keys = [rules.any_address(address) for address in addresses]
    return [key for key in keys if policy.providers.is_free_domain(rules.domain_of(key))]


@dataclass(frozen=True, slots=True)
class Question:
    """A message that might be sent. None: not said, so what rests on it is unknown."""

    account: str | None = None
    recipient: str | None = None
    reverse_path: str | None = None
    """Default: the account's address."""
    subject: str | None = None
    attachments: tuple[str, ...] = ()
    mx_hosts: tuple[str, ...] | None = None
    """The recipient's MX hosts; no DNS is asked here."""
    facts: tuple[str, ...] = ()
    """`name=value` of any fact, in the place of what follows from the rest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One stage's decision and every rule's part in it."""

    stage: Stage
    decision: Decision
    rules: tuple[RuleExplanation, ...]


async def explain_policy(ctx: AdminContext, actor: Actor, question: Question) -> list[Answer]:
    """What the policy's files would decide at each stage that the question reaches, and why.

    A fact that is known at stage data alone reaches it, as a subject does. Raises AdminError
    `invalid` for a fact that is none.
    """
    given = _given(question.facts)
    policy = await check_policy(ctx, actor)
    require(actor, Act.ACCOUNT_READ)
    snapshot = await load_snapshot(ctx.db, ctx.now_ms(), timezone=ctx.settings.province.timezone)
    facts = _message_facts(ctx, snapshot, question)
    stages = [Stage.MAIL]
    if question.recipient is not None:
        facts |= await _recipient_facts(ctx, snapshot, policy, question)
        stages.append(Stage.RCPT)
    if question.subject is not None or any(Stage.RCPT not in FACTS[name].stages for name in given):
        stages.append(Stage.DATA)
    facts |= given
    answers = []
    for stage in stages:
        known = _completed(policy, stage, facts)
        decision = policy.decide(stage, known, "0" * 32)
        answers.append(Answer(stage, decision, explain(policy, stage, known)))
    return answers


Known = dict[str, FactValue | Unknown]


def _given(facts: Sequence[str]) -> Known:
    try:
        return dict(read_fact(fact) for fact in facts)
    except ValueError as error:
        raise invalid(str(error)) from None


def _message_facts(ctx: AdminContext, snapshot: Snapshot, question: Question) -> Known:
    facts: Known = {"clock.local_date": ctx.today().isoformat(), "session.tls": True}
    if question.account is None:
        facts |= {"session.listener": "mx", "session.authenticated": False, "account.address": None}
        facts |= {"account.addresses": (), "account.kind": None, "account.agency": None}
        facts |= {"account.citizen_desk": False, "account.registered_addresses": ()}
        own: frozenset[str] = frozenset()
    else:
        address = rules.any_address(question.account)
        account = snapshot.account(address)
        if account is None:
            raise not_found("account", address)
        own = account.addresses
        facts |= {
            "session.listener": "submission",
            "session.authenticated": True,
            "account.address": account.address,
            "account.addresses": tuple(sorted(own)),
            "account.kind": account.kind,
            "account.agency": account.agency,
            "account.citizen_desk": account.citizen_desk,
            "account.registered_addresses": tuple(sorted(account.registered)),
        }
    path = question.reverse_path if question.reverse_path is not None else question.account
    if path is not None:
        path = rules.any_address(path) if path else ""
        facts |= {"mail.reverse_path": path, "mail.writes_as_itself": path in own}
        facts |= {"message.author": (path,), "message.author_is_account": path in own}
        ours = snapshot.is_local(rules.domain_of(path)) or rules.domain_of(path) in snapshot.disabled_domains
        facts |= {"mail.reverse_path_ours": ours, "message.author_ours": ours}
    if question.subject is not None:
        facts |= _content_facts(question.subject, question.attachments)
    return facts


def _content_facts(subject: str, attachments: Sequence[str]) -> Known:
    return {
        "message.subject": subject,
        "message.secrecy": secrecy_mark(subject),
        "message.attachment_secrecy": highest([secrecy_mark(name) for name in attachments]),
        "message.document_class": classify(subject, attachments).document_class,
        "message.hops": 0,
    }


async def _recipient_facts(
    ctx: AdminContext, snapshot: Snapshot, policy: Policy, question: Question
) -> Known:
    address = rules.any_address(question.recipient or "")
    domain = rules.domain_of(address)
    wrote = (await last_written(ctx.db, [address])).get(address)
    facts: Known = {
        "recipient.address": address,
        "recipient.domain": domain,
        "recipient.local": snapshot.is_local(domain),
        "recipient.via": None,
        "recipient.registered": address in snapshot.registered,
        "recipient.wrote_in_days": None if wrote is None else max(0, (ctx.now_ms() - wrote) // DAY_MS),
    }
    if policy.providers.is_free_domain(domain):
        facts["recipient.mx_provider"] = "free"
    elif question.mx_hosts is not None:
        facts["recipient.mx_provider"] = policy.providers.classify(domain, question.mx_hosts)
    return facts


def _completed(policy: Policy, stage: Stage, facts: Facts) -> Known:
    """The facts, with those that the policy still wants unknown."""
    known = dict(facts)
    while wanted := policy.wanted(stage, known):
        known |= {name: Unknown("not said in the question") for name in wanted}
    return known
