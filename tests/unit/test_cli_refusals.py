"""What the command line answers to mistakes: one line, the right exit code, nothing changed."""

from __future__ import annotations

import asyncio
import io
import shutil
from pathlib import Path

import pytest

from mailgov.cli.app import run
from mailgov.config import default_policy_directory
from mailgov.mail.events import DecisionRecord, MessageEvent
from mailgov.settings import DatabaseSettings, Settings
from mailgov.store.engine import Database, migrate
from mailgov.store.ledger import apply_events
from tests.unit.admin.province import DOMAIN, NOW_MS, State, at, make_context, make_province, state

SETTINGS = """\
data_dir = "var"
[database]
url = "sqlite:///var/ledger.sqlite"
[policy]
directory = "{policy}"
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file over the small province of the admin tests."""
    folder = tmp_path_factory.mktemp("refusals")

    async def make() -> None:
        ledger = Database.open(f"sqlite:///{folder}/var/ledger.sqlite", create=True)
        await migrate(ledger)
        await make_province(make_context(ledger, Settings(data_dir=folder / "var")))
        await ledger.dispose()

    asyncio.run(make())
    (folder / "mailgov.toml").write_text(SETTINGS.format(policy=default_policy_directory()))
    return folder


def look(folder: Path) -> State:
    url = f"sqlite:///{folder}/var/ledger.sqlite"
    return state(make_context(None, Settings(database=DatabaseSettings(url=url))))  # type: ignore[arg-type] # only its settings are read


REFUSED = [
    (["domain", "add", "localhost", "--postmaster", at("annv")], "not a domain name"),
    (["domain", "add", DOMAIN, "--postmaster", at("annv")], "there already"),
    (["domain", "disable", "nowhere.vn"], "no such domain"),
    (["domain", "show", "\x1b[2J.vn"], "not a domain name"),
    (["agency", "add", "snv", "--name", "Again"], "there already"),
    (["agency", "add", "x", "--name", "X", "--level", "country"], "no level"),
    (["agency", "add", "x", "--name", "X", "--from", "2025-02-01", "--until", "2025-01-01"], "no day"),
    (["agency", "close", "nowhere"], "no such agency"),
    (["agency", "close", "snv"], "2 accounts serve there; place them first, or close it with a reason"),
    (["agency", "change", "snv"], "nothing is named"),
    (["agency", "change", "snv", "--level", "commune", "--correct"], "give a reason"),
    (["agency", "change", "nowhere", "--no-sector-mail"], "no such agency"),
    (["agency", "merge", "snv", "--into", "snv"], "not into itself"),
    (["account", "add", at("annv"), "--name", "Again"], "already"),
    (["account", "add", at("postmaster"), "--name", "P"], "reserved"),
    (["account", "add", "a@elsewhere.vn", "--name", "A"], "no such domain"),
    (["account", "add", at("đức"), "--name", "Đức"], "ASCII"),
    (["account", "add", at("a"), "--name", "A", "--agency", "snv"], "together"),
    (["account", "show", at("nobody")], "no such account"),
    (["backup", "/nonexistent/x.tar"], "error: /nonexistent: No such file"),
    (["account", "disable", "nonsense"], "is not an address"),
    (["account", "enable", at("annv")], "enabled already"),
    (["account", "grant", at("annv"), at("nobody")], "no such account or alias"),
    (["account", "revoke", at("annv"), at("snv")], "no grant"),
    (["account", "register", at("annv"), at("snv")], "province itself"),
    (["account", "move", at("annv"), "--agency", "nowhere"], "no such agency"),
    (["account", "password", at("nobody")], "no such account"),
    (["account", "password", at("annv"), "--password-stdin"], "no password came"),
    (["alias", "add", at("annv"), "--to", at("snv")], "already"),
    (["alias", "add", at("new"), "--to", at("new")], "to itself"),
    (["alias", "remove", at("abuse")], "has to stay"),
    (["import", "nowhere.csv"], "No such file"),
    (["import", "mailgov.toml", "--passwords", "mailgov.toml"], "never overwritten"),
    (["import", "mailgov.toml"], "column 1"),
    (["export", "mailgov.toml"], "never overwritten"),
    (["group", "show", at("ld-snv")], "no such group"),
    (["group", "join", at("nobody"), "--member", at("annv")], "no such group"),
    (["account", "seat", "add", at("snv"), "clerk", "--agency", "snv"], "shared"),
    (["account", "seat", "add", at("annv"), "clerk"], "needs an agency"),
    (["account", "seat", "remove", at("annv"), "auditor"], "no seat"),
    (["account", "edit", at("annv")], "name something"),
    (["dkim", "generate", DOMAIN, "--algorithm", "dsa"], "no algorithm"),
    (["dkim", "generate", DOMAIN, "--selector", "../x"], "not a selector"),
    (["dns", "print", "nowhere.vn"], "no such domain"),
    (["token", "create", "x", "--role", "clerk"], "needs an agency"),
    (["token", "revoke", "99"], "no such token"),
    (["queue", "show", "NOSUCH"], "no such message"),
    (["queue", "drop", "NOSUCH", "--reason", "x"], "no such message"),
    (["queue", "list", "--state", "gone"], "no state"),
    (["trace", "nonsense"], "no such message"),
    (["usage", "--calendar", "lunar"], "no calendar"),
    (["usage", "--agency", "nowhere"], "no such agency"),
    (["usage", "--directive", "cao-bangg"], "no such directive: cao-bangg"),
    (["targets", "--directive", "x" * 100], "no such directive: xxx"),
    (["policy", "explain", "--account", at("nobody")], "no such account"),
    (["policy", "explain", "--fact", "sender.dmarc=bad"], "sender.dmarc is one of pass"),
    (["init", "--domain", DOMAIN], "never overwritten"),
    (["serve", "--role", "butler"], "butler"),
]

WRONG_USAGE = [
    ([], "Missing command"),
    (["nonsense"], "No such command"),
    (["domain"], "Missing command"),
    (["domain", "add"], "DOMAIN"),
    (["domain", "add", "x.vn"], "--postmaster"),
    (["domain", "list", "--nonsense"], "--nonsense"),
    (["account", "add", at("x")], "--name"),
    (["account", "add", at("x"), "--name", "X", "--password", "secret"], "--password"),
    (["account", "add", at("x"), "--name", "X", "--password-stdin", "--no-password"], "do not go together"),
    (["account", "add", at("x"), "--name", "X", "--must-change"], "--must-change"),
    (["account", "password", at("annv"), "--must-change"], "--must-change"),
    (["import", "x.csv", "--passwords", "p.csv", "--dry-run"], "does not go together"),
    (["group", "add", at("g")], "--member"),
    (["account", "seat", "add", at("annv"), "king"], "for 'ROLE': 'king' is not one of"),
    (["init", "--domain", "hoabinh.gov.vn", "--config", "other.toml"], "--province"),
    (["agency", "close", "snv", "--on", "tomorrow"], "not a day"),
    (["token", "create", "x", "--role", "king"], "for '--role': 'king' is not one of"),
    (["token", "revoke", "one"], "ID"),
    (["queue", "drop", "X"], "--reason"),
    (["usage", "--format", "xlsx"], "xlsx"),
    (["usage", "--period", "yesterday"], "'--period': 'yesterday' is not a period"),
    (["targets", "--period", "2026-13"], "'2026-13' is not a period"),
    (["reports", "dmarc", "--period", "yesterday"], "'--period': 'yesterday' is not a period"),
    (["reports", "tls", "--period", "2026-02-30..2026-03-01"], "not a date of the calendar"),
    (["reports", "spf"], "'spf' is not one of"),
    (["reports"], "dmarc|tls"),
    (["usage", "--json", "--format", "csv"], "do not go together"),
    (["targets", "--agency", "snv"], "--agency"),
    (["classify"], "--subject"),
    (["serve", "--workers", "0"], "--workers"),
    (["trace"], "ID"),
    (["trace", "SNVSENT1", "--sender", "dan.test"], "ID"),
    (["trace", "--spf", "maybe"], "'maybe' is not one of"),
    (["trace", "--risk", "virus"], "'virus' is not one of"),
    (["trace", "--client", "pc-an"], "'pc-an' is not an IP address"),
    (["trace", "--rule", "spam", "--from", "yesterday"], "'--from': expected a date"),
    (["trace", "--rule", "spam", "--from", "01/03/0001"], "'--from': the year is not between"),
    (["trace", "--rule", "spam", "--to", "2026-11-20T08:00:00"], "'--to': a time needs its offset"),
    (["trace", "--sender", "a\x1b[31m"], "'--sender': not one line"),
    (["trace", "--message-id", ""], "'--message-id': not one line"),
    (["trace", "--sender", "dan.test", "--limit", "0"], "--limit"),
]


def answer(
    installation: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[int, str]:
    monkeypatch.chdir(installation)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    before = look(installation)
    code = run(arguments)
    said = capsys.readouterr()
    assert look(installation) == before
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert said.err.rstrip("\n").isprintable()
    assert "Traceback" not in said.err
    assert "unexpected" not in said.err
    return code, said.err


@pytest.mark.parametrize(("arguments", "text"), REFUSED)
def test_a_refusal_is_one_line_and_exit_code_1(
    installation: Path,
    arguments: list[str],
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, said = answer(installation, arguments, capsys, monkeypatch)
    assert code == 1
    assert text in said


@pytest.mark.parametrize(("arguments", "text"), WRONG_USAGE)
def test_wrong_usage_is_one_line_and_exit_code_2(
    installation: Path,
    arguments: list[str],
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, said = answer(installation, arguments, capsys, monkeypatch)
    assert code == 2
    assert text in said
    assert "--help" in said or "go together" in said or "--province" in said


def test_the_settings_file_may_be_named_before_or_after_the_command(
    installation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(installation / "mailgov.toml")
    for arguments in (["domain", "list", "--config", file], ["--config", file, "domain", "list"]):
        assert run(arguments) == 0
        assert DOMAIN in capsys.readouterr().out


def test_no_settings_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["domain", "list"]) == 1
    assert "mailgov init" in capsys.readouterr().err


def test_a_ledger_that_was_never_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mailgov.toml").write_text(SETTINGS.format(policy="policy"))
    monkeypatch.chdir(tmp_path)
    assert run(["domain", "list"]) == 1
    assert "was `mailgov init` run?" in capsys.readouterr().err


def test_what_nobody_foresaw_is_one_line_and_a_place_to_look(
    installation: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.chdir(installation)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("mailgov.admin.domains.list_domains", fail)
    assert run(["domain", "list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: unexpected ZeroDivisionError: two lines; ")
    (log,) = tmp_path.glob("mailgov-error-*.log")
    assert str(log) in said
    assert "Traceback" in log.read_text()


def test_a_password_is_read_from_standard_input_whole(
    installation: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(installation)
    monkeypatch.setattr("sys.stdin", io.StringIO(" mật khẩu có dấu cách \r\nnot this\n"))
    assert run(["account", "password", at("annv"), "--password-stdin"]) == 0
    said = capsys.readouterr().out
    assert "mật khẩu" not in said
    assert "it opens nothing until its holder has changed it at " in said
    from mailgov.identity.passwords import PasswordChecker

    stored = next(row for row in look(installation).tables["account"] if row[1] == at("annv"))[4]
    checker = PasswordChecker(b"k", lambda: 0.0)
    assert asyncio.run(checker.verify(stored, at("annv"), " mật khẩu có dấu cách "))
    checker.close()


def test_a_watched_decision_reads_as_what_it_would_have_done(
    installation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decide(folder: Path) -> None:
        seen = DecisionRecord(
            "d" * 32, "data", "accept", "subject-form", "cao-bang", "mục 2", "monitor", "0", None
        )
        message = MessageEvent(
            "accepted", "WATCHED", NOW_MS, "submission", "0", client="192.0.2.7", decisions=(seen,)
        )
        ledger = Database.open(f"sqlite:///{folder}/var/ledger.sqlite")
        await apply_events(ledger, "watched", "test", [(1, message)], NOW_MS)
        await ledger.dispose()

    folder = tmp_path / "copy"
    shutil.copytree(installation, folder)
    asyncio.run(decide(folder))
    monkeypatch.chdir(folder)
    assert run(["trace", "WATCHED"]) == 0
    said = capsys.readouterr().out
    assert "would have rejected (monitor) at data by subject-form" in said
    assert "192.0.2.7" in said
    assert run(["trace", "--rule", "subject-form", "--decision", "would-reject"]) == 0
    assert "subject-form (would reject)" in capsys.readouterr().out
    assert run(["trace", "--rule", "subject-form", "--decision", "reject", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
