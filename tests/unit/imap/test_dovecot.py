"""Around Dovecot's process: the sockets that it is handed, and the folder of its own ones."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailgov.imap.configuration import Account, Gate, Served
from mailgov.imap.dovecot import RUNTIME_OCTETS, DoveadmError, Dovecot, runtime_folder
from mailgov.imap.programs import Programs
from mailgov.settings import ImapSettings, Listen, TlsSettings

TELL = """
import json, os, socket
names = [socket.socket(fileno=3 + n).getsockname()[1] for n in range(int(os.environ["LISTEN_FDS"]))]
print(json.dumps([os.environ["LISTEN_PID"] == str(os.getpid()), names]))
"""


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("backwards", [False, True])
def test_sockets_arrive_in_order_whatever_their_numbers(count: int, backwards: bool) -> None:
    with ExitStack() as stack:
        listening = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        if backwards:
            listening.reverse()
        fds = [one.fileno() for one in listening]
        argv = [sys.executable, "-m", "mailgov.imap.handover", ",".join(map(str, fds))]
        argv += [sys.executable, "-c", TELL]
        done = subprocess.run(argv, check=True, capture_output=True, pass_fds=fds, timeout=30)
        ours, ports = json.loads(done.stdout)
        assert ours, "systemd's protocol names the process"
        assert ports == [one.getsockname()[1] for one in listening]


def test_its_sockets_lie_in_the_data_folder_where_their_names_fit(tmp_path: Path) -> None:
    short, long = Path("/tmp") / f"m{os.getpid()}", tmp_path / ("x" * RUNTIME_OCTETS)
    for folder in (short, long):
        folder.mkdir()
        runtime = runtime_folder(folder)
        try:
            assert len(os.fsencode(runtime)) <= RUNTIME_OCTETS
            assert (folder in runtime.parents) is (folder is short)
            assert stat.S_IMODE(runtime.parent.stat().st_mode) == 0o700
        finally:
            runtime.rmdir()
            runtime.parent.rmdir()
    short.rmdir()


def test_what_a_killed_run_left_is_cleared_and_a_living_one_is_not(tmp_path: Path) -> None:
    for name, pid in (("run-dead", _ended()), ("run-alive", os.getpid())):
        runtime = tmp_path / name / "r"
        runtime.mkdir(parents=True)
        (runtime / "master.pid").write_text(f"{pid}\n", encoding="ascii")
    (tmp_path / "run-without").mkdir()
    made = runtime_folder(tmp_path)
    assert {path.name for path in tmp_path.glob("run-*")} - {made.parent.name} == {"run-alive"}


def test_a_folder_elsewhere_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * RUNTIME_OCTETS)
    folder.mkdir()
    left, other = runtime_folder(folder), runtime_folder(tmp_path / ("y" * RUNTIME_OCTETS))
    made = runtime_folder(folder)
    try:
        assert not left.exists(), "nobody ran in it"
        assert other.exists(), "another installation's"
    finally:
        for runtime in (made, other):
            runtime.rmdir()
            runtime.parent.rmdir()


def doveadm(folder: Path, who: str) -> tuple[Dovecot, Path]:
    """A Dovecot whose doveadm is this script: `who` is its answer to that, kicks are noted in a file."""
    script, kicked = folder / "doveadm", folder / "kicked"
    script.write_text(
        f'#!/bin/sh\ncase "$3" in -f) {who};; kick) echo "$4" >> "{kicked}"; exit 68;; esac\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    account, gate = Account("daemon", "daemon", 1, 1), Gate(Listen("127.0.0.1", 1), "secret")
    place = Listen("127.0.0.1", 2)
    served = Served(ImapSettings(), TlsSettings(), account, gate, folder, folder, place, None)
    return Dovecot(Programs("dovecot", str(script), (), account), served, ()), kicked


async def test_only_who_is_in_is_put_out(tmp_path: Path) -> None:
    dovecot, kicked = doveadm(tmp_path, r"printf 'username\tproto\nb@x\timap\nc@x\timap\na@x\timap\n'")
    await dovecot.put_out({"a@x", "c@x", "d@x"})
    assert kicked.read_text(encoding="utf-8").split() == ["a@x", "c@x"]


async def test_not_knowing_who_is_in_is_no_answer(tmp_path: Path) -> None:
    dovecot, kicked = doveadm(tmp_path, "exit 75")
    with pytest.raises(DoveadmError, match="status 75"):
        await dovecot.put_out({"a@x"})
    assert not kicked.exists()


def _ended() -> int:
    """The id of a process that is over."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return process.pid
