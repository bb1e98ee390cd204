"""What the bench writes goes between its marks."""

from __future__ import annotations

import pytest

from tests.bench import document

TEXT = "before\n<!-- bench -->\nold\n<!-- /bench -->\nbetween\n<!-- profile -->\n<!-- /profile -->\n"


def test_a_section_is_replaced_and_the_rest_stays() -> None:
    once = document.replaced(TEXT, "bench", "a \\1 table\n\n")
    assert once == TEXT.replace("old", "a \\1 table")
    assert document.replaced(once, "bench", "a \\1 table") == once
    assert "new" in document.replaced(TEXT, "profile", "new")


def test_a_document_without_the_marks_is_told() -> None:
    with pytest.raises(ValueError, match="no <!-- queue -->"):
        document.replaced(TEXT, "queue", "text")


def test_disturbed_figures_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    before = document.DOCUMENT.read_bytes()
    assert document.write("bench", "text", ["NOISE: ours"]) == 1
    assert document.DOCUMENT.read_bytes() == before
    assert "NOISE: ours" in capsys.readouterr().err


def test_the_document_has_a_place_for_each_table() -> None:
    text = document.DOCUMENT.read_text(encoding="utf-8")
    for section in ("bench", "profile"):
        assert document.replaced(text, section, "figures") != text
