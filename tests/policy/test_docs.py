"""The page that explains the policy keeps up with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from mailgov.policy import FACTS, FactSpec, Stage, load
from mailgov.policy.when import OPERATORS
from tests.unit.policy.support import shipped_files

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")


def row(spec: FactSpec) -> str:
    kind = spec.kind + (f": {', '.join(spec.values)}" if spec.values else "")
    stages = ", ".join(s for s in Stage if s in spec.stages) if len(spec.stages) < len(Stage) else "all"
    return f"| `{spec.name}` | {kind} | {stages} | {spec.source} | {spec.meaning} |"


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_table_of_facts_is_the_registry() -> None:
    rows = [line for line in section("Facts").splitlines() if line.startswith("| `")]
    assert rows == [row(spec) for spec in FACTS.values()]


def test_the_table_of_operators_is_complete() -> None:
    table = section("A rule").split("| operator |", 1)[1].split("\n\n", 1)[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)", " ".join(firsts))) == set(OPERATORS)


def test_the_table_of_rules_is_the_shipped_order() -> None:
    rows = [line.split("|") for line in section("The shipped rules").splitlines() if line.startswith("| `")]
    told = [(cells[1].strip(" `"), cells[2].strip()) for cells in rows]
    assert told == [(rule.id, ", ".join(rule.stages)) for rule in load(shipped_files()).rules]


def test_the_examples_load() -> None:
    rule, test = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    tomllib.loads(rule + test)
    load({**shipped_files(), "rules.toml": rule})
