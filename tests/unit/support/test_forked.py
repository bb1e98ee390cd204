from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.forked import forker


def run(folder: Path, *argv: str, stdin: str = "", timeout_s: float = 50) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "MAILGOV_CONFIG": "an.toml"}
    return forker().run(argv, cwd=folder, env=env, stdin=stdin, timeout_s=timeout_s)


def test_a_command_has_its_own_folder_environment_input_and_end(tmp_path: Path) -> None:
    made = run(tmp_path, "init", "--domain", "caobang.gov.vn", "--config", "an.toml", "--json")
    assert (made.returncode, json.loads(made.stdout)["operator"]) == (0, "operator@caobang.gov.vn")
    words = ["account", "add", "annv@caobang.gov.vn", "--name", "Nguyễn Văn An", "--password-stdin", "--json"]
    added = run(tmp_path, *words, stdin="một mật khẩu dài\n")
    assert (added.returncode, json.loads(added.stdout)["address"]) == (0, "annv@caobang.gov.vn")
    again = run(tmp_path, *words, stdin="một mật khẩu dài\n")
    assert (again.returncode, again.stdout, again.stderr[:7]) == (1, "", "error: ")
    assert run(tmp_path, "nothing").returncode == 2


def test_one_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    run(tmp_path, "init", "--domain", "caobang.gov.vn", "--config", "an.toml")
    os.mkfifo(tmp_path / "nobody-writes.csv")
    with pytest.raises(subprocess.TimeoutExpired):
        run(tmp_path, "import", "nobody-writes.csv", timeout_s=0.2)
    assert run(tmp_path, "--help").returncode == 0
