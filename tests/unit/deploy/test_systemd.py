"""The unit file as systemd itself reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.programs import needs, program

UNIT = Path(__file__).parents[3] / "deploy/systemd/mailgov.service"
IMAP = UNIT.with_name("mailgov.service.d") / "imap.conf"
EXPOSURE_LIMIT = 20  # of 100, as `systemd-analyze security` counts; the network alone gives 10


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy whose program and account exist here, which is all that `verify` cannot know."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/mailgov/.venv/bin/mailgov " in text
    copy.write_text(text.replace("/opt/mailgov/.venv/bin/mailgov", "/bin/true"), encoding="utf-8")
    return copy


@pytest.fixture
def with_imap(unit: Path) -> Path:
    """The unit with what changes where mail is read too."""
    folder = unit.with_name(IMAP.parent.name)
    folder.mkdir()
    text = IMAP.read_text(encoding="utf-8").replace("/opt/mailgov/.venv/bin/mailgov", "/bin/true")
    (folder / IMAP.name).write_text(text, encoding="utf-8")
    return unit


def analyze(*argv: str) -> subprocess.CompletedProcess[str]:
    words = [program("systemd-analyze"), *argv]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


@needs("systemd-analyze")
def test_systemd_accepts_every_line(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    about_us = [line for line in done.stderr.splitlines() if unit.name in line]
    assert about_us == []
    assert done.returncode == 0


@needs("systemd-analyze")
def test_systemd_accepts_the_change_for_imap(with_imap: Path) -> None:
    done = analyze("verify", "--man=no", str(with_imap))
    assert [line for line in done.stderr.splitlines() if with_imap.name in line] == []
    assert done.returncode == 0
    broken = with_imap.with_name(IMAP.parent.name) / IMAP.name
    broken.write_text(broken.read_text(encoding="utf-8") + "NoSuchKey=1\n", encoding="utf-8")
    assert "NoSuchKey" in analyze("verify", "--man=no", str(with_imap)).stderr, "the file is looked at"


@needs("systemd-analyze")
def test_it_may_do_little(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_LIMIT}", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout[-2000:]
