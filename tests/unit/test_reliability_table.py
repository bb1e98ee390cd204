"""docs/reliability.md names tests and benchmarks that exist, one at least for each fault and each promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_smtp_table import names_in

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FILE = re.compile(r"`((?:[\w/]+/)?test_\w+\.py|…)(?:::(test_\w+))?`")
MADE = re.compile(r"`make ([a-z-]+)`")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def rows() -> Iterator[str]:
    """The rows of both tables, without their heads."""
    for line in TEXT.splitlines():
        if line.startswith("|") and not re.match(r"\|(-| \| fault| promise)", line):
            yield line


def named(row: str) -> Iterator[tuple[str, str | None]]:
    """(file, test) of each test that a row names; `…` stands for the file before."""
    last = ""
    for file, test in FILE.findall(row):
        last = last if file == "…" else file
        yield last, test or None


def there(file: str, test: str | None) -> bool:
    """Whether a file of that name is among the tests, and holds the test."""
    return any(
        str(one).endswith(f"/{file}") and (test is None or test in names_in(one))
        for one in (ROOT / "tests").rglob(Path(file).name)
    )


def test_what_it_names_exists() -> None:
    tests = {one for row in rows() for one in named(row)}
    assert len(tests) > 100
    assert sorted(f"{file}::{test}" for file, test in tests if not there(file, test)) == []
    assert set(MADE.findall(TEXT)) <= TARGETS


@pytest.mark.parametrize("number", range(1, 23))
def test_each_fault_has_a_row(number: int) -> None:
    assert f"\n| F{number} |" in TEXT


def test_no_row_is_without() -> None:
    bare = [
        row for row in rows() if not FILE.search(row) and not MADE.search(row) and "the campaign" not in row
    ]
    assert bare == []
