"""A clerk's corrections at the command line."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailgov.cli.app import run
from mailgov.config import load_settings
from mailgov.config.parts import open_database
from mailgov.store.ledger import apply_events
from tests.unit.admin.test_classes import mail
from tests.unit.test_cli_refusals import installation

__all__ = ["installation"]

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(
    installation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Say:
    """Runs a command in a province that sent two messages in October 2025: exit code, output, errors."""
    folder = tmp_path / "copy"
    shutil.copytree(installation, folder)
    monkeypatch.chdir(folder)

    async def fill() -> None:
        ledger = open_database(load_settings(None, {}))
        events = [mail("ONE"), mail("TWO", subject="Kính gửi", document_class=None, symbol=None)]
        await apply_events(ledger, "more", "test", list(enumerate(events, start=1)), 1)
        await ledger.dispose()

    asyncio.run(fill())

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def done(said: tuple[int, str, str]) -> str:
    assert (said[0], said[2]) == (0, "")
    return said[1]


def data(say: Say, *arguments: str) -> Any:
    return json.loads(done(say(*arguments, "--json")))


def test_correct_and_look_back(say: Say) -> None:
    said = done(
        say("class", "correct", "TWO", "--class", "gm", "--symbol", "13/GM-SNV", "--reason", "thiếu số")
    )
    assert said == "TWO counts as GM 13/GM-SNV\n"
    told = data(say, "class", "history", "TWO")
    assert (told["now"]["document_key"], told["now"]["rule_class"]) == ("2025:13/GM-SNV", None)
    assert [one["reason"] for one in told["changes"]] == ["thiếu số"]
    shown = done(say("class", "history", "TWO"))
    assert re.search(r"counts as: +GM 13/GM-SNV\n", shown)
    assert re.search(r"cli:\w+ +no document +GM 13/GM-SNV +thiếu số", shown)
    assert "TWO counts as no document" in done(
        say("class", "correct", "TWO", "--class", "none", "--no-symbol", "--reason", "chỉ là trao đổi")
    )


def test_a_sample_is_drawn_confirmed_and_stands_beside_the_figure(say: Say) -> None:
    assert done(say("class", "sample", "2025-10")).count("\n") == 1, "nothing but the headings"
    assert {one["queue_id"] for one in data(say, "class", "sample", "2025-10", "--draw")} == {"ONE", "TWO"}
    assert done(say("class", "confirm", "ONE", "--class", "GM")) == "ONE confirmed as GM (as by rule)\n"
    said = done(say("class", "confirm", "TWO", "--class", "CV"))
    assert said == "TWO confirmed as CV (by rule no document)\n"
    listed = done(say("class", "sample", "10/2025", "--agency", "snv"))
    assert re.search(r"TWO +snv +no document +CV +\S+ \S+ +Kính gửi", listed)
    report = data(say, "usage", "--period", "2025-10", "--directive", "bac-giang")
    rows = [one for one in report["indicators"] if one["indicator"] == "bg.electronic-documents"]
    assert rows[-1]["beside"]["class_sample_wrong"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["correct", "ONE", "--class", "GM", "--reason", "x"], 1, "counts as that already"),
        (["correct", "NONE", "--class", "GM", "--reason", "x"], 1, "no such message"),
        (["correct", "ONE", "--class", "XX", "--reason", "x"], 1, "no document type"),
        (["correct", "ONE", "--class", "GM"], 2, "--reason"),
        (
            ["correct", "ONE", "--class", "GM", "--symbol", "1/GM-X", "--no-symbol", "--reason", "x"],
            2,
            "--symbol",
        ),
        (["confirm", "ONE", "--class", "GM"], 1, "no such message in a sample"),
        (["sample", "2025-13"], 2, "not a month"),
        (["sample", "2999-01", "--draw"], 1, "not over"),
        (["sample", "2025-10", "--size", "20"], 2, "--draw"),
        (["sample", "2025-10", "--draw", "--agency", "snv"], 2, "whole province"),
        (["sample", "2025-10", "--draw", "--size", "1"], 1, "10 to 1000"),
    ],
)
def test_what_is_refused_says_why_in_one_line(say: Say, arguments: list[str], code: int, words: str) -> None:
    ended, out, error = say("class", *arguments)
    assert (ended, out, error.count("\n")) == (code, "", 1)
    assert words in error
