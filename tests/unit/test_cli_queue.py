"""`mailgov queue`: search, history, and acts on all that is found, which are counted first."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mailgov.admin import queue_many
from mailgov.api import records
from mailgov.api.times import moment_ms
from mailgov.cli.app import run
from mailgov.config import default_policy_directory
from mailgov.mail.events import OutcomeEvent
from mailgov.settings import Settings
from mailgov.store.engine import Database, migrate
from mailgov.store.ledger import apply_events
from tests.unit.admin.province import NOW_MS, SPOOL, WAITING, at, make_context, make_province
from tests.unit.test_cli_refusals import SETTINGS

ZONE = Settings().province.timezone
SAID = "451 4.7.1 Greylisted\x1b[2J"


Cli = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file over the small province of the admin tests, one recipient of which was tried."""
    folder = tmp_path_factory.mktemp("queue")

    async def make() -> None:
        ledger = Database.open(f"sqlite:///{folder}/var/ledger.sqlite", create=True)
        await migrate(ledger)
        await make_province(make_context(ledger, Settings(data_dir=folder / "var")))
        event = OutcomeEvent(WAITING, 1, NOW_MS + 9, "deferred", SAID, 1, "mx.e.org", due_ms=NOW_MS + 99)
        await apply_events(ledger, SPOOL, "n", [(100, event)], NOW_MS)
        await ledger.dispose()

    asyncio.run(make())
    (folder / "mailgov.toml").write_text(SETTINGS.format(policy=default_policy_directory()))
    return folder


@pytest.fixture
def cli(installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(installation)
    monkeypatch.setattr(queue_many, "WAIT_S", 0.05)

    def said(*words: str) -> tuple[int, str]:
        status = run(["queue", *words])
        return status, capsys.readouterr().out

    return said


def numbers(text: str) -> list[int]:
    return [one["position"] for one in json.loads(text)]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], [1, 2]),
        (["--to", "x@example.org"], [1]),
        (["--domain", "example.org", "--state", "deferred"], [1]),
        (["--from", at("annv"), "--reply", "greylisted"], [1]),
        (["--id", WAITING, "--older-than", "1m"], [1, 2]),
        (["--newer-than", "90s"], []),
        (["--agency", "stc"], []),
    ],
)
def test_search(cli: Cli, options: list[str], found: list[int]) -> None:
    status, text = cli("list", *options, "--json")
    assert (status, numbers(text)) == (0, found)


def test_the_history_is_shown(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = cli("show", WAITING)
    assert status == 0
    assert "mx.e.org" in text
    assert "451 4.7.1 Greylisted?[2J" in text, "what would steer the terminal is not passed on"
    (one,) = json.loads(cli("show", WAITING, "--json")[1])["history"]
    assert one["reply"] == SAID
    assert moment_ms(one["next_attempt"], ZONE) == NOW_MS + 99
    assert run(["trace", WAITING, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["history"] == [one], "and so it is when nothing waits any more"
    assert run(["trace", WAITING]) == 0
    assert "mx.e.org" in capsys.readouterr().out


def test_json_has_the_bodies_of_the_http_interface(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    """One script serves both; that the values are the same too is `e2e/test_delivery.py`'s subject."""
    first, _ = (records.QueueBody(**one) for one in json.loads(cli("list", "--json")[1]))
    assert (first.queue_id, moment_ms(first.time, ZONE)) == (WAITING, NOW_MS)
    shown = records.TracedBody(**json.loads(cli("show", WAITING, "--json")[1]))
    assert [one.state for one in shown.history] == ["deferred"]
    assert run(["trace", "--recipient", "x@example.org", "--json"]) == 0
    (listed,) = (records.MessageBody(**one) for one in json.loads(capsys.readouterr().out))
    assert listed == records.MessageBody(**shown.model_dump(exclude={"history"}))
    would_be = records.ManyBody(**json.loads(cli("hold", "--domain", "example.org", "--json")[1]))
    assert (would_be.recipients, would_be.applied) == (2, False)


def test_many_are_counted_first_and_then_asked_for(cli: Cli, installation: Path) -> None:
    def asked() -> list[tuple[str, int]]:
        ledger = sqlite3.connect(installation / "var" / "ledger.sqlite")
        try:
            return ledger.execute("SELECT act, position FROM command ORDER BY id").fetchall()
        finally:
            ledger.close()

    words = ["hold", "--domain", "example.org", "--reason", "máy chủ hỏng"]
    assert cli(*words) == (
        0, "hold would be for 2 recipients of 1 message; nothing was done yet: add --yes\n",
    )  # fmt: skip
    assert asked() == []
    assert cli(*words, "--yes")[1] == (
        "hold for 2 recipients of 1 message: 0 done, 0 refused, 2 not answered yet\n"
    )
    assert asked() == [("hold", 1), ("hold", 2)]
    assert json.loads(cli("release", "--domain", "example.org", "--yes", "--json")[1])["recipients"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["hold"],
        ["hold", WAITING, "--domain", "example.org"],
        ["retry", "--recipient", "1", "--state", "deferred"],
        ["list", "--older-than", "1 fortnight"],
    ],
)
def test_which_are_meant_is_said_one_way(cli: Cli, words: list[str]) -> None:
    assert cli(*words)[0] == 2


def test_a_long_list_ends_at_its_limit_and_says_so(
    cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.cli.queue.PAGE", 1)
    whole = json.loads(cli("list", "--json")[1])
    assert len(whole) > 1
    status = run(["queue", "list", "--limit", "1", "--json"])
    said = capsys.readouterr()
    assert (status, json.loads(said.out)) == (0, whole[:1])
    assert "the oldest 1; there are more" in said.err
    assert run(["queue", "list", "--limit", str(len(whole)), "--json"]) == 0
    assert capsys.readouterr().err == ""
