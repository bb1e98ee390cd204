"""SIGKILL of one process or of all, and how long it takes until somebody says 220 again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.support.mailgov_service import Service
from tests.support.processes import wait_until

ONE_IN = 5
ROLES = ("relay", "relay", "web", "supervisor")
"""Who is killed, where it is not everybody: the relay workers are two."""
TRY_S = 5.0
"""A connection that stays in the backlog of a dead listener is tried anew."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: who, and the seconds until 220 from the start of what had to be started."""

    role: str
    until_220_s: float
    until_all_s: float = 0.0
    """Until the last listener greeted too; where `serve` was started anew."""


class Killer:
    """Kills by chance from a seed, one time in five all; starts `serve` again, as systemd would."""

    def __init__(self, service: Service, seed: int) -> None:
        self._service, self._chance = service, random.Random(seed)
        self._threads = ThreadPoolExecutor(2)
        self._next: list[str] = []

    def kill(self, role: str | None = None) -> Kill:
        """Kill a process of that role, "everything", or by chance; returns when all is up again."""
        role = role or self._drawn()
        if role == "everything":
            self._service.kill()
            return self._started(role)
        if role == "supervisor":
            os.kill(self._service.program.pid, signal.SIGKILL)
            self._service.program.wait()
            return self._started(role)
        victim = self._chance.choice(self._service.processes(role))
        count = len(self._service.processes(role))
        os.kill(victim, signal.SIGKILL)
        begin = time.monotonic()
        took = first_220(self._service.mx) - begin
        wait_until(lambda: len(self._service.processes(role)) >= count, what=f"another {role}")
        return Kill(role, took)

    def _drawn(self) -> str:
        if not self._next:
            self._next = ["everything", *self._chance.choices(ROLES, k=ONE_IN - 1)]
            self._chance.shuffle(self._next)
        return self._next.pop()

    def _started(self, role: str) -> Kill:
        begin = time.monotonic()
        first, last = (
            self._threads.submit(first_220, port) for port in (self._service.mx, self._service.trusted)
        )
        self._service.start()  # in this thread: its end would be the end of `serve`
        return Kill(role, first.result() - begin, last.result() - begin)

    def close(self) -> None:
        self._threads.shutdown()


def first_220(port: int, timeout_s: float = 60.0) -> float:
    """When (`time.monotonic`) somebody greeted on the port. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=TRY_S) as session,
        ):
            if session.recv(4) == b"220 ":
                return time.monotonic()
        time.sleep(0.02)
    raise TimeoutError(f"nobody said 220 within {timeout_s:g} s")
