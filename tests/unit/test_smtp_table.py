"""docs/smtp.md names tests that exist, and every extension that EHLO may say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mailgov.settings import SmtpSettings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "smtp.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_the_tests_that_it_names_exist() -> None:
    named = NAMED.findall(TEXT)
    assert len(named) > 50
    missing = [
        f"{file}::{test}" for file, test in named if test not in names_in(ROOT / "tests" / "wire" / file)
    ]
    assert missing == []


def test_each_row_of_a_table_names_one() -> None:
    rows = [
        line
        for line in TEXT.splitlines()
        if line.startswith("|") and not re.match(r"\|-|\| \w+ \|.*RFC", line)
    ]
    assert [row for row in rows if not NAMED.search(row) and "shown by" not in row] == []


def test_the_settings_that_it_names_exist() -> None:
    known = set(SmtpSettings.model_fields)
    named = set(re.findall(r"`([a-z]+_[a-z_]+)(?: = [^`]*)?`", TEXT))
    assert named <= known, named - known


def test_every_extension_is_in_it() -> None:
    for word in (
        "PIPELINING",
        "SIZE",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "STARTTLS",
        "AUTH",
        "LIMITS",
        "REQUIRETLS",
    ):
        assert f"| {word}" in TEXT
