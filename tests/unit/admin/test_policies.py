"""Policy acts on the policy files that ship."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from mailgov.admin import policies, registered
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.admin.policies import Question
from mailgov.policy import Stage
from mailgov.settings import PolicySettings
from tests.unit.admin.province import OPERATOR, at, state


@pytest.fixture
def own_files(ctx: AdminContext, tmp_path: Path) -> AdminContext:
    """The province with its own copy of the policy files, to be broken."""
    folder = tmp_path / "policy"
    shutil.copytree(ctx.settings.policy.directory, folder)
    policy = PolicySettings(directory=folder)
    return dataclasses.replace(ctx, settings=ctx.settings.model_copy(update={"policy": policy}))


async def test_a_fault_is_named_with_file_line_and_key_and_nothing_is_put_in_force(
    own_files: AdminContext,
) -> None:
    rules = own_files.settings.policy.directory / "rules.toml"
    rules.write_text(rules.read_text().replace('mode = "enforce"', 'mode = "sometimes"', 1))
    before = state(own_files)
    with pytest.raises(AdminError) as raised:
        await policies.load_policy(own_files, OPERATOR)
    assert raised.value.detail.startswith(f"{rules}:13: ")
    assert "mode" in raised.value.detail
    assert state(own_files) == before


async def test_its_own_tests_pass(ctx: AdminContext) -> None:
    results = await policies.run_policy_tests(ctx, OPERATOR)
    assert results
    assert all(result.passed for result in results)


async def _decisions(ctx: AdminContext, question: Question) -> dict[Stage, tuple[str, str | None]]:
    answers = await policies.explain_policy(ctx, OPERATOR, question)
    return {answer.stage: (answer.decision.outcome, answer.decision.rule) for answer in answers}


async def test_a_question_is_answered_stage_by_stage(ctx: AdminContext) -> None:
    await registered.register_address(ctx, OPERATOR, "an@gmail.com", account=at("annv"))
    own = await _decisions(ctx, Question(account=at("annv"), recipient="an@gmail.com", subject="Hồ sơ"))
    assert own[Stage.RCPT] == ("reject", "own-free-mail")
    assert own[Stage.DATA][0] == "accept"
    cold = await _decisions(ctx, Question(account=at("annv"), recipient="someone@gmail.com"))
    assert cold == {Stage.MAIL: ("accept", None), Stage.RCPT: ("reject", "cold-free-mail")}
    secret = await _decisions(ctx, Question(account=at("annv"), subject="MẬT: kế hoạch"))
    assert secret[Stage.DATA][0] == "reject"
    named = await _decisions(
        ctx, Question(account=at("annv"), subject="Hồ sơ", attachments=("TUYỆT MẬT.pdf",))
    )
    assert named[Stage.DATA] == ("reject", "state-secret-attachment")


async def test_writing_as_another(ctx: AdminContext) -> None:
    found = await _decisions(ctx, Question(account=at("annv"), reverse_path=at("binhtt")))
    assert found[Stage.MAIL] == ("reject", "account-writes-as-itself")
    null = await _decisions(ctx, Question(account=at("annv"), reverse_path=""))
    assert null[Stage.MAIL][0] == "accept"


async def test_what_was_not_said_is_unknown_not_made_up(ctx: AdminContext) -> None:
    (_, answer) = await policies.explain_policy(
        ctx, OPERATOR, Question(account=at("annv"), recipient="x@company.example")
    )
    assert answer.decision.outcome == "accept"
    assert answer.decision.unsure
    hosted = Question(
        account=at("annv"), recipient="x@company.example", mx_hosts=("a.olc.protection.outlook.com",)
    )
    assert (await _decisions(ctx, hosted))[Stage.RCPT] == ("reject", "cold-free-mail")


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (("sender.dmarc=fail", "sender.dmarc_policy=reject"), ("reject", "author-domain-rejects-forgeries")),
        (("sender.dmarc=fail", "sender.dmarc_policy=quarantine"), ("accept", None)),
        (("sender.dmarc=fail", "message.author_ours=yes"), ("reject", "own-author-from-outside")),
        (("content.malware=found",), ("reject", "malware-found")),
        (("content.risks=macro,script",), ("reject", "dangerous-attachment")),
        (("content.risks=macro",), ("accept", "risky-attachment")),
        (("content.risks=",), ("accept", None)),
        (("content.spam=spam",), ("reject", "spam")),
    ],
)
async def test_what_is_found_of_a_message_may_be_said(
    ctx: AdminContext, facts: tuple[str, ...], decision: tuple[str, str | None]
) -> None:
    found = await _decisions(ctx, Question(reverse_path="x@example.org", facts=facts))
    assert found[Stage.DATA] == decision


async def test_a_fact_of_an_earlier_stage_may_be_said_too(ctx: AdminContext) -> None:
    listed = Question(reverse_path="x@example.org", recipient=at("annv"), facts=("sender.listed=bl.example",))
    found = await _decisions(ctx, listed)
    assert found == {Stage.MAIL: ("accept", None), Stage.RCPT: ("reject", "listed-client")}


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("sender.dmarcc=fail", "docs/policy.md"),
        ("sender.dmarc", "docs/policy.md"),
        ("sender.dmarc=bad", "is one of pass, fail"),
        ("content.risks=macro,bad", "is one of executable"),
        ("recipient.local=perhaps", "is yes or no"),
        ("message.hops=many", "is a number"),
        ("clock.local_date=today", "isoformat"),
    ],
)
async def test_what_is_no_fact_is_told(ctx: AdminContext, fact: str, told: str) -> None:
    with pytest.raises(AdminError, match=told):
        await policies.explain_policy(ctx, OPERATOR, Question(facts=(fact,)))


async def test_an_unknown_account(ctx: AdminContext) -> None:
    with pytest.raises(AdminError, match="no such account"):
        await policies.explain_policy(ctx, OPERATOR, Question(account=at("nobody")))
