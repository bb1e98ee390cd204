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

ALL_SHARE = 0.2
ROLES = ("relay", "relay", "web", "supervisor")
"""Who is killed, where it is not everybody: the relay workers are two."""
TRY_S = 5.0
"""A connection that stays in the backlog of a dead listener is tried anew."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: who, and the seconds until 220 from the start of what had to be started."""

    role: str
    until_220_s: float


class Killer:
    """Kills by chance from a seed; starts `serve` again where it was killed, as systemd would."""

    def __init__(self, service: Service, seed: int) -> None:
        self._service, self._chance = service, random.Random(seed)
        self._threads = ThreadPoolExecutor(1)

    def kill(self, role: str | None = None) -> Kill:
        """Kill a process of that role, "everything", or by chance; returns when all is up again."""
        if role is None:
            one = self._chance.random() >= ALL_SHARE
            role = self._chance.choice(ROLES) if one else "everything"
        if role == "everything":
            self._service.kill()
            return Kill(role, self._started())
        if role == "supervisor":
            os.kill(self._service.program.pid, signal.SIGKILL)
            self._service.program.wait()
            return Kill(role, self._started())
        victim = self._chance.choice(self._service.processes(role))
        count = len(self._service.processes(role))
        os.kill(victim, signal.SIGKILL)
        begin = time.monotonic()
        took = first_220(self._service.mx) - begin
        wait_until(lambda: len(self._service.processes(role)) >= count, what=f"another {role}")
        return Kill(role, took)

    def _started(self) -> float:
        begin = time.monotonic()
        greeted = self._threads.submit(first_220, self._service.mx)
        self._service.start()  # in this thread: its end would be the end of `serve`
        return greeted.result() - begin

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
