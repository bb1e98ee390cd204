"""One walk over the rules of a stage: the only place where a verdict is reached.

`wanted`, `decide`, `explain` and the rules' own tests all take this walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailgov.policy.conditions import (
    MISSING,
    NO,
    UNKNOWN,
    YES,
    Alternatives,
    Clause,
    Condition,
    Guard,
    Test,
    all_of,
    first_missing,
    ruled_out,
)
from mailgov.policy.decision import Seen
from mailgov.policy.facts import Facts, Stage, Unknown
from mailgov.policy.rules import DatedException, Rule


@dataclass(frozen=True, slots=True)
class Exemption:
    """A dated exception, compiled."""

    id: str
    conditions: tuple[Condition, ...]
    test: Test


@dataclass(frozen=True, slots=True)
class Step:
    """A rule at one stage, as it is enforced or watched there."""

    rule: Rule
    enforced: bool
    clauses: tuple[Clause, ...]
    test: Test
    exemptions: tuple[Exemption, ...]
    facts: tuple[str, ...]
    """What it looks at, its exceptions included."""
    guards: tuple[Guard, ...]
    """Of its conditions, those that are told at a look."""


@dataclass(slots=True)
class Walk:
    """What a walk found. `decider` is the enforced rule that ended it."""

    decider: Step | None = None
    watched: tuple[Step, ...] = ()
    """Rules in monitor mode that fired."""
    shadow_over: bool = False
    """A watched rule allowed: were all enforced, nothing after it would be reached."""
    excepted: tuple[tuple[Step, Exemption], ...] = ()
    unsure: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()
    """While gathering: the facts that the walk stopped for."""
    reached: int = 0
    """Steps looked at."""


def step_of(rule: Rule, stage: Stage, exceptions: Iterable[DatedException], *, enforced: bool) -> Step:
    exemptions = tuple(_exemption(e) for e in exceptions if e.rule == rule.id)
    clauses = rule.when[stage]
    names = [name for clause in clauses for leaf in clause.leaves() for name in leaf.facts]
    names += [name for e in exemptions for leaf in e.conditions for name in leaf.facts]
    guards = tuple(c.guard for c in clauses if isinstance(c, Condition) and c.guard is not None)
    test = rule.test_at(stage)
    return Step(rule, enforced, clauses, test, exemptions, tuple(dict.fromkeys(names)), guards)


def _exemption(exception: DatedException) -> Exemption:
    conditions = exception.conditions()
    return Exemption(exception.id, conditions, all_of([c.test for c in conditions]))


def walk(steps: Sequence[Step], facts: Facts, *, gathering: bool) -> Walk:
    """Take the rules in order until one that is enforced fires.

    While gathering, stop at the first rule that still lacks a fact and say which. Otherwise what
    was not gathered counts as unknown, and a rule that cannot be told does not fire. Rules in
    monitor mode end nothing; but once one of them that allows has fired, those after it are as if
    not reached, for so it would be if all were enforced.
    """
    found = Walk()
    for step in steps:
        found.reached += 1
        if ruled_out(step.guards, facts) or (found.shadow_over and not step.enforced):
            continue
        verdict = step.test(facts)
        if verdict is NO:
            continue
        if verdict is MISSING and gathering:
            found.missing = first_missing(step.clauses, facts)
            return found
        if verdict is not YES:
            found.unsure += (step,)
            continue
        if step.exemptions:
            exemption, found.missing = _exempted(step, facts, gathering=gathering)
            if found.missing:
                return found
            if exemption is not None:
                found.excepted += ((step, exemption),)
                continue
        if step.enforced:
            found.decider = step
            return found
        found.watched += (step,)
        found.shadow_over = step.rule.action == "allow"
    return found


def _exempted(step: Step, facts: Facts, *, gathering: bool) -> tuple[Exemption | None, tuple[str, ...]]:
    """The exception that is proven to apply, or the facts that are lacking to tell.

    What cannot be told is not proven: an exception never rests on an unknown fact.
    """
    for exemption in step.exemptions:
        verdict = exemption.test(facts)
        if verdict is YES:
            return exemption, ()
        if verdict is MISSING and gathering:
            return None, first_missing(exemption.conditions, facts)
    return None, ()


def seen_by(clauses: Iterable[Clause], facts: Facts) -> tuple[Seen, ...]:
    """The conditions that hold, with the values they saw; of alternatives, the first that holds."""
    seen: list[Seen] = []
    for clause in clauses:
        if isinstance(clause, Alternatives):
            seen += seen_by(clause.holding(facts), facts)
        elif clause.test(facts) is YES:
            seen.append(Seen(clause.fact, clause.shown, facts.get(clause.fact)))
    return tuple(seen)


def doubt(step: Step, facts: Facts) -> str:
    """Why a rule could not be told: its id, the fact, and the reason that came with it."""
    for verdict in (UNKNOWN, MISSING):
        for clause in step.clauses:
            if clause.test(facts) is not verdict:
                continue
            for leaf in clause.leaves():
                if leaf.test(facts) is verdict:
                    return f"{step.rule.id}: {_reason(leaf, facts)}"
    return f"{step.rule.id}: unknown"


def _reason(leaf: Condition, facts: Facts) -> str:
    for name in leaf.facts:
        if name not in facts:
            return f"{name} not gathered"
        value = facts[name]
        if isinstance(value, Unknown):
            clean = "".join(c if c.isprintable() else " " for c in value.reason[:200])
            return f"{name} unknown ({' '.join(clean.split())})"
    return f"{leaf.fact} unknown (not of its type)"
