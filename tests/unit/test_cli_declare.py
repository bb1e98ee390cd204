"""A clerk's day at the command line: declare, correct, import, look back."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailgov.admin.declared_files import COMMON_COLUMNS, LINE_COLUMNS
from mailgov.cli.app import run
from tests.unit.test_cli import PROGRAM
from tests.unit.test_cli_refusals import installation, look

__all__ = ["installation"]

PEOPLE = ["--can-bo", "4", "--cong-chuc", "60", "--vien-chuc", "6", "--khac", "2"]
PAPERS = [
    "--sent-dm-only", "30", "--sent-paper-only", "10", "--sent-parallel", "5",
    "--received-dm-only", "100", "--received-paper-only", "50", "--received-parallel", "20",
]  # fmt: skip
REGISTER = """\
document_class;symbol;issued_on;title;exempt;queue_id
GM;12/GM-SNV;02/10/2025;Họp giao ban;;
LCT;;2025-10-06;'-tuần 41;;
TB;;2025-10-07;;secret;
"""
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(installation: Path, tmp_path: Path) -> Path:
    """The small province, the test's own copy."""
    shutil.copytree(installation, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def say(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs a command in the province: exit code, output, errors."""
    monkeypatch.chdir(folder)

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


def headcount(*more: str, period: str = "2025-10") -> list[str]:
    return ["declare", "headcount", "--agency", "snv", "--period", period, *PEOPLE, *more]


def test_a_headcount_from_first_word_to_history(say: Say) -> None:
    assert done(say(*headcount("--total", "72", "--long-leave", "1"))) == (
        "1 declared: headcount of snv, 01/10/2025–31/10/2025:"
        " can_bo 4, cong_chuc 60, vien_chuc 6, khac 2, long_leave 1\n"
    )
    code, out, err = say(*headcount())
    assert (code, out) == (1, "")
    assert err == (
        "error: headcount of snv for 31/10/2025 is declared already (declaration 1):"
        " to change it, declare it as a correction, with a reason\n"
    )
    correction = ("--correct", "--reason", "đếm sót một người nghỉ")
    assert "long_leave was declared before" in say(*headcount(*correction))[2]
    corrected = done(say(*headcount("--long-leave", "2", *correction)))
    assert corrected.startswith("2 corrected: headcount of snv")
    assert "long_leave 1 → can_bo 4" in corrected
    history = done(say("declare", "history", "1"))
    assert re.search(r"^1 +1 +.*cli:", history, re.MULTILINE)
    assert re.search(r"^2 +2 +.*đếm sót một người nghỉ$", history, re.MULTILINE)
    (listed,) = data(say, "declare", "list", "--agency", "SNV")
    assert (listed["id"], listed["revision"], listed["from"], listed["to"]) == (
        2,
        2,
        "2025-10-01",
        "2025-11-01",
    )
    persons = {"can_bo": 4, "cong_chuc": 60, "vien_chuc": 6, "khac": 2}
    assert listed["content"] == {**persons, "long_leave": 2}


def test_the_administrative_calendar_has_its_own_days(say: Say) -> None:
    asked = ["declare", "documents", "--agency", "snv", "--period", "2025-10", *PAPERS]
    made = data(say, *asked, "--calendar", "administrative")
    assert (made["from"], made["to"]) == ("2025-09-15", "2025-10-15")
    assert data(say, *asked)["from"] == "2025-10-01"
    assert [one["id"] for one in data(say, "declare", "list", "--period", "2025-10")] == [2]


def test_a_register_out_of_a_file(say: Say, folder: Path) -> None:
    (folder / "so.csv").write_text(REGISTER, encoding="utf-8-sig")
    asked = ["declare", "register", "so.csv", "--agency", "snv", "--period", "2025-10"]
    assert (
        done(say(*asked))
        == "1 declared: register of snv, 01/10/2025–31/10/2025: entries 3\n1 declaration declared\n"
    )
    history = done(say("declare", "history", "1"))
    assert re.search(r"^GM +12/GM-SNV +2025-10-02 +Họp giao ban", history, re.MULTILINE)
    assert re.search(r"^LCT +- +2025-10-06 +-tuần 41", history, re.MULTILINE)
    none = ["declare", "register", "--none", "--agency", "snv", "--period", "2025-09"]
    assert "entries 0" in done(say(*none))


def test_faulty_lines_are_named_one_by_one_and_nothing_is_kept(say: Say, folder: Path) -> None:
    bad = REGISTER.replace("02/10/2025", "hôm qua").replace("TB;;", "TB;15/TB-SNV;")
    (folder / "so.csv").write_text(bad)
    before = look(folder)
    code, out, err = say("declare", "register", "so.csv", "--agency", "snv", "--period", "2025-10")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "so.csv line 2: issued_on is 'hôm qua', not a day: write 2026-03-01 or 01/03/2026",
        "so.csv line 4: a secret document leaves no trace here but its class and day:"
        " leave symbol, title and queue id empty",
        "error: nothing was declared: 2 faults in so.csv, each named above; mend and try again",
    ]
    assert look(folder) == before


MIXED = """\
kind,agency,period,can_bo,cong_chuc,vien_chuc,khac,sent_dm_only,sent_paper_only,sent_parallel,\
received_dm_only,received_paper_only,received_parallel,document_class,symbol,issued_on,entries,reason
headcount,snv,2025-10,4,60,6,2,,,,,,,,,,,
headcount,stc,2025-10,1,2,3,4,,,,,,,,,,,
documents,snv,2025-10,,,,,30,10,5,100,50,20,,,,,
register,snv,2025-10,,,,,,,,,,,GM,12/GM-SNV,2025-10-02,,
register,snv,2025-10,,,,,,,,,,,TLH,,2025-10-02,,
register,stc,2025-10,,,,,,,,,,,,,,0,
"""


def test_many_at_once_are_previewed_declared_and_written_out_again(say: Say, folder: Path) -> None:
    (folder / "khai.csv").write_text(MIXED)
    before = look(folder)
    preview = done(say("declare", "import", "khai.csv", "--dry-run")).splitlines()
    assert len(preview) == 6
    assert preview[0].startswith("would be declared: headcount of snv, 01/10/2025–31/10/2025: can_bo 4")
    assert preview[-1] == "5 declarations would be declared; nothing was kept"
    assert look(folder) == before
    assert done(say("declare", "import", "khai.csv")).splitlines()[-1] == "5 declarations declared"
    assert len(data(say, "declare", "list")) == 5


def test_what_was_written_out_is_read_in_elsewhere(
    say: Say, folder: Path, installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "khai.csv").write_text(
        MIXED.replace("2025-10-02,,\nregister,stc", "2025-10-02,,=1+1\nregister,stc")
    )
    done(say("declare", "import", "khai.csv"))
    share = ("--period", "2025", "--numerator", "48", "--denominator", "56")
    said = done(say("declare", "indicator", "bd.fibre-wan", "--province", *share))
    assert "declared: bd.fibre-wan of the province, 01/01/2025–31/12/2025: numerator 48" in said
    assert say("declare", "indicator", "bd.fibre-wan", *share)[0] == 2, "who declares is never guessed"
    written = done(say("declare", "list", "--format", "csv"))
    assert "'=1+1" in written
    other = shutil.copytree(installation, folder.parent / "other")
    (other / "lại.csv").write_text(written)
    monkeypatch.chdir(other)
    done(say("declare", "import", "lại.csv"))
    assert done(say("declare", "list", "--format", "csv")) == written
    assert data(say, "declare", "list", "--kind", "register", "--agency", "snv")[0]["reason"] == "=1+1"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("headcount;snv;2025-10;4;60;6;;", "line 2: khac missing: declare 0 where there is none"),
        ("headcount;snv;2025-10;4;60;6;1.000;", "line 2: khac is '1.000', no whole number: write digits"),
        ("headcount;snv;2025-10;4;60;6;-1;", "line 2: khac is '-1', no whole number"),
        ("headcount;snv;2025-10;4;60;6;２;", "line 2: khac is '２', no whole number"),
        ("headcount;snv;2025-13;4;60;6;2;", "line 2: '2025-13' is not a period"),
        ("headcount;snv;;4;60;6;2;", "line 2: period is missing"),
        ("headcount;snv;2998;4;60;6;2;", "line 2: 01/01/2998–31/12/2998 is not over"),
        ("headcount;nowhere;2025-10;4;60;6;2;", "line 2: no such agency: nowhere"),
        ("votes;snv;2025-10;4;60;6;2;", "line 2: 'votes' is no kind of declaration"),
        ("documents;snv;2025-10;4;;;;", "line 2: can_bo: no column of a documents declaration"),
        ("headcount;snv;2025-10;4;60;6;2;maybe", "line 2: correct is 'maybe': write x for a correction"),
        ("headcount;snv;2025-10;4;60;6;2;x", "line 2: there is nothing to correct"),
        ("headcount;snv;2025-10;4;60;6;2;;9", "line 2: 9 cells where the header has 8"),
    ],
)  # fmt: skip
def test_a_bad_row_says_what_is_wrong(say: Say, folder: Path, row: str, says: str) -> None:
    (folder / "khai.csv").write_text(f"kind;agency;period;can_bo;cong_chuc;vien_chuc;khac;correct\n{row}\n")
    before = look(folder)
    code, out, err = say("declare", "import", "khai.csv")
    assert (code, out) == (1, "")
    assert err.startswith(f"khai.csv {says}")
    assert err.count("\n") == 2
    assert look(folder) == before


def test_a_file_of_one_kind_and_period_names_them_once(say: Say, folder: Path) -> None:
    (folder / "người.csv").write_text("agency,can_bo,cong_chuc,vien_chuc,khac\nsnv,4,60,6,2\nstc,1,2,3,4\n")
    out = done(say("declare", "import", "người.csv", "--kind", "headcount", "--period", "2025-Q3"))
    assert out.count("01/07/2025–30/09/2025") == 2


def test_an_import_comes_through_a_pipe(installation: Path, folder: Path) -> None:
    result = subprocess.run(
        [*PROGRAM, "declare", "import", "-", "--json"],
        cwd=folder,
        input=MIXED.encode("utf-8-sig"),
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    answer = json.loads(result.stdout)
    assert [one["kind"] for one in answer["declarations"]].count("register") == 2
    assert (answer["dry_run"], answer["declarations"][0]["before"]) == (False, None)


REFUSED = [
    (headcount(period="2998"), "is not over: it is declared from its last day on"),
    (headcount(period="2998-12-31..2999-01-01"), "is not over"),
    (headcount("--total", "70"), "add up to 72, not to the total 70"),
    (headcount("--correct"), "nothing to correct"),
    (headcount("--calendar", "lunar"), "no calendar"),
    ([*headcount(), "--agency", "nowhere"], "no such agency: nowhere"),
    (["declare", "import", "nosuch.csv"], "nosuch.csv: No such file or directory"),
    (["declare", "import", "mailgov.toml"], "line 1: column 1 is 'data_dir"),
    (["declare", "register", "mailgov.toml", "--agency", "snv", "--period", "2025-10"], "line 1: column 1"),
    (["declare", "history", "99"], "no such declaration: 99"),
    (["declare", "list", "--agency", "nowhere"], "no such agency"),
    (["exemption", "end", "99"], "no such exemption: 99"),
    (["exemption", "add", "pt.nothing", "--everyone", "--reason", "x"], "no such obligation: pt.nothing"),
]  # fmt: skip
WRONG_USAGE = [
    (["declare"], "Missing command"),
    (["declare", "headcount", "--agency", "snv", "--period", "2025-10"], "--can-bo"),
    ([*headcount(), "--khac", "-1"], "--khac"),
    ([*headcount(), "--khac", "x"], "--khac"),
    (["declare", "register", "--agency", "snv", "--period", "2025-10"], "--none"),
    (["declare", "list", "--format", "xls"], "--format"),
    (["exemption", "add", "pt.x", "--reason", "x"], "--everyone"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [(*one, 1) for one in REFUSED] + [(*one, 2) for one in WRONG_USAGE],
)
def test_a_refusal_is_one_line_and_changes_nothing(
    installation: Path,
    arguments: list[str],
    text: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(installation)
    before = look(installation)
    assert run(arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert text in said.err
    assert said.err.count("\n") == 1
    assert look(installation) == before


AGENCIES = [("ubnd", "UBND tỉnh"), ("skhcn", "Sở KH&CN"), ("congan", "Công an tỉnh")]
FILES = {
    "so-phat-hanh.csv": "document_class;symbol;issued_on\nGM;12/GM-UBND;02/10/2024\n",
    "khai.csv": "kind,agency,period,can_bo,cong_chuc,vien_chuc,khac\nheadcount,stc,2024-Q3,1,2,3,4\n",
}


def test_the_commands_of_the_guide_do_what_they_say(say: Say, folder: Path) -> None:
    """docs/declarations.md from its first command to its last, two years earlier: whenever it is read."""
    guide = (Path(__file__).parents[2] / "docs/declarations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").replace("2026", "2024").splitlines()
    for code, name in AGENCIES:
        done(say("agency", "add", code, "--name", name))
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for line in lines:
        command, _, file = line.partition(" #")[0].partition(">")
        program, *arguments = shlex.split(command)
        assert program == "mailgov"
        out = done(say(*arguments))
        assert out, line
        if file:
            assert "headcount;snv;" in out
    assert len(lines) == 15
    ended = data(say, "exemption", "list")[0]
    assert (ended["agency"], ended["valid_until"]) == ("congan", "2024-07-01")
    columns = re.findall(r"^\| `?([a-z_`, ]+?)`? \|", guide, re.MULTILINE)
    named = {name.strip(" `") for cell in columns for name in cell.split(",")}
    assert {*LINE_COLUMNS, *COMMON_COLUMNS, "correct", "reason"} <= named
