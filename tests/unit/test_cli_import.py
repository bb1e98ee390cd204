"""`mailgov import`, `export`, `group` and `account seat`: the real command on a new installation."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mailgov.cli.app import run
from mailgov.store.engine import LedgerUnavailable
from tests.unit.test_cli import DOMAIN, PROGRAM, done

Here = Callable[..., tuple[int, str, str]]

PEOPLE = f"""\
code,name,level,parent,address,kind,agency,class,from
xa1,Xã Một,commune,,,,,,
,Phạm Thị Hoa,,,hoapt@{DOMAIN},,xa1,cong_chuc,01/01/2026
,Văn thư Xã Một,,,xa1@{DOMAIN},shared,xa1,,
"""


def at(local_part: str) -> str:
    return f"{local_part}@{DOMAIN}"


@pytest.fixture
def folder(tmp_path: Path, installed: Path) -> Path:
    """The new installation, the test's own copy."""
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(installed), str(folder)], check=True)
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    return folder


@pytest.fixture
def here(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """The command in this process, run in the folder: exit code, output, errors."""
    monkeypatch.chdir(folder)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    done(folder, "init", "--domain", DOMAIN)
    return folder


def count(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "var/ledger.sqlite")) as ledger:
        return int(ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours


def test_a_file_is_looked_at_brought_in_and_given_back(folder: Path, here: Here) -> None:
    preview = here("import", "people.csv", "--dry-run")[1]
    assert preview.splitlines()[0] == "would add 1 agency and 2 accounts; there already: 0; rows: 3"
    assert "agency xa1: Xã Một" in preview
    assert count(folder, "account") == 1

    said = done(folder, "import", "people.csv", "--passwords", "first.csv")
    assert said.splitlines() == [
        "added 1 agency and 2 accounts; there already: 0; rows: 3",
        "first passwords: first.csv",
    ]
    kept = folder / "first.csv"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(kept.read_text(encoding="utf-8-sig")), delimiter=";"))
    assert {row["address"]: len(row["first_password"]) for row in rows} == {at("hoapt"): 24, at("xa1"): 24}
    shown = json.loads(here("account", "show", at("hoapt"), "--json")[1])
    assert (shown["agency"], shown["must_change_password"]) == ("xa1", True)

    assert here("export", "out.csv")[1] == "wrote out.csv: 1 row of agencies, 3 accounts\n"
    assert (folder / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfcode;address;name;")
    assert stat.S_IMODE((folder / "out.csv").stat().st_mode) == 0o600
    shown_text = subprocess.run(
        [*PROGRAM, "export", "-"], cwd=folder, capture_output=True, timeout=50, check=True
    )
    assert shown_text.stdout == (folder / "out.csv").read_bytes()
    again = json.loads(here("import", "out.csv", "--json")[1])
    assert again == {"rows": 4, "agencies": 0, "accounts": 0, "placed": 0, "unchanged": 4, "passwords": []}


def test_what_a_province_gave_out_comes_into_a_new_installation_in_one_go(
    folder: Path, here: Here, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its operator has a post there, and none in the new one."""
    here("import", "people.csv", "--no-passwords")
    assert here("account", "move", at("operator"), "--agency", "xa1", "--on", "2026-01-01")[0] == 0
    assert here("export", "out.csv")[0] == 0
    new = folder.parent / "new"
    subprocess.run(["cp", "-a", str(installed), str(new)], check=True)
    monkeypatch.chdir(new)
    preview = here("import", "../copy/out.csv", "--dry-run")[1].splitlines()
    assert preview[0] == "would add 1 agency and 2 accounts; given a post: 1; there already: 0; rows: 4"
    assert f"  {at('operator')} is there, and would serve in xa1" in preview
    code, said, err = here("import", "../copy/out.csv", "--no-passwords")
    assert (code, err, said) == (0, "", preview[0].replace("would add", "added") + "\n")
    assert json.loads(here("account", "show", at("operator"), "--json")[1])["agency"] == "xa1"
    assert here("export", "again.csv")[0] == 0
    assert (new / "again.csv").read_bytes() == (folder / "out.csv").read_bytes()
    assert here("import", "again.csv")[1].endswith("there already: 4; rows: 4\n")


def test_passwords_without_a_file_are_printed_this_once(folder: Path) -> None:
    said = done(folder, "import", "-", stdin=PEOPLE).splitlines()
    assert said[1] == "first passwords (shown this once):"
    assert [line.split()[0] for line in said[3:]] == [at("hoapt"), at("xa1")]


def test_bad_rows_are_listed_and_nothing_is_changed(folder: Path, here: Here) -> None:
    bad = PEOPLE + f",,,,x@{DOMAIN},,,,\n,Y,,,y@elsewhere.vn,,,,\n"
    (folder / "people.csv").write_text(bad, encoding="utf-8")
    for arguments in (["--dry-run"], [], ["--passwords", "first.csv"]):
        code, out, err = here("import", "people.csv", *arguments)
        assert code == 1
        assert err.startswith(
            "error: 2 of 5 rows cannot be imported, so nothing was changed; the first: line 5"
        )
        assert err.count("\n") == 1
        listed = [line.split(maxsplit=2) for line in out.splitlines()[-2:]]
        assert listed == [
            ["5", f"x@{DOMAIN}", "the name is missing"],
            ["6", "y@elsewhere.vn", "no such domain: elsewhere.vn"],
        ]
    as_json = json.loads(here("import", "people.csv", "--json")[1])
    assert [(one["line"], one["what"]) for one in as_json["bad"]] == [(5, at("x")), (6, "y@elsewhere.vn")]
    assert (count(folder, "account"), (folder / "first.csv").exists()) == (1, False)


def test_passwords_that_cannot_be_written_undo_the_import(folder: Path, here: Here) -> None:
    code, _, err = here("import", "people.csv", "--passwords", "/proc/first.csv")
    assert (code, "/proc" in err, err.count("\n")) == (1, True, 1)
    assert count(folder, "account") == 1


def test_passwords_of_an_import_that_failed_are_not_left(
    folder: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the ledger cannot be used: disk full")

    monkeypatch.setattr("mailgov.admin.context.audit.record", fail)
    code, _, err = here("import", "people.csv", "--passwords", "first.csv")
    assert (code, "disk full" in err) == (1, True)
    assert (count(folder, "account"), (folder / "first.csv").exists()) == (1, False)


def test_a_terminal_sees_how_far_it_is(folder: Path) -> None:
    with (folder / "people.csv").open("a", encoding="utf-8") as file:
        file.writelines(f",Nguyễn Văn {n},,,nv{n}@{DOMAIN},,xa1,khac,\n" for n in range(600))
    master, terminal = pty.openpty()
    result = subprocess.run(
        [*PROGRAM, "import", "people.csv"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=50,
        check=False,
    )
    os.close(terminal)
    watched = os.read(master, 65536).decode()
    os.close(master)
    assert result.returncode == 0
    assert "reading rows: 603 of 603" in watched
    assert "writing accounts: 602 of 602" in watched
    assert watched.endswith("\r\x1b[K")


def test_groups_and_seats_by_hand(folder: Path, here: Here) -> None:
    def said(*arguments: str) -> str:
        code, out, err = here(*arguments)
        assert (code, err) == (0, "")
        return out

    said("import", "people.csv", "--no-passwords")
    said("group", "add", at("all"), "--member", at("hoapt"), "--member", at("xa1"))
    joined = json.loads(said("group", "join", at("all"), "--member", at("operator"), "--json"))
    assert joined["members"] == [at("hoapt"), at("operator"), at("xa1")]
    assert at("operator") not in said("group", "leave", at("all"), "--member", at("operator"))
    assert [one["address"] for one in json.loads(said("group", "list", "--json"))] == [at("all")]
    assert said("group", "list").splitlines()[1].split() == [at("all"), "2", at("hoapt") + ",", at("xa1")]
    assert at("xa1") in said("group", "show", at("all"))
    assert "clerk of xa1" in said("account", "seat", "add", at("hoapt"), "clerk", "--agency", "xa1")
    assert "clerk of xa1" in said("account", "show", at("hoapt"))
    left = json.loads(said("account", "seat", "remove", at("hoapt"), "clerk", "--agency", "xa1", "--json"))
    assert left["seats"] == []
    assert said("account", "edit", at("hoapt"), "--name", "Phạm Thị Hòa") == f"{at('hoapt')}: Phạm Thị Hòa\n"
    assert said("group", "remove", at("all")) == f"removed {at('all')}\n"
    assert json.loads(said("audit", "verify", "--json"))["problems"] == []


def test_of_very_many_bad_rows_people_see_the_first_and_programs_all(folder: Path, here: Here) -> None:
    rows = "".join(f"{at(f'a{number}')},A,nonsense\n" for number in range(700))
    (folder / "bad.csv").write_text(f"address,name,kind\n{rows}", encoding="utf-8")
    code, out, err = here("import", "bad.csv")
    assert (code, count(folder, "account")) == (1, 1)
    assert "700 of 700 rows" in err
    assert at("a499") in out
    assert at("a500") not in out
    assert "200 bad rows more" in out
    code, out, _ = here("import", "bad.csv", "--json")
    assert (code, len(json.loads(out)["bad"])) == (1, 700)
