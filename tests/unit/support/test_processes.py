from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.support.processes import (
    Program,
    ProgramError,
    children,
    descendants,
    free_port,
    port_open,
    running,
    wait_port,
    wait_until,
)


def test_a_program_is_stopped_with_its_whole_group(tmp_path: Path) -> None:
    script = "sleep 300 & echo started; trap 'exit 7' TERM; wait"
    with Program(["bash", "-c", script], log=tmp_path / "log") as program:
        program.wait_output("started")
        wait_until(lambda: children(program.pid))
        [child] = children(program.pid)
        assert running(child)
        assert program.stop() == 7
        assert not running(child)
        assert not program.alive


def test_descendants_in_sessions_of_their_own_are_killed_too(tmp_path: Path) -> None:
    script = "setsid bash -c 'sleep 300 & echo started; wait'"
    with Program(["bash", "-c", script + "; true"], log=tmp_path / "log") as program:
        program.wait_output("started")
        family = descendants(program.pid)
        assert len(family) == 2
    assert not any(running(pid) for pid in family)


def test_an_early_end_shows_the_output(tmp_path: Path) -> None:
    with (
        Program(["bash", "-c", "echo why >&2; exit 3"], log=tmp_path / "log") as program,
        pytest.raises(ProgramError, match=r"ended with 3 before a listener on .*\n?why"),
    ):
        wait_port(free_port(), program=program)


def test_input_environment_and_signals(tmp_path: Path) -> None:
    argv = ["bash", "-c", 'read line; echo "$GREETING $line"; sleep 300']
    with Program(argv, log=tmp_path / "log", env={"GREETING": "xin chào"}, stdin=b"world\n") as program:
        program.wait_output("xin chào world")
        program.send_signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL


def test_ports() -> None:
    port = free_port()
    assert not port_open(port)
    with socket.create_server(("127.0.0.1", port)):
        wait_port(port)
    assert free_port() != port


def test_a_wait_ends_at_its_deadline() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0\.05 s for the moon"):
        wait_until(lambda: False, timeout_s=0.05, what="the moon")
