"""The compiled policy: which facts it wants, and what it decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from mailgov.mail.document import Vocabulary
from mailgov.policy.conditions import NO, YES, all_of, ruled_out
from mailgov.policy.decision import Decision, Seen
from mailgov.policy.directives import Directive
from mailgov.policy.evaluate import Step, Walk, doubt, seen_by, step_of, walk
from mailgov.policy.facts import LISTENERS, Facts, Stage
from mailgov.policy.providers import Providers
from mailgov.policy.rules import DatedException, Rule


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy as loaded: immutable, free of I/O and clock, safe to share between threads.

    `hash` names its content (comments and layout apart); `warnings` are lines for the operator.
    """

    hash: str
    rules: tuple[Rule, ...]
    exceptions: tuple[DatedException, ...]
    directives: Mapping[str, Directive]
    vocabulary: Vocabulary
    providers: Providers
    warnings: tuple[str, ...]
    steps: Mapping[Stage, tuple[Step, ...]]
    """By stage, the rules that are not off, with their exceptions."""
    steps_by_listener: Mapping[tuple[Stage, str], tuple[Step, ...]]
    """Of those, the ones that can fire for what comes in at a listener."""

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def wanted(self, stage: Stage, facts: Facts) -> tuple[str, ...]:
        """The facts to gather next, in the rules' order; () once `decide` can answer.

        Give each back as a value or as Unknown and ask again: every round names new facts, and
        none that the decision does not turn on.
        """
        return walk(self.steps[stage], facts, gathering=True).missing

    def settle(self, stage: Stage, facts: Facts, decision_id: str) -> Decision | tuple[str, ...]:
        """`wanted` and `decide` in one walk, since every message takes it: what to gather, or the decision.

        Of a decision by no rule, of which nothing is kept, `seen` is empty; else it is what `decide` says.
        """
        found = walk(self._steps_for(stage, facts), facts, gathering=True)
        if found.missing:
            return found.missing
        if found.decider is not None or found.watched or found.excepted:
            return self.decide(stage, facts, decision_id)
        if not found.unsure and not decision_id:
            return _nothing_against(stage, self.hash)
        unsure = tuple(doubt(s, facts) for s in found.unsure)
        return Decision(id=decision_id, stage=stage, outcome="accept", policy_hash=self.hash, unsure=unsure)

    def silent(self, stage: Stage, facts: Mapping[str, object]) -> bool:
        """Whether each rule is ruled out at a look, so that `settle` has nothing against the message.

        Facts may stand as they were kept, their lists not made tuples: at those nothing is looked.
        """
        for step in self._steps_for(stage, facts):  # noqa: SIM110 - each delivery asks this
            if not ruled_out(step.guards, facts):
                return False
        return True

    def _steps_for(self, stage: Stage, facts: Mapping[str, object]) -> tuple[Step, ...]:
        listener = facts.get("session.listener")
        steps = self.steps[stage]
        return self.steps_by_listener.get((stage, listener), steps) if isinstance(listener, str) else steps

    def decide(self, stage: Stage, facts: Facts, decision_id: str) -> Decision:
        """The decision at `stage`. Never raises: what was not gathered counts as unknown."""
        steps = self.steps[stage]
        found = walk(steps, facts, gathering=False)
        seen = {name: facts[name] for s in steps[: found.reached] for name in s.facts if name in facts}
        step, mode = _named(found)
        if step is None or mode is None:
            return Decision(
                id=decision_id,
                stage=stage,
                outcome="accept",
                policy_hash=self.hash,
                unsure=tuple(doubt(s, facts) for s in found.unsure),
                excepted=tuple(exemption.id for _, exemption in found.excepted),
                seen=tuple(seen.items()),
            )
        rule = step.rule
        rejected = found.decider is step and rule.action == "reject"
        matched = seen_by(step.clauses, facts)
        return Decision(
            id=decision_id,
            stage=stage,
            outcome="reject" if rejected else "accept",
            policy_hash=self.hash,
            rule=rule.id,
            document=rule.document,
            citation=self.directives[rule.document].citation,
            article=rule.article,
            mode=mode,
            status=rule.status if rejected else None,
            text_vi=rule.text_vi,
            text_en=rule.text_en,
            secrecy=_mark(matched) if rejected and rule.secrecy_stop else None,
            matched=matched,
            watched=tuple(s.rule.id for s in found.watched if s.rule.action == "reject"),
            excepted=tuple(exemption.id for _, exemption in found.excepted),
            unsure=tuple(doubt(s, facts) for s in found.unsure),
            seen=tuple(seen.items()),
        )


@lru_cache(maxsize=64)
def _nothing_against(stage: Stage, policy_hash: str) -> Decision:
    """What most mail hears of most stages, made once."""
    return Decision(id="", stage=stage, outcome="accept", policy_hash=policy_hash)


def _mark(matched: Iterable[Seen]) -> str:
    """The mark that a stop for secrecy saw."""
    return next((seen.value for seen in matched if isinstance(seen.value, str)), "")


def _named(found: Walk) -> tuple[Step | None, Literal["enforce", "monitor"] | None]:
    """The rule that a decision names: the one that decided, else one excepted, else one watched."""
    if found.decider is not None:
        return found.decider, "enforce"
    for step, _ in found.excepted:
        if step.enforced and step.rule.action == "reject":
            return step, "enforce"
    return (found.watched[0], "monitor") if found.watched else (None, None)


def compile_steps(
    rules: Iterable[Rule], exceptions: Iterable[DatedException]
) -> Mapping[Stage, tuple[Step, ...]]:
    """The steps of every stage, in the rules' order; rules that are off have none."""
    granted = tuple(exceptions)
    return MappingProxyType(
        {
            stage: tuple(
                step_of(rule, stage, granted, enforced=rule.mode == "enforce")
                for rule in rules
                if rule.mode != "off" and stage in rule.stages
            )
            for stage in Stage
        }
    )


def steps_by_listener(
    steps: Mapping[Stage, tuple[Step, ...]],
) -> Mapping[tuple[Stage, str], tuple[Step, ...]]:
    """`steps` without those that one look at the listener rules out; the others do not ask for it again."""
    return MappingProxyType(
        {
            (stage, listener): tuple(_behind(s, facts) for s in some if s.test(facts) is not NO)
            for stage, some in steps.items()
            for listener in LISTENERS
            for facts in [{"session.listener": listener}]
        }
    )


def _behind(step: Step, facts: Facts) -> Step:
    """The step where these facts are known: what they make true is not tested again."""
    return replace(step, test=all_of([c.test for c in step.clauses if c.test(facts) is not YES]))
