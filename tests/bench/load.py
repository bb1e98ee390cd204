"""The load: Postfix's smtp-source at the entrance, its smtp-sink behind, and the clock between them."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cpu import Group
from tests.support.processes import wait_port
from tests.support.programs import program

_COUNT = re.compile(rb"mesg=(\d+)")


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of load. `size_bytes` is a message's; `kept` sends all of a session on one connection."""

    messages: int
    sessions: int
    size_bytes: int
    kept: bool = False

    def __str__(self) -> str:
        manner = "all of a session on one connection" if self.kept else "one message a connection"
        return f"{self.messages} messages of {self.size_bytes} bytes, {self.sessions} sessions, {manner}"


class CountingSink:
    """smtp-sink, which counts what it accepts; `reached_at` tells when it had as many as were asked for."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.count = 0
        self._process = process
        self._wanted = 0
        self._reached = threading.Event()
        self._reached_at = 0.0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def expect(self, count: int) -> None:
        self._wanted = count

    def reached_at(self, timeout_s: float) -> float | None:
        """`time.perf_counter()` of the last message expected, or None when it did not come in time."""
        return self._reached_at if self._reached.wait(timeout_s) else None

    def _read(self) -> None:
        assert self._process.stdout is not None
        pending = b""
        while chunk := os.read(self._process.stdout.fileno(), 65_536):
            now = time.perf_counter()
            pending = (pending + chunk)[-200:]
            if counts := _COUNT.findall(pending):
                self.count = int(counts[-1])
                if self._wanted and self.count >= self._wanted and not self._reached.is_set():
                    self._reached_at = now
                    self._reached.set()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def counting_sink(port: int, cpu: Group) -> Iterator[CountingSink]:
    """smtp-sink on loopback, counted in `cpu`."""
    argv = [program("smtp-sink"), "-c", "-m", "512"]
    if os.geteuid() == 0:
        argv += ["-u", "nobody"]
    process = subprocess.Popen(
        cpu.command([*argv, f"127.0.0.1:{port}", "512"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    sink = CountingSink(process)
    try:
        wait_port(port)
        yield sink
    finally:
        sink.close()


def send(
    shape: Shape, port: int, reverse_path: str, to: str, cpu: Group, log: Path, timeout_s: float
) -> bool:
    """Send the whole load to `port`; True when every message was accepted."""
    argv = [
        program("smtp-source"),
        "-s",
        str(shape.sessions),
        "-m",
        str(shape.messages),
        "-l",
        str(shape.size_bytes),
    ]
    argv += ["-f", reverse_path, "-t", to] + (["-d"] if shape.kept else []) + [f"127.0.0.1:{port}"]
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                cpu.command(argv),
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0
