"""`mailgov policy …` and `mailgov classify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.admin.policies import Answer
    from mailgov.mail.document import Vocabulary
    from mailgov.policy import Policy

policy = typer.Typer(help="The rules that the province edits.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(policy, name="policy")
    app.command("classify")(classify)


@policy.command("lint")
def policy_lint(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the policy files as `serve` would; nothing is put in force."""
    from mailgov.admin.policies import read_policy

    found = read_policy(common.read_settings(config))
    if as_json:
        common.print_json({"hash": found.hash, "rules": len(found.rules), "warnings": found.warnings})
        return
    for warning in found.warnings:
        common.say(f"warning: {warning}")
    common.say(f"ok: {common.count(len(found.rules), 'rule')}, policy {found.hash}")


@policy.command("test")
def policy_test(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run the rules' own tests."""
    from mailgov.admin.policies import read_policy
    from mailgov.policy import run_tests

    results = run_tests(read_policy(common.read_settings(config)))
    if as_json:
        common.print_json(results)
    else:
        common.print_table(
            ("rule", "test", "result"), [(one.rule, one.name, one.problem or "passed") for one in results]
        )
    if any(not one.passed for one in results):
        raise common.Refused(f"{sum(not one.passed for one in results)} of {len(results)} tests fail")


@policy.command("explain")
def policy_explain(
    account: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The account that sends.", show_default="mail from outside"),
    ] = None,
    reverse_path: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="The reverse-path.", show_default="the account's"),
    ] = None,
    recipient: Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="A recipient.")] = None,
    mx: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="The recipient's MX; may be given again. No DNS is asked."),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The subject.")] = None,
    attachment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An attachment's name; may be given again.")
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Any fact of docs/policy.md, such as sender.dmarc=fail; may be given again.",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the policy files would decide about a message, and which rule rests on what."""
    from mailgov.admin import policies

    question = policies.Question(
        account=account,
        recipient=recipient,
        reverse_path=reverse_path,
        subject=subject,
        attachments=tuple(attachment or ()),
        mx_hosts=tuple(mx) if mx else None,
        facts=tuple(fact or ()),
    )
    answers = common.act(config, lambda ctx, actor: policies.explain_policy(ctx, actor, question))
    if as_json:
        common.print_json([_as_json(answer) for answer in answers])
        return
    for answer in answers:
        _print_answer(answer)


def _as_json(answer: Answer) -> dict[str, object]:
    from mailgov.policy import facts_to_json

    decision = answer.decision
    return {
        "stage": answer.stage.value,
        "outcome": decision.outcome,
        "rule": decision.rule,
        "document": decision.document,
        "citation": decision.citation,
        "article": decision.article,
        "mode": decision.mode,
        "watched": decision.watched,
        "unsure": decision.unsure,
        "text_vi": decision.text_vi,
        "text_en": decision.text_en,
        "policy_hash": decision.policy_hash,
        "facts": facts_to_json(decision.facts),
        "rules": [
            {
                **common.plain(rule),
                "conditions": [
                    {**common.plain(one), "value": facts_to_json({"": one.value})[""]}
                    for one in rule.conditions
                ],
            }
            for rule in answer.rules
        ],
    }


def _print_answer(answer: Answer) -> None:
    decision = answer.decision
    why = f" by {decision.rule} ({decision.citation}, {decision.article})" if decision.rule else ""
    common.say(f"{answer.stage}: {decision.outcome}{why}")
    for text in (decision.text_vi, decision.text_en):
        if decision.rejected and text:
            common.say(f"  {text}")
    for rule in answer.rules:
        common.say(f"  {rule.rule} [{rule.mode}]: {rule.answer}{'' if rule.reached else ' (not reached)'}")
        for condition in rule.conditions:
            value = getattr(condition.value, "reason", condition.value)
            common.say(f"    {condition.answer:<12} {condition.condition}  ({common.cell(value)})")


@policy.command("load")
def policy_load(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the files and have every worker read them; a fault leaves the running policy."""

    async def work(ctx: AdminContext, actor: Actor) -> tuple[Policy, int]:
        from mailgov.admin import policies

        loaded = await policies.load_policy(ctx, actor)
        return loaded, len(await policies.list_workers(ctx, actor))

    loaded, workers = common.act(config, work)
    if as_json:
        found = {"hash": loaded.hash, "rules": len(loaded.rules), "warnings": loaded.warnings}
        common.print_json({**found, "workers": workers})
        return
    for warning in loaded.warnings:
        common.say(f"warning: {warning}")
    if workers:
        common.say(f"{common.count(workers, 'worker')} will take policy {loaded.hash} within seconds")
    else:
        common.say(f"policy {loaded.hash} is good; no worker runs now; they read it when they start")


def classify(
    subject: Annotated[str, typer.Option(help="The subject.")],
    attachment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An attachment's name; may be given again.")
    ] = None,
    config: ConfigOption = None,
    _as_json: Annotated[bool, typer.Option("--json", help="As without it.", show_default=False)] = True,
) -> None:
    """Say what a message is by its subject and attachments' names; always JSON.

    The province's document types are used where a settings file is found, else the built-in ones.
    """
    from mailgov.mail.document import classify as classified

    document = classified(subject, attachment or (), _vocabulary(config))
    common.print_json({"subject": subject, **common.plain(document)})


def _vocabulary(config: Path | None) -> Vocabulary | None:
    from mailgov.config import ConfigError, find_settings_file

    if common.config_path(config) is None:
        try:
            find_settings_file(None)
        except ConfigError:
            return None
    file = common.read_settings(config).policy.directory / "document_types.toml"
    import tomllib

    from mailgov.mail.document import Vocabulary

    try:
        return Vocabulary.from_table(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise common.Refused(f"{file}: {error}") from error
