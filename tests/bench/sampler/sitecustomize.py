"""Says where a Python process's CPU time goes; imported by any that has this folder on its PYTHONPATH.

From when `go` stands in the folder that SAMPLER_FOLDER names until `stop` does, a thread looks every 2 ms (20
while little happens) at what each other thread is doing, and gives it the CPU time that it has used since the
last look, by the kernel's clock of the thread: one that waits is given nothing. Then it writes `<pid>.json`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from types import FrameType

INTERVAL_S = 0.002
BUSY_NS = 100_000
IDLE_S = 0.02
FRAMES = 60
# Else who holds the interpreter gives it up after 5 ms, or where it waits: looks would come there alone.
SWITCH_S = 0.0001


def clock_of(thread_id: int) -> int:
    """The CPU clock of a thread of this process (the kernel's CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED)."""
    return (~thread_id << 3) | 6


def stack_of(frame: FrameType | None) -> tuple[str, ...]:
    """`file:function`, the innermost first."""
    found: list[str] = []
    while frame is not None and len(found) < FRAMES:
        code = frame.f_code
        found.append(f"{code.co_filename}:{code.co_qualname}")
        frame = frame.f_back
    return tuple(found)


class Sampler:
    """What each thread was seen at, in nanoseconds of CPU."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, tuple[str, ...]], int] = {}
        self._used: dict[int, int] = {}
        self._before = resource.getrusage(resource.RUSAGE_SELF)
        self._own_ns = time.thread_time_ns()

    def look(self) -> int:
        """Once at every thread but this one; nanoseconds of CPU that they have used since the last look."""
        total = 0
        frames = sys._current_frames()
        own, first = threading.get_ident(), not self._used
        for thread in threading.enumerate():
            if thread.ident is None or thread.native_id is None or thread.ident == own:
                continue
            try:
                now = time.clock_gettime_ns(clock_of(thread.native_id))
            except OSError:  # it has ended
                continue
            used = now - self._used.get(thread.native_id, 0)
            self._used[thread.native_id] = now
            if used > 0 and not first:  # less than before: the id is another thread's now
                key = (thread.name, stack_of(frames.get(thread.ident)))
                self.seen[key] = self.seen.get(key, 0) + used
                total += used
        return total

    def result(self) -> dict[str, object]:
        """As JSON has it: user and system time of the process, this thread's own, and every stack."""
        after = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "argv": Path("/proc/self/cmdline").read_bytes().decode("utf-8", "replace").split("\0"),
            "user_s": after.ru_utime - self._before.ru_utime,
            "system_s": after.ru_stime - self._before.ru_stime,
            "sampler_s": (time.thread_time_ns() - self._own_ns) / 1e9,
            "stacks": [[thread, list(stack), used] for (thread, stack), used in self.seen.items()],
        }


def sample(folder: Path) -> None:
    """Wait for `go`, look until `stop`, write what was seen."""
    go, stop = folder / "go", folder / "stop"
    while not go.exists():
        time.sleep(IDLE_S)
    sys.setswitchinterval(SWITCH_S)
    sampler = Sampler()
    while not stop.exists():
        time.sleep(INTERVAL_S if sampler.look() > BUSY_NS else IDLE_S)
    unfinished = folder / f"{os.getpid()}.part"
    unfinished.write_text(json.dumps(sampler.result()), encoding="utf-8")
    unfinished.rename(folder / f"{os.getpid()}.json")


if place := os.environ.get("SAMPLER_FOLDER"):
    threading.Thread(target=sample, args=(Path(place),), name="sampler", daemon=True).start()
