"""`mailgov init` beside another installation, and what other commands say before any."""

from __future__ import annotations

import re
import shutil
import sqlite3
import stat
import tomllib
from pathlib import Path

import pytest

from mailgov.cli.app import run

DOMAIN = "caobang.gov.vn"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of its own, made once."""
    folder = tmp_path_factory.mktemp("first")
    assert run(["init", "--domain", DOMAIN, "--config", str(folder / "mailgov.toml")]) == 0
    return folder


@pytest.fixture
def first(template: Path, tmp_path: Path) -> Path:
    """A copy of the installation that the test may spoil."""
    folder = tmp_path / "first"
    shutil.copytree(template, folder)
    (folder / "var/owner").write_text(f"{folder / 'mailgov.toml'}\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but SQLite's passing ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def refusal(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert run(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


def test_the_data_folder_names_its_settings_file(template: Path) -> None:
    owner = template / "var/owner"
    assert owner.read_text() == f"{template / 'mailgov.toml'}\n"
    assert stat.S_IMODE(owner.stat().st_mode) == 0o600


@pytest.mark.parametrize("ledger", ["there", "away"])
@pytest.mark.parametrize("domain", [DOMAIN, "other.gov.vn"])
def test_a_folder_of_another_installation_stays_untouched(
    first: Path, capsys: Capture, domain: str, ledger: str
) -> None:
    if ledger == "away":
        (first / "var/ledger.sqlite").unlink()
    before = contents(first)
    other = ["--config", str(first / "other.toml"), "--province", "X"]
    said = refusal(capsys, "init", "--domain", domain, *other)
    assert str(first / "mailgov.toml") in said
    assert contents(first) == before


def test_a_ledger_that_holds_a_domain_is_not_taken_into_another_folder(
    first: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILGOV_DATABASE__URL", f"sqlite:///{first}/var/ledger.sqlite")
    before = contents(first)
    file = tmp_path / "second" / "mailgov.toml"
    file.parent.mkdir()
    said = refusal(capsys, "init", "--domain", DOMAIN, "--config", str(file))
    assert DOMAIN in said
    assert "already" in said
    assert contents(first) == before
    assert not list(file.parent.rglob("*.pem"))
    assert not (file.parent / "var/owner").exists()


def test_an_interrupted_init_goes_on_with_the_same_settings_file(first: Path, capsys: Capture) -> None:
    """Interrupted at its last step: all is done but the settings file."""
    (first / "mailgov.toml").unlink()
    assert run(["init", "--domain", DOMAIN, "--config", str(first / "mailgov.toml")]) == 0
    assert (first / "mailgov.toml").exists()


@pytest.mark.parametrize("arguments", [["domain", "list"], ["policy", "load"], ["audit", "verify"]])
def test_no_command_but_init_makes_a_ledger(first: Path, capsys: Capture, arguments: list[str]) -> None:
    for file in (first / "var").glob("ledger.sqlite*"):
        file.unlink()
    said = refusal(capsys, *arguments, "--config", str(first / "mailgov.toml"))
    assert said.startswith("error: the ledger is away: ")
    assert str(first / "var/ledger.sqlite") in said
    assert said.endswith("; was `mailgov init` run?\n")
    assert not list((first / "var").glob("ledger.sqlite*"))


def test_an_empty_ledger_asks_for_init_and_a_locked_one_does_not(first: Path, capsys: Capture) -> None:
    config = ["--config", str(first / "mailgov.toml")]
    text = (first / "mailgov.toml").read_text().replace("[database]\n", "[database]\ntimeout_s = 0.05\n")
    (first / "mailgov.toml").write_text(text)
    assert tomllib.loads(text)["database"]["timeout_s"] == 0.05
    holder = sqlite3.connect(first / "var/ledger.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    said = refusal(capsys, "agency", "add", "snv", "--name", "Sở Nội vụ", *config)
    holder.close()
    assert "locked" in said
    assert "init" not in said
    for file in (first / "var").glob("ledger.sqlite*"):
        file.unlink()
    (first / "var/ledger.sqlite").touch()
    assert "was `mailgov init` run?" in refusal(capsys, "domain", "list", *config)


def test_an_audit_log_whose_contents_are_gone_says_so(first: Path, capsys: Capture) -> None:
    with sqlite3.connect(first / "var/ledger.sqlite") as ledger:
        rows = ledger.execute("UPDATE audit SET content = NULL, salt = NULL").rowcount
    ledger.close()
    capsys.readouterr()
    assert run(["audit", "verify", "--config", str(first / "mailgov.toml")]) == 0
    told = capsys.readouterr().out
    assert f"the content of {rows} rows was erased and can no longer be checked\n" in told
    assert told.splitlines()[-1].startswith("ok: ")


def test_an_audit_log_that_does_not_hold_says_where(first: Path, capsys: Capture) -> None:
    config = ["--config", str(first / "mailgov.toml")]
    with sqlite3.connect(first / "var/ledger.sqlite") as ledger:
        ledger.execute("UPDATE audit SET actor = 'x', act = 'domain.\x1b[2Jadd' WHERE sequence = 1")
        ledger.execute("DELETE FROM audit WHERE sequence > 2")
    ledger.close()
    capsys.readouterr()
    assert run(["audit", "verify", *config]) == 1
    said = capsys.readouterr()
    changed, cut = said.out.splitlines()
    assert re.fullmatch(
        r"admin 1 \(domain\.\?\[2Jadd, \d\d/\d\d/\d{4} \d\d:\d\d:\d\d\): the row was changed", changed
    )
    assert "only 2 of at least" in cut
    assert said.err == "error: the audit log does not hold: 2 problems\n"


def test_one_row_is_not_rows(first: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run(["audit", "verify", "--config", str(first / "mailgov.toml")]) == 0
    assert capsys.readouterr().out.endswith(" rows in 1 chain\n")


def test_another_province_is_named_and_told_whose_rules_these_are(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "mailgov.toml"
    named = ["--province", "  Hoà   Bình ", "--config", str(file)]
    assert run(["init", "--domain", "hoabinh.gov.vn", *named]) == 0
    assert tomllib.loads(file.read_text())["province"]["name"] == "Hoà Bình"
    said = capsys.readouterr().out
    assert "cite Cao Bằng's directive" in said
    assert "rules.toml" in said
    assert str(file) in said


def test_without_a_name_only_cao_bang_is_known(template: Path) -> None:
    assert tomllib.loads((template / "mailgov.toml").read_text())["province"]["name"] == "Cao Bằng"
