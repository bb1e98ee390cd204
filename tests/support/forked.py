"""`mailgov` commands, each in a process of its own that need not import a second's worth of modules.

`python -m tests.support.forked` imports once what the commands import and forks for every command that
it is asked for. A command has its own arguments, environment, folder, standard streams and exit status;
that it starts from nothing as well is for the tests that run the console script itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

ROOMS = ("admin", "api", "cli", "config", "identity", "ops", "policy", "store", "usage")
NUMBER = struct.Struct("!I")
START_LIMIT_S = 60.0


class Forker:
    """The process that forks, as its client sees it. It ends with the process that made it."""

    def __init__(self) -> None:
        self._asking, asked = socket.socketpair()
        with asked:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forked", str(asked.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[asked.fileno()],
                cwd=Path(__file__).parents[2],
            )

    def run(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` of the console script, with UTF-8 texts.

        Raises subprocess.TimeoutExpired, with the command killed, when it is not over in time.
        """
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            files[0].write(stdin.encode())
            files[0].seek(0)
            ours, theirs = map(stack.enter_context, socket.socketpair())
            fds = [theirs.fileno(), *(file.fileno() for file in files)]
            socket.send_fds(self._asking, [b"!"], fds)
            theirs.close()
            asked = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
            ours.settimeout(START_LIMIT_S)
            ours.sendall(NUMBER.pack(len(asked)) + asked)
            pid = _number(ours)
            ours.settimeout(timeout_s)
            try:
                status = os.waitstatus_to_exitcode(_number(ours))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(argv), timeout_s) from None
            out, err = (os.pread(fd, os.fstat(fd).st_size, 0).decode() for fd in fds[2:])
        return subprocess.CompletedProcess(list(argv), status, out, err)

    def close(self) -> None:
        """End it."""
        self._asking.close()
        self._process.wait(START_LIMIT_S)


@cache
def forker() -> Forker:
    """One for the test process."""
    made = Forker()
    atexit.register(made.close)
    return made


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (more := connection.recv(size - len(found))):
            raise EOFError("the other side is gone")
        found += more
    return found


def _number(connection: socket.socket) -> int:
    return int(NUMBER.unpack(_exactly(connection, NUMBER.size))[0])


# The process that forks


def _serve(asking: socket.socket) -> None:
    """Fork for every command that is asked for, until nobody is left who could ask."""
    answering: set[int] = set()
    while True:
        told, fds, _, _ = socket.recv_fds(asking, 1, 4)
        answering = {pid for pid in answering if os.waitpid(pid, os.WNOHANG) == (0, 0)}
        if not told:
            return
        if (pid := os.fork()) == 0:
            asking.close()
            _answer(socket.socket(fileno=fds[0]), fds[1:])
            return
        answering.add(pid)
        for fd in fds:
            os.close(fd)


def _answer(connection: socket.socket, streams: Sequence[int]) -> None:
    """Fork once more: one process becomes the command, this one tells its id and how it ended."""
    asked = json.loads(_exactly(connection, _number(connection)))
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(asked["argv"], asked["cwd"], asked["env"], streams)
        return
    with contextlib.suppress(BrokenPipeError):  # the test is over
        connection.sendall(NUMBER.pack(pid))
        connection.sendall(NUMBER.pack(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(argv: Sequence[str], cwd: str, env: Mapping[str, str], streams: Sequence[int]) -> None:
    """Go on as the console script would have begun."""
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = ["mailgov", *argv]
    from mailgov.cli import main

    main()


def _import_all() -> None:
    for room in ROOMS:
        package = import_module(f"mailgov.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name:  # Alembic's to import
                import_module(found.name)


if __name__ == "__main__":
    _import_all()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
