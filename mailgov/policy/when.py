"""Reading `when`: from TOML tables to typed conditions, with every fault at its line."""

from __future__ import annotations

from typing import Any

from mailgov.policy.conditions import Alternatives, Clause, Condition, all_of, any_of, condition
from mailgov.policy.facts import FACTS, FactSpec, FactValue, Kind, Stage
from mailgov.policy.source import Reader, describe, suggest

CONDITIONS_LIMIT = 50

OPERATORS: dict[str, frozenset[Kind]] = {
    "is": frozenset({"text", "word", "flag", "number"}),
    "is_not": frozenset({"text", "word", "number"}),
    "in": frozenset({"text", "word"}),
    "not_in": frozenset({"text", "word"}),
    "any_in": frozenset({"list"}),
    "not_any_in": frozenset({"list"}),
    "in_fact": frozenset({"text", "list"}),
    "not_in_fact": frozenset({"text", "list"}),
    "under": frozenset({"text", "list"}),
    "not_under": frozenset({"text", "list"}),
    "at_most": frozenset({"number", "date"}),
    "at_least": frozenset({"number", "date"}),
    "present": frozenset({"text", "word", "number", "list"}),
    "known": frozenset({"text", "word", "flag", "number", "list", "date"}),
}
"""Which kinds of fact each operator takes. `not_x` is true exactly where `x` is false."""


def parse_when(reader: Reader, key: str, stage: Stage) -> tuple[Clause, ...]:
    """The clauses under `key`, as they read at `stage`; raises PolicyError."""
    tables = reader.tables(key)
    if not tables:
        raise reader.error(key, "a rule needs at least one condition")
    clauses = tuple(_clause(table, f"{key}[{n}]", stage) for n, table in enumerate(tables))
    if sum(len(clause.leaves()) for clause in clauses) > CONDITIONS_LIMIT:
        raise reader.error(key, f"over {CONDITIONS_LIMIT} conditions")
    return clauses


def _clause(reader: Reader, key: str, stage: Stage) -> Clause:
    if not reader.has("any"):
        return _condition(reader, key, stage)
    groups = []
    for number, value in enumerate(reader.array("any")):
        path = reader.at("any", number)
        tables = value if isinstance(value, list) else [value]
        if not tables or not all(isinstance(table, dict) for table in tables):
            raise reader.source.error(path, "expected a condition, or a list of conditions")
        group = []
        for inner, table in enumerate(tables):
            place = (*path, inner) if isinstance(value, list) else path
            name = f"{key}.any[{number}]" + (f"[{inner}]" if isinstance(value, list) else "")
            group.append(_condition(Reader(reader.source, place, table), name, stage))
        groups.append(tuple(group))
    reader.finish()
    if not groups:
        raise reader.error("any", "needs at least one alternative")
    tests = tuple(all_of([c.test for c in group]) for group in groups)
    return Alternatives(key, tuple(groups), tests, any_of(tests))


def _condition(reader: Reader, key: str, stage: Stage) -> Condition:
    spec = _fact(reader, "fact", reader.required("fact"), stage)
    operators = [name for name in reader.table if name != "fact"]
    if len(operators) != 1:
        raise reader.error(None, "a condition is one fact and one operator")
    operator = operators[0]
    if operator not in OPERATORS:
        raise reader.error(operator, f"unknown operator{suggest(operator, OPERATORS)}")
    if spec.kind not in OPERATORS[operator]:
        fitting = ", ".join(name for name, kinds in OPERATORS.items() if spec.kind in kinds)
        raise reader.error(operator, f"{spec.name} is a {spec.kind}; it takes {fitting}")
    if operator in {"under", "not_under"} and spec.kind == "text" and not spec.folded:
        raise reader.error(operator, f"{spec.name} is neither a domain nor an address")
    operand = _operand(reader, spec, operator, stage)
    return condition(key, spec, operator, operand)


def _fact(reader: Reader, key: str, name: Any, stage: Stage) -> FactSpec:
    if not isinstance(name, str) or name not in FACTS:
        near = suggest(name, FACTS) if isinstance(name, str) else ""
        raise reader.error(key, f"unknown fact {describe(name)}{near}")
    spec = FACTS[name]
    if stage is Stage.ROUTE and spec.read_at_route is not None:
        spec = FACTS[spec.read_at_route]
    if stage not in spec.stages:
        stages = ", ".join(s for s in Stage if s in spec.stages)
        raise reader.error(key, f"{name} is not known at stage {stage} (only at {stages})")
    return spec


def _operand(reader: Reader, spec: FactSpec, operator: str, stage: Stage) -> FactValue:
    value = reader.required(operator)
    if operator in {"known", "present"}:
        return reader.flag(operator, default=True)
    if operator in {"in_fact", "not_in_fact"}:
        other = _fact(reader, operator, value, stage)
        if other.kind != "list":
            raise reader.error(operator, f"{other.name} is a {other.kind}, not a list")
        return other.name
    if operator in {"in", "not_in", "any_in", "not_any_in"}:
        if not reader.array(operator):
            raise reader.error(operator, "an empty list")
        path = reader.at(operator)
        return tuple(str(_literal(reader, (*path, n), spec, v)) for n, v in enumerate(value))
    if operator in {"under", "not_under"}:
        domain = reader.text(operator, limit=255).lower().strip(".")
        if not domain or "@" in domain:
            raise reader.error(operator, f"expected a domain, not {describe(value)}")
        return domain
    return _literal(reader, reader.at(operator), spec, value)


def _literal(reader: Reader, path: tuple[str | int, ...], spec: FactSpec, value: Any) -> FactValue:
    """`value` as a value of the fact's type; raises PolicyError."""
    if spec.kind == "word" or (spec.kind == "list" and spec.values):
        return reader.checked_choice(path, value, spec.values)
    if spec.kind == "date":
        return reader.checked_date(path, value)
    if spec.kind == "flag" and isinstance(value, bool):
        return value
    if spec.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if spec.kind in {"text", "list"} and isinstance(value, str):
        text = reader.checked_text(path, value) if value else ""
        return text.lower() if spec.folded else text
    raise reader.source.error(path, f"{spec.name} is a {spec.kind}, not {describe(value)}")


def parse_value(reader: Reader, name: str, value: Any, path: tuple[str | int, ...]) -> FactValue:
    """A fact's value as a rule's own test gives it."""
    spec = FACTS[name]
    if spec.kind == "list":
        if not isinstance(value, list):
            raise reader.source.error(path, f"{name} is a list, not {describe(value)}")
        return tuple(str(_literal(reader, (*path, n), FACTS[name], v)) for n, v in enumerate(value))
    return _literal(reader, path, spec, value)
