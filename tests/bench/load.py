"""The load: Postfix's smtp-source or `submit` at the entrance, smtp-sink behind, the clock between them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.cpu import Group
from tests.bench.shapes import Shape
from tests.bench.site import Site
from tests.support.processes import wait_port
from tests.support.programs import program

_COUNT = re.compile(rb"mesg=(\d+)")


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


def send(shape: Shape, port: int, site: Site, cpu: Group, log: Path, timeout_s: float) -> bool:
    """Send the whole load to `port`; True when every message was accepted."""
    argv = _submit(shape, port, site) if shape.submission else _smtp_source(shape, port, site)
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                cpu.command(argv),
                check=False,
                input=f"{site.password}\n".encode() if shape.submission else b"",
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def _smtp_source(shape: Shape, port: int, site: Site) -> list[str]:
    counts = ["-s", str(shape.sessions), "-m", str(shape.messages), "-l", str(shape.size_bytes)]
    kept = ["-d"] if shape.kept else []
    return [
        program("smtp-source"),
        *counts,
        *("-f", site.account, "-t", site.recipient),
        *kept,
        f"127.0.0.1:{port}",
    ]


def _submit(shape: Shape, port: int, site: Site) -> list[str]:
    numbers = (port, shape.sessions, shape.messages, shape.size_bytes, int(shape.kept))
    words = [*map(str, numbers), site.account, site.recipient]
    return [sys.executable, "-m", "tests.bench.submit", *words]
