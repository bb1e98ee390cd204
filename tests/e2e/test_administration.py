"""The commands of docs/administration.md do what it says, on a new installation."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgov.admin.directory_rows import COLUMNS
from mailgov.cli.app import run
from mailgov.identity.roles import Role
from tests.support.mailgov_service import MAILGOV, Service
from tests.support.programs import needs

GUIDE = (Path(__file__).parents[2] / "docs" / "administration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "province") as running:
        yield running


def shell(service: Service, script: str) -> str:
    """The script's output; it has to succeed, line by line."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        capture_output=True,
        cwd=service.folder,
        env={**os.environ, **service.env, "PATH": f"{MAILGOV.parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs("curl")
def test_an_administrators_day(
    service: Service, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that stand alone run in this process, fifty of them; what needs a shell runs in one."""
    monkeypatch.chdir(service.folder)
    monkeypatch.setenv("MAILGOV_CONFIG", str(service.config))
    said = ""
    for block in BLOCKS[:-1]:
        for line in block.replace("\\\n", " ").strip().splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["mailgov"]:
                code = run(words[1:])
                out, err = capfd.readouterr()
                assert (code, err) == (0, ""), line
                said += out
            elif words:
                shell(service, line)
    assert "would add 1 agency and 2 accounts" in said
    assert "added 0 agencies and 0 accounts" in said
    assert stat.S_IMODE((service.folder / "first-passwords.csv").stat().st_mode) == 0o600

    assert ":8025" in BLOCKS[-1]
    answered = shell(service, BLOCKS[-1].replace(":8025", f":{service.http_port}"))
    assert '"first_password":"' in answered
    assert '"state":"disabled"' in answered
    accounts = {one["address"]: one for one in service.cli("account", "list").expect().data}
    assert accounts["tulv@caobang.gov.vn"]["agency"] == "xaba"
    assert accounts["namtv@caobang.gov.vn"]["suspended_ms"] is not None
    assert accounts["hoapt@caobang.gov.vn"]["seats"] == []


def test_the_guide_names_every_column_and_role() -> None:
    for name in COLUMNS:
        assert f"`{name}`" in GUIDE
    for role in Role:
        assert f"| `{role}` |" in GUIDE
