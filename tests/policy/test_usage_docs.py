"""The page on figures names every indicator that is computed, with its article, and every remark."""

from __future__ import annotations

from pathlib import Path

from mailgov.policy import load
from mailgov.usage.indicators import REGISTRY, remarks
from mailgov.usage.notes import Note
from tests.unit.policy.support import shipped_files

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "usage.md").read_text(encoding="utf-8")


def test_every_computed_indicator_stands_with_its_article() -> None:
    obligations = {
        one.id: one for found in load(shipped_files()).directives.values() for one in found.obligations
    }
    for name in REGISTRY:
        (line, *_) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert obligations[name].article in line, name


def test_every_remark_is_explained() -> None:
    fixed = [found.code for found in vars(remarks).values() if isinstance(found, Note)]
    assert fixed
    for code in fixed:
        assert f"`{code}`" in PAGE, code
