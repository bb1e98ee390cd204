"""Commands in processes of their own, from an empty folder to a small province; the first from nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked import forker

DOMAIN = "caobang.gov.vn"
PROGRAM = [sys.executable, "-c", "from mailgov.cli import main; main()"]


def mailgov(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return forker().run(arguments, cwd=folder, env=os.environ, stdin=stdin, timeout_s=50)


def done(folder: Path, *arguments: str, stdin: str = "") -> str:
    result = mailgov(folder, *arguments, stdin=stdin)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def data(folder: Path, *arguments: str, stdin: str = "") -> Any:
    return json.loads(done(folder, *arguments, "--json", stdin=stdin))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new installation."""
    folder = tmp_path_factory.mktemp("installation")
    words = [*PROGRAM, "init", "--domain", DOMAIN, "--json"]
    made = json.loads(subprocess.run(words, cwd=folder, capture_output=True, timeout=50, check=True).stdout)
    assert made["operator"] == f"operator@{DOMAIN}"
    assert {record["type"] for record in made["records"]} == {"MX", "TXT"}
    return folder


def test_what_init_leaves_is_its_owners_alone(folder: Path) -> None:
    def mode(name: str) -> int:
        return stat.S_IMODE((folder / name).stat().st_mode)

    assert mode("mailgov.toml") == 0o640
    assert mode("var") == 0o700
    keys = [path for path in (folder / "var" / "keys").rglob("*") if path.is_file()]
    assert len(keys) == 2
    for path in (*keys, folder / "var/tls/key.pem", folder / "var/ledger.sqlite"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert not list(folder.glob(".*"))


def test_init_never_overwrites(folder: Path) -> None:
    before = (folder / "mailgov.toml").read_bytes()
    result = mailgov(folder, "init", "--domain", "other.gov.vn")
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "never overwritten" in result.stderr
    assert (folder / "mailgov.toml").read_bytes() == before


def test_a_small_province_by_hand(folder: Path) -> None:
    done(folder, "agency", "add", "snv", "--name", "Sở Nội vụ", "--abbreviation", "SNV")
    made = data(
        folder, "account", "add", f"annv@{DOMAIN}", "--name", "Nguyễn Văn An", "--agency", "snv",
        "--class", "cong_chuc",
    )  # fmt: skip
    assert len(made["first_password"]) == 24
    assert "hash" not in made
    added = done(
        folder, "account", "add", f"vanthu@{DOMAIN}", "--name", "Văn thư", "--kind", "shared",
        "--agency", "snv", "--password-stdin", stdin="một mật khẩu dài\n",
    )  # fmt: skip
    assert "mật khẩu dài" not in added
    done(folder, "alias", "add", f"snv@{DOMAIN}", "--to", f"vanthu@{DOMAIN}")
    done(folder, "account", "grant", f"annv@{DOMAIN}", f"snv@{DOMAIN}")
    done(folder, "account", "register", f"annv@{DOMAIN}", "an@example.org")
    token = data(folder, "token", "create", "báo cáo", "--role", "clerk", "--agency", "snv", "--days", "30")
    assert token["token"].startswith("mg_")

    accounts = {one["address"]: one for one in data(folder, "account", "list")}
    assert set(accounts) == {f"{name}@{DOMAIN}" for name in ("annv", "operator", "vanthu")}
    assert accounts[f"annv@{DOMAIN}"]["agency"] == "snv"
    assert accounts[f"annv@{DOMAIN}"]["grants"] == [f"snv@{DOMAIN}"]
    assert accounts[f"annv@{DOMAIN}"]["registered"] == ["an@example.org"]
    listed = data(folder, "token", "list")
    assert [one["name"] for one in listed] == ["báo cáo"]
    assert token["token"] not in json.dumps(listed)


def test_tables_align_by_characters_that_show(folder: Path) -> None:
    lines = done(folder, "alias", "list").splitlines()
    at = lines[0].index("kind")
    assert all(line[at:].startswith(("kind", "alias")) for line in lines)


def test_records_to_publish(folder: Path) -> None:
    lines = [line for line in done(folder, "dns", "print").splitlines() if not line.startswith(";")]
    assert lines[0] == f"{DOMAIN}. 3600 IN MX 10 mail.{DOMAIN}."
    assert sum("_domainkey" in line and "v=DKIM1; k=rsa" in line for line in lines) == 1


@pytest.mark.parametrize("act", ["add", "extend"])
def test_an_alias_to_a_free_service_abroad_is_made_with_a_warning(folder: Path, act: str) -> None:
    to = ["--to", f"{act}@Gmail.com", "--to", f"{act}@example.org"]
    made = mailgov(folder, "alias", act, f"ngoai@{DOMAIN}", *to, "--json")
    assert made.returncode == 0
    assert f"{act}@gmail.com" in json.loads(made.stdout)["targets"]
    assert made.stderr == f"warning: the policy will reject mail to {act}@gmail.com: rule own-free-mail\n"


def test_a_loaded_policy_waits_for_workers_where_none_runs(folder: Path) -> None:
    said = done(folder, "policy", "load")
    assert "no worker runs now; they read it when they start" in said
    assert data(folder, "policy", "load")["workers"] == 0
    now_ms = time.time_ns() // 1_000_000
    with sqlite3.connect(folder / "var/ledger.sqlite") as ledger:
        ledger.executemany(
            "INSERT INTO worker_status (node, worker, pid, at_ms, started_ms, directory_revision, counters)"
            " VALUES ('n', ?, 1, ?, 0, 1, '{}')",
            [("relay.0", now_ms), ("relay.1", now_ms - 60_000)],
        )
    ledger.close()
    assert "1 worker will take policy " in done(folder, "policy", "load")


def test_classify_takes_json_as_every_command_does(tmp_path: Path) -> None:
    asked = ("classify", "--subject", "x")
    assert done(tmp_path, *asked, "--json") == done(tmp_path, *asked)


def test_a_key_that_waits_is_to_be_published_too(folder: Path) -> None:
    warned = done(folder, "domain", "add", "b.vn", "--postmaster", f"operator@{DOMAIN}").splitlines()
    assert warned[0] == "added b.vn"
    assert warned[1].startswith("warning: b.vn has no DKIM key yet")
    assert warned[1].endswith("mailgov dkim generate b.vn")
    for _ in range(2):
        done(folder, "dkim", "generate", "b.vn", "--algorithm", "ed25519")
    found = [one for one in data(folder, "dns", "print", "b.vn") if "v=DKIM1" in one["value"]]
    assert ["once it is seen" in one["why"] for one in found] == [False, True]


def test_classify_needs_no_installation_and_is_quick(tmp_path: Path) -> None:
    found = json.loads(
        done(tmp_path, "classify", "--subject", "Số: 12/GM-UBND Giấy mời họp giao ban tháng 3")
    )
    assert found["document_class"] == "GM"
    assert set(found) == {
        "subject", "document_class", "symbol", "secrecy", "urgency", "reply", "forward", "meeting",
    }  # fmt: skip
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "classify", "--subject", "x"],
        cwd=tmp_path, capture_output=True, text=True, timeout=50, check=True,
    ).stderr  # fmt: skip
    for heavy in ("sqlalchemy", "fastapi", "sqlmodel", "alembic", "cryptography", "argon2"):
        assert f" {heavy}\n" not in loaded, heavy


def test_an_init_that_was_killed_is_run_again(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [*PROGRAM, "init", "--domain", DOMAIN],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 40
    while not (tmp_path / "var" / "keys" / "dkim").exists() and time.monotonic() < until:
        time.sleep(0.005)  # looks for the condition, does not stand for it
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    assert not (tmp_path / "mailgov.toml").exists(), "killed before its last step"
    made = data(tmp_path, "init", "--domain", DOMAIN)
    assert made["password"]
    keys = data(tmp_path, "dkim", "list")
    assert [(key["algorithm"], key["state"]) for key in keys] == [("rsa", "active"), ("ed25519", "pending")]
    files = sorted(path.name for path in (tmp_path / "var/keys/dkim" / DOMAIN).glob("*.pem"))
    assert files == sorted(Path(key["key_file"]).name for key in keys)
    assert data(tmp_path, "audit", "verify")["problems"] == []


def test_a_reader_that_has_seen_enough(folder: Path) -> None:
    command = " ".join(
        ["exec", sys.executable, "-c", "'from mailgov.cli import main; main()'", "alias", "list"]
    )
    result = subprocess.run(
        ["sh", "-c", f"({command}) | true"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert result.stderr == ""
