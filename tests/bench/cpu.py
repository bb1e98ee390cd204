"""CPU time and memory of a set of processes, by the kernel's control groups."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import children, running, wait_until

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_HIGHEST = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
# The shell enters the group, then becomes the program: children are counted from their first instant.
_ENTER = ("/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"')


class Group:
    """A control group. Without one (`folder` is None) commands run as they are and CPU is not measured."""

    def __init__(self, folder: Path | None, usage: Path | None) -> None:
        self._folder = folder
        self._usage = usage

    @property
    def measured(self) -> bool:
        return self._usage is not None

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` inside the group."""
        return [*argv] if self._folder is None else [*_ENTER, str(self._folder / "cgroup.procs"), *argv]

    def cpu_s(self) -> float | None:
        """CPU seconds used so far by all that ever ran in the group."""
        if self._usage is None:
            return None
        text = self._usage.read_text()
        if self._usage.name == "cpuacct.usage":
            return int(text) / 1e9
        return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6

    def pids(self) -> list[int]:
        return (
            []
            if self._folder is None
            else [int(p) for p in (self._folder / "cgroup.procs").read_text().split()]
        )

    def memory_mb(self) -> float | None:
        """Memory of the living processes; what several share is counted once (PSS)."""
        return None if self._folder is None else sum(self._each("smaps_rollup", _PSS))

    def largest_mb(self) -> float | None:
        """The most that any one of the living processes ever held resident, shared pages included."""
        return None if self._folder is None else max(self._each("status", _HIGHEST), default=0.0)

    def _each(self, name: str, figure: re.Pattern[str]) -> Iterator[float]:
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if found := figure.search(Path(f"/proc/{pid}/{name}").read_text()):
                    yield int(found[1]) / 1024

    def end(self) -> None:
        """Kill what still runs in the group and remove it."""
        if self._folder is None:
            return
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(running(pid) for pid in self.pids()), what="the end of the group")
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def _places() -> Iterator[tuple[Path, str]]:
    """Where a group may be made, and the name of its usage file: version 1 first, then 2."""
    yield Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                yield Path(root + line[3:]), "cpu.stat"


@contextmanager
def group(name: str) -> Iterator[Group]:
    """A fresh group, removed with all that runs in it; one that measures nothing where none may be made."""
    found = Group(None, None)
    for parent, usage in _places():
        folder = parent / f"mailgov-bench-{os.getpid()}-{name}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / usage).exists() and os.access(folder / "cgroup.procs", os.W_OK):
            found = Group(folder, folder / usage)
            break
        folder.rmdir()
    try:
        yield found
    finally:
        found.end()


def machine_s() -> float:
    """CPU seconds that all processes of this machine have used since it started, and what its host took away.

    Interrupts and the kernel's own threads, which write and send for whoever asked, are left out.
    """
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _waiting, _interrupts, _soft_interrupts, stolen = ticks[:8]
    return (user + nice + system + stolen - _kernel_ticks()) / os.sysconf("SC_CLK_TCK")


def _kernel_ticks() -> int:
    """User and system time of the children of kthreadd (proc(5), /proc/PID/stat)."""
    total = 0
    for pid in children(2):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total


def own_s() -> float:
    """CPU seconds of this process, its children not counted."""
    return time.process_time()
