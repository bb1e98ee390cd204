"""`mailgov usage` and `mailgov targets` as processes: for people, programs and spreadsheets."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import pytest

from tests.unit.test_cli import DOMAIN, PROGRAM, data, done

ONE = 'directives = ["cao-bang"]'
ALL = """directives = ["cao-bang", "bac-giang", "phu-tho", "bac-ninh", "binh-dinh"]
carry_forward = ["binh-dinh"]"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new installation that adopts all documents."""
    folder = tmp_path_factory.mktemp("figures")
    done(folder, "init", "--domain", DOMAIN)
    done(folder, "agency", "add", "snv", "--name", "Sở Nội vụ")
    settings = folder / "mailgov.toml"
    text = settings.read_text(encoding="utf-8")
    assert ONE in text
    settings.write_text(text.replace(ONE, ALL), encoding="utf-8")
    return folder


def test_a_spreadsheet_is_utf8_whatever_the_terminal(folder: Path) -> None:
    raw = subprocess.run(
        [*PROGRAM, "usage", "--period", "2026-10", "--format", "csv"],
        cwd=folder,
        capture_output=True,
        timeout=50,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ).stdout
    assert raw.startswith(b"\xef\xbb\xbfindicator;")
    assert raw.endswith(b"\r\n")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=";"))
    targets = {one["indicator"]: one["target_percent"] for one in rows if not one["agency"]}
    assert (targets["pt.officials-using-mail"], targets["bd.officials-using-mail"]) == ("80", "100")


def test_what_one_document_asks_for_beside_the_figures(folder: Path) -> None:
    text = done(folder, "usage", "--calendar", "administrative", "--directive", "bac-ninh")
    assert "Mức đặt ra" in text
    assert "bn.accounts [snv]" in text
    assert "pt.officials-using-mail" not in text


def test_a_slip_in_the_documents_adopted_is_told(folder: Path) -> None:
    settings = {"MAILGOV_PROVINCE__DIRECTIVES": '["cao-bangg"]', "PATH": "/usr/bin:/bin"}
    for command in ("usage", "targets"):
        found = subprocess.run(
            [*PROGRAM, command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=50,
            check=True,
            env=settings,
        )
        assert "warning: province.directives names cao-bangg" in found.stderr


def test_targets_for_people_and_programs(folder: Path) -> None:
    lines = done(folder, "targets", "--period", "2013", "--directive", "binh-dinh").splitlines()
    (line,) = [line for line in lines if line.startswith("bd.officials-using-mail ")]
    assert "90 % by 31/12/2013" in line
    rows = {one["indicator"]: one for one in data(folder, "targets")["targets"]}
    carried = rows["bd.officials-using-mail"]
    assert (carried["kind"], carried["carried_forward"], carried["target_percent"]) == ("target", True, 100.0)
