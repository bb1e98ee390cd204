"""The commands of docs/administration.md do what it says, on a new installation."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    assert accounts["namtv@caobang.gov.vn"]["state"] == "disabled"
    assert accounts["hoapt@caobang.gov.vn"]["seats"] == []
    _check_same_bodies(service, capfd)


def _check_same_bodies(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    """The command line's JSON is what HTTP answers."""
    token = service.token("operator")

    def asked(path: str) -> Any:
        answer = service.get(f"/api/v1/{path}", token)
        assert answer.status == 200
        return answer.data

    def told(*words: str) -> Any:
        assert run([*words, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    told("group", "add", "nhom@caobang.gov.vn", "--member", "hoapt@caobang.gov.vn")
    for path, words in {
        "agencies?all=true": ("agency", "list", "--all"),
        "accounts": ("account", "list"),
        "aliases": ("alias", "list"),
        "groups": ("group", "list"),
        "domains": ("domain", "list"),
    }.items():
        assert told(*words) == asked(f"{path}{'&' if '?' in path else '?'}limit=500")["items"], path
    for path, words in {
        "agencies/xahai": ("agency", "show", "xahai"),
        "accounts/hoapt@caobang.gov.vn": ("account", "show", "hoapt@caobang.gov.vn"),
        "aliases/ld-snv@caobang.gov.vn": ("alias", "show", "ld-snv@caobang.gov.vn"),
        "groups/nhom@caobang.gov.vn": ("group", "show", "nhom@caobang.gov.vn"),
        "domains/huyenmot.gov.vn": ("domain", "show", "huyenmot.gov.vn"),
    }.items():
        assert told(*words) == asked(path), path
    keys = told("dkim", "list")
    assert all(key.pop("key_file") for key in keys)
    assert sorted(map(str, keys)) == sorted(map(str, asked("dkim-keys")["items"]))
    still = {"last_used_at": None}
    assert [one | still for one in told("token", "list")] == [one | still for one in asked("tokens")["items"]]


def test_the_guide_names_every_column_and_role() -> None:
    for name in COLUMNS:
        assert f"`{name}`" in GUIDE
    for role in Role:
        assert f"| `{role}` |" in GUIDE
