"""Real programs, started and stopped by process id, and waits that end when a condition holds."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Below the range that outgoing connections take their ports from (ip_local_port_range).
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
PORTS = range(20000 + WORKER % 8, 32000, 8)
"""Each process of a test run has ports of its own: what is free for one must stay so."""
_handed_out: set[int] = set()
_libc = ctypes.CDLL(None)


class ProgramError(AssertionError):
    """A program ended or kept silent where it should not have; the message ends with its output."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP and UDP port that nobody listens on; not handed out twice in one run."""
    for _ in range(500):
        port = random.choice(PORTS)
        if port in _handed_out:
            continue
        with contextlib.ExitStack() as sockets:
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    sockets.enter_context(socket.socket(socket.AF_INET, kind)).bind((host, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise OSError(f"no free port on {host} in {PORTS}")


def wait_until(
    condition: Callable[[], T],
    *,
    timeout_s: float = 10.0,
    what: str = "the condition",
    program: Program | None = None,
) -> T:
    """The first true value of `condition`, asked again every 10 ms.

    Raises TimeoutError that names `what`, or ProgramError as soon as `program` has ended.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        if program is not None and not program.alive:
            raise ProgramError(f"{program} ended with {program.returncode} before {what}:\n{program.tail()}")
        if time.monotonic() > deadline:
            said = f"; {program} said:\n{program.tail()}" if program else ""
            raise TimeoutError(f"waited {timeout_s:g} s for {what}{said}")
        time.sleep(0.01)


def port_open(port: int, host: str = "127.0.0.1") -> bool:
    """True when something accepts a connection there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def wait_port(
    port: int, *, host: str = "127.0.0.1", timeout_s: float = 15.0, program: Program | None = None
) -> None:
    """Return once something accepts connections on the port; errors as in `wait_until`."""
    wait_until(
        lambda: port_open(port, host),
        timeout_s=timeout_s,
        what=f"a listener on {host}:{port}",
        program=program,
    )


def children(pid: int) -> list[int]:
    """Process ids of the living direct children, in the order of their start."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return sorted(found)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, the state, on (proc(5)); [] when there is no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def running(pid: int) -> bool:
    """True while the process exists and is not a zombie."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def _born(pid: int) -> str | None:
    """When the process started, in ticks since boot: tells it from a later one with the same id."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in {"Z", "X"} else None


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Process ids of children, their children and so on, nearest first."""
    found: list[int] = []
    fresh = children(pid)
    while fresh:
        found += fresh
        fresh = [child for parent in fresh for child in children(parent)]
    return found


class Program:
    """A program in a process group of its own, whose output goes to a file.

    It is killed with its group and all its descendants when the block is left; the kernel
    kills the program itself when the thread that started it dies.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
    ) -> None:
        """Start `argv`. `env` adds to this process's environment; `stdin` is fed from a pipe."""
        self.argv = [str(part) for part in argv]
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - a single libc call, safe after fork
            )
        if stdin is not None and self._process.stdin is not None:
            with self._process.stdin as pipe:
                pipe.write(stdin)

    def __str__(self) -> str:
        return f"{Path(self.argv[0]).name} (pid {self.pid})"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 40) -> str:
        """The last lines of the output."""
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_output(self, text: str, *, timeout_s: float = 15.0) -> None:
        """Return once `text` stands in the output."""
        wait_until(lambda: text in self.output(), timeout_s=timeout_s, what=f"{text!r}", program=self)

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait for its end; returns the exit status. Raises ProgramError when it does not end."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{self} still runs after {timeout_s:g} s:\n{self.tail()}") from None

    def send_signal(self, number: int) -> None:
        """Signal the program alone, not its children."""
        if self.alive:
            os.kill(self.pid, number)

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM and wait; then kill what it left behind. Returns the exit status."""
        family = self._family()
        self.send_signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s)
        finally:
            self._kill(family)

    def kill(self) -> None:
        """SIGKILL it, its group and descendants at once and wait for their end; harmless when gone."""
        self._kill(self._family())

    def _family(self) -> dict[int, str | None]:
        """Whoever must not outlive it, each with its start: ids are soon used again."""
        return {pid: _born(pid) for pid in [*descendants(self.pid), *_group(self.pid)] if pid != self.pid}

    def _kill(self, family: dict[int, str | None]) -> None:
        # The program first: a supervisor must not start again what dies under it.
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        family |= {pid: _born(pid) for pid in _group(self.pid) if pid != self.pid}
        left = [pid for pid, born in family.items() if born is not None and _born(pid) == born]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        wait_until(
            lambda: not any(_born(pid) == family[pid] for pid in left), what=f"the end of what {self} started"
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _group(leader: int) -> list[int]:
    """The living processes whose group `leader` leads."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in found if _stat(pid)[2:3] == [str(leader)] and running(pid)]
