"""Why a decision came out as it did: every rule of a stage with every condition and value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mailgov.policy.conditions import Clause, Test, Verdict
from mailgov.policy.engine import Policy
from mailgov.policy.evaluate import Step, step_of, walk
from mailgov.policy.facts import Facts, FactValue, Stage, Unknown

Answer = Literal["true", "false", "unknown", "not gathered"]
RuleAnswer = Literal["fires", "does not apply", "unknown", "not gathered", "excepted"]

_ANSWERS: dict[Verdict, Answer] = {
    Verdict.YES: "true",
    Verdict.NO: "false",
    Verdict.UNKNOWN: "unknown",
    Verdict.MISSING: "not gathered",
}
_RULE_ANSWERS: dict[Verdict, RuleAnswer] = {
    Verdict.YES: "fires",
    Verdict.NO: "does not apply",
    Verdict.UNKNOWN: "unknown",
    Verdict.MISSING: "not gathered",
}


@dataclass(frozen=True, slots=True)
class ConditionAnswer:
    """One condition. `key` is its place in the rule; `value` is None both for an absent fact and
    for one not gathered, which `answer` tells apart.
    """

    key: str
    condition: str
    fact: str
    value: FactValue | Unknown
    answer: Answer


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """One rule. `reached` is False for rules after the one that decides, and for rules that are off."""

    rule: str
    mode: str
    action: str
    answer: RuleAnswer
    reached: bool
    decides: bool
    exception: str | None
    conditions: tuple[ConditionAnswer, ...]


def explain(policy: Policy, stage: Stage, facts: Facts) -> tuple[RuleExplanation, ...]:
    """The rules of `stage` in their order, each judged by itself; see `Policy.decide` for the outcome."""
    steps = policy.steps[stage]
    found = walk(steps, facts, gathering=False)
    reached = {step.rule.id for step in steps[: found.reached]}
    decider = found.decider.rule.id if found.decider else None
    by_id = {step.rule.id: step for step in steps}
    return tuple(
        _explain(
            by_id.get(rule.id) or step_of(rule, stage, policy.exceptions, enforced=False),
            facts,
            reached=rule.id in reached,
            decides=rule.id == decider,
        )
        for rule in policy.rules
        if stage in rule.stages
    )


def _explain(step: Step, facts: Facts, *, reached: bool, decides: bool) -> RuleExplanation:
    verdict = step.test(facts)
    exempting = [e.id for e in step.exemptions if e.test(facts) is Verdict.YES]
    excepted = verdict is Verdict.YES and bool(exempting)
    return RuleExplanation(
        rule=step.rule.id,
        mode=step.rule.mode,
        action=step.rule.action,
        answer="excepted" if excepted else _RULE_ANSWERS[verdict],
        reached=reached,
        decides=decides,
        exception=exempting[0] if excepted else None,
        conditions=tuple(_conditions(step.clauses, facts)),
    )


def _conditions(clauses: Iterable[Clause], facts: Facts) -> Iterable[ConditionAnswer]:
    for clause in clauses:
        for leaf in clause.leaves():
            answer = _answer(leaf.test, facts)
            yield ConditionAnswer(leaf.key, leaf.shown, leaf.fact, facts.get(leaf.fact), answer)


def _answer(test: Test, facts: Facts) -> Answer:
    return _ANSWERS[test(facts)]
