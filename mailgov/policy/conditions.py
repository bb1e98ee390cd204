"""Conditions: what a rule asks of the facts, compiled to closures.

Evaluation knows four verdicts. A condition holds (YES), does not (NO), cannot be told because
its fact is unknown (UNKNOWN), or has a fact that nobody has gathered yet (MISSING). A rule
fires on YES alone; MISSING is what `wanted()` turns into a question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from mailgov.policy.facts import Facts, FactSpec, FactValue, Unknown
from mailgov.policy.source import is_iso_date


class Verdict(IntEnum):
    NO = 0
    YES = 1
    UNKNOWN = 2
    MISSING = 3


NO, YES, UNKNOWN, MISSING = Verdict.NO, Verdict.YES, Verdict.UNKNOWN, Verdict.MISSING

_NOT_GATHERED: Any = object()

Test = Callable[[Facts], Verdict]
Predicate = Callable[[FactValue], bool | None]
"""True or False for a value of the fact's type or None (absent); None for a value of another type."""


class Guard(NamedTuple):
    """That a fact of this type is, or is not, a certain value."""

    fact: str
    kept: type
    operand: FactValue
    wanted: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One question to one fact. `key` is its place in the rule, such as `when[1].any[0]`."""

    key: str
    fact: str
    operator: str
    operand: FactValue
    test: Test
    shown: str
    """Such as `recipient.mx_provider is "free"`."""
    facts: tuple[str, ...]
    """The facts that it reads: its own, and the list that `in_fact` names."""
    guard: Guard | None = None
    """The same question, for `ruled_out`; None where it takes more than a look."""

    def missing(self, facts: Facts) -> tuple[str, ...]:
        return tuple(name for name in self.facts if name not in facts)

    def leaves(self) -> tuple[Condition, ...]:
        return (self,)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """True when one of its alternatives is: each a list of conditions that hold together."""

    key: str
    alternatives: tuple[tuple[Condition, ...], ...]
    tests: tuple[Test, ...]
    test: Test

    def missing(self, facts: Facts) -> tuple[str, ...]:
        """The facts that the first alternative that may still hold lacks."""
        for group, test in zip(self.alternatives, self.tests, strict=True):
            if test(facts) is MISSING:
                return first_missing(group, facts)
        return ()

    def holding(self, facts: Facts) -> tuple[Condition, ...]:
        """The first alternative that holds, () when none does."""
        for group, test in zip(self.alternatives, self.tests, strict=True):
            if test(facts) is YES:
                return group
        return ()

    def leaves(self) -> tuple[Condition, ...]:
        return tuple(condition for group in self.alternatives for condition in group)


Clause = Condition | Alternatives


def all_of(tests: Sequence[Test]) -> Test:
    """Every one holds. One that fails decides; then one that cannot be told; then one not gathered.

    So nothing is gathered for a rule that can no longer fire.
    """
    if len(tests) == 1:
        return tests[0]
    fixed = tuple(tests)

    def test(facts: Facts) -> Verdict:
        result = YES
        for one in fixed:
            verdict = one(facts)
            if verdict is NO:
                return NO
            if verdict is UNKNOWN or (verdict is MISSING and result is YES):
                result = verdict
        return result

    return test


def ruled_out(guards: Sequence[Guard], facts: Mapping[str, object]) -> bool:
    """Whether one of the guards says NO, as its condition would: then so does `all_of` with it.

    Most rules do not concern most mail, and this costs no call for each of their conditions.
    """
    for fact, kept, operand, wanted in guards:
        value = facts.get(fact, _NOT_GATHERED)
        if ((value == operand) is not wanted) if type(value) is kept else (value is None and wanted):
            return True
    return False


def any_of(tests: Sequence[Test]) -> Test:
    """At least one holds. One that holds decides; then one not gathered; then one that cannot be told."""
    fixed = tuple(tests)

    def test(facts: Facts) -> Verdict:
        result = NO
        for one in fixed:
            verdict = one(facts)
            if verdict is YES:
                return YES
            if verdict is MISSING or (verdict is UNKNOWN and result is NO):
                result = verdict
        return result

    return test


def first_missing(clauses: Sequence[Clause], facts: Facts) -> tuple[str, ...]:
    """The facts that the first clause still lacks, in the rule's own order."""
    for clause in clauses:
        if clause.test(facts) is MISSING:
            return clause.missing(facts)
    return ()


def _leaf(fact: str, predicate: Predicate, wanted: bool) -> Test:
    def test(facts: Facts) -> Verdict:
        value = facts.get(fact, _NOT_GATHERED)
        if value is _NOT_GATHERED:
            return MISSING
        if isinstance(value, Unknown):
            return UNKNOWN
        held = predicate(value)
        if held is None:
            return UNKNOWN
        return YES if held is wanted else NO

    return test


def _is(fact: str, kept: type, operand: FactValue, wanted: bool) -> Test:
    """`_leaf` for the commonest operator, without its inner calls."""
    held, other = (YES, NO) if wanted else (NO, YES)

    def test(facts: Facts) -> Verdict:
        value = facts.get(fact, _NOT_GATHERED)
        if value is _NOT_GATHERED:
            return MISSING
        if isinstance(value, kept):
            return held if value == operand else other
        return other if value is None else UNKNOWN

    return test


def _kept(spec: FactSpec) -> type:
    """What `_is` compares."""
    return bool if spec.kind == "flag" else str


def _known(fact: str, wanted: bool) -> Test:
    def test(facts: Facts) -> Verdict:
        if fact not in facts:
            return MISSING
        return YES if (not isinstance(facts[fact], Unknown)) is wanted else NO

    return test


def _in_fact(fact: str, other: str, wanted: bool) -> Test:
    def test(facts: Facts) -> Verdict:
        if fact not in facts or other not in facts:
            return MISSING
        value, members = facts[fact], facts[other]
        if members is None:
            members = ()
        if isinstance(value, Unknown) or not isinstance(members, tuple):
            return UNKNOWN
        if value is None or isinstance(value, str):
            return YES if (value in members) is wanted else NO
        if isinstance(value, tuple):
            return YES if (bool(value) and all(v in members for v in value)) is wanted else NO
        return UNKNOWN

    return test


def _typed(spec: FactSpec, compare: Callable[[Any], bool]) -> Predicate:
    """False for an absent value, None for one that is not of the fact's type."""
    kind = spec.kind
    kept: type = {"flag": bool, "number": int, "list": tuple}.get(kind, str)

    def predicate(value: FactValue) -> bool | None:
        if value is None:
            return False
        if not isinstance(value, kept) or (kept is int and isinstance(value, bool)):
            return None
        if kind == "date" and not is_iso_date(str(value)):
            return None
        return compare(value)

    return predicate


def _is_under(value: str, domain: str) -> bool:
    host = value.rpartition("@")[2].rstrip(".")
    return host == domain or host.endswith(f".{domain}")


def _every_under(value: Any, domain: str) -> bool:
    if isinstance(value, str):
        return _is_under(value, domain)
    return bool(value) and all(isinstance(v, str) and _is_under(v, domain) for v in value)


def _build(spec: FactSpec, operator: str, operand: Any) -> Test:
    """The closure for one condition. `operand` has been checked against the fact's type."""
    fact = spec.name
    if operator == "known":
        return _known(fact, operand)
    if operator == "present":
        return _leaf(fact, lambda value: value is not None and value != (), operand)
    wanted = not (operator == "is_not" or operator.startswith("not_"))
    if operator in {"in_fact", "not_in_fact"}:
        return _in_fact(fact, operand, wanted)
    if operator in {"is", "is_not"} and spec.kind != "number":
        return _is(fact, _kept(spec), operand, wanted)
    if operator in {"is", "is_not"}:
        return _leaf(fact, _typed(spec, lambda value: bool(value == operand)), wanted)
    if operator in {"in", "not_in"}:
        members = frozenset(operand)
        return _leaf(fact, _typed(spec, lambda value: value in members), wanted)
    if operator in {"any_in", "not_any_in"}:
        members = frozenset(operand)
        return _leaf(fact, _typed(spec, lambda value: not members.isdisjoint(value)), wanted)
    if operator in {"under", "not_under"}:
        return _leaf(fact, _typed(spec, lambda value: _every_under(value, operand)), wanted)
    if operator == "at_most":
        return _leaf(fact, _typed(spec, lambda value: bool(value <= operand)), True)
    return _leaf(fact, _typed(spec, lambda value: bool(value >= operand)), True)


def condition(key: str, spec: FactSpec, operator: str, operand: FactValue) -> Condition:
    """A condition built by hand; the caller answers for the operand's type."""
    facts = (spec.name, str(operand)) if operator in {"in_fact", "not_in_fact"} else (spec.name,)
    shown = f"{spec.name} {operator} {_shown(operand)}"
    guard = None
    if operator in {"is", "is_not"} and spec.kind != "number":
        guard = Guard(spec.name, _kept(spec), operand, operator == "is")
    test = _build(spec, operator, operand)
    return Condition(key, spec.name, operator, operand, test, shown, facts, guard)


def _shown(value: FactValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(value[:8])}{', …' if len(value) > 8 else ''}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
