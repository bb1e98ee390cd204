"""The policy's own tests: `[[rule.test]]` beside each rule, run whenever the policy loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailgov.policy.conditions import MISSING, YES, first_missing
from mailgov.policy.engine import Policy
from mailgov.policy.evaluate import Step, step_of, walk
from mailgov.policy.rules import Rule, RuleTest


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one of a rule's tests ended; `problem` says what came instead, "" when it passed."""

    __test__ = False  # not a test class, whatever its name tells pytest

    rule: str
    name: str
    place: str
    line: int | None
    problem: str

    @property
    def passed(self) -> bool:
        return not self.problem


def run_tests(policy: Policy) -> tuple[TestResult, ...]:
    """Run every rule's tests, in order.

    A test is about the rules as written: monitored rules count as enforced, so is the rule under
    test even when it is off, and no exception applies. So changing a mode breaks no test.
    """
    return tuple(
        TestResult(rule.id, test.name, test.place, test.line, _problem(policy, rule, test))
        for rule in policy.rules
        for test in rule.tests
    )


def _problem(policy: Policy, rule: Rule, test: RuleTest) -> str:
    if test.expect == "pass":
        return _passes(rule, test)
    steps = [
        step_of(other, test.stage, (), enforced=True)
        for other in policy.rules
        if test.stage in other.stages and (other.mode != "off" or other.id == rule.id)
    ]
    found = walk(steps, test.facts, gathering=True)
    if found.missing:
        return f"asks for {_lacking(steps, rule, test)}, which the test does not give"
    decider = found.decider.rule if found.decider else None
    outcome = "reject" if decider and decider.action == "reject" else "accept"
    name = decider.id if decider else None
    if outcome != test.expect or (test.rule is not None and test.rule != name):
        expected = f"{test.expect} by {test.rule}" if test.rule else test.expect
        return f"expected {expected}, but got {outcome} by {name or 'no rule'}"
    return ""


def _lacking(steps: Sequence[Step], rule: Rule, test: RuleTest) -> str:
    """All that the walk would ask for, so that an author mends a test once and not fact by fact.

    Of the rules in front the next fact each, which is mostly enough to pass them by; of the rule that is
    to decide, all. Facts of other rules name theirs.
    """
    last = test.rule or (rule.id if test.expect == "reject" else None)
    found: dict[str, str] = {}
    for step in steps:
        verdict = step.test(test.facts)
        if verdict is MISSING:
            own = step.rule.id in (rule.id, last)
            told = "" if step.rule is rule else f" ({step.rule.id})"
            clauses = [[clause] for clause in step.clauses] if own else [step.clauses]
            for name in (name for some in clauses for name in first_missing(some, test.facts)):
                found.setdefault(name, told)
        if verdict is YES or step.rule.id == last:
            break
    return ", ".join(name + told for name, told in found.items())


def _passes(rule: Rule, test: RuleTest) -> str:
    step = step_of(rule, test.stage, (), enforced=True)
    verdict = step.test(test.facts)
    if verdict is YES:
        return "expected the rule to let it pass, but it fired"
    if verdict is MISSING:
        lacking = ", ".join(first_missing(step.clauses, test.facts))
        return f"asks for {lacking}, which the test does not give"
    return ""
