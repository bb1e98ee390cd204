"""One run of Dovecot: its files, its process, its log, and the people it is told to put out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mailgov.imap.configuration import MAIN_FILE, Served, configuration
from mailgov.imap.programs import Programs
from mailgov.ops.files import private_folder, replace

log = structlog.get_logger()

RUNTIME_OCTETS = 75
"""Of sockaddr_un's 107 octets, what is left beside Dovecot's longest name below (`token-login/…`)."""
RUN = "r"
STOP_S = 5.0
GREETING_S = 30.0
DOVEADM_S = 20.0
LINE_LIMIT_BYTES = 65_536
PUT_OFF = "Password grant failed: 503"
"""What the gate has logged itself, no more often than is good."""
_LEVEL = re.compile(r"(?:^|: )(Debug|Info|Warning|Error|Fatal|Panic): ")


class DoveadmError(Exception):
    """Dovecot could not be told something; the message is one line."""


def runtime_folder(folder: Path) -> Path:
    """A new folder for Dovecot's sockets: in the private `folder` where their names fit, else elsewhere.

    Dovecot wants to show it to everybody, so each has a private folder above it.
    """
    # Elsewhere it is told from others' by where it belongs, so that it is found again.
    elsewhere = f"mailgov-imap-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}-"
    for left in (*folder.glob("run-*"), *Path(tempfile.gettempdir()).glob(f"{elsewhere}*")):
        _clear(left)
    fits = len(os.fsencode(folder / "run-12345678" / RUN)) <= RUNTIME_OCTETS
    above = Path(tempfile.mkdtemp(prefix="run-", dir=folder) if fits else tempfile.mkdtemp(prefix=elsewhere))
    runtime = above / RUN
    runtime.mkdir()
    runtime.chmod(0o755)  # Dovecot does so itself otherwise, with a warning
    return runtime


def _clear(left: Path) -> None:
    """Remove what a run that was killed has left; not one that still ends, nor what is not ours."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((left / RUN / "master.pid").read_text()), 0)
        return
    with contextlib.suppress(OSError):
        if left.lstat().st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)


@dataclass(slots=True)
class Dovecot:
    """Started once; `wait` returns when it has ended, by `stop` or by itself."""

    programs: Programs
    served: Served
    sockets: Sequence[socket.socket]
    _process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None
    _stopping: bool = field(default=False)

    @property
    def _config(self) -> Path:
        return self.served.folder / MAIN_FILE

    async def start(self) -> None:
        """Write the files and start it. Raises OSError, PathError, and TimeoutError without a greeting."""
        private_folder(self.served.folder)
        for name, text in configuration(self.served).items():
            replace(self.served.folder / name, text.encode())
        fds = [listening.fileno() for listening in self.sockets]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "mailgov.imap.handover", ",".join(map(str, fds)),
            *self.programs.prefix, self.programs.dovecot, "-F", "-c", str(self._config),
            pass_fds=fds, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, start_new_session=True, limit=LINE_LIMIT_BYTES,
        )  # fmt: skip
        self._reading = asyncio.ensure_future(self._read_log())
        greeting = asyncio.ensure_future(self._greeting())
        ended = asyncio.ensure_future(self.wait())
        try:
            await asyncio.wait([greeting, ended], timeout=GREETING_S, return_when=asyncio.FIRST_COMPLETED)
            if not greeting.done() or not greeting.result():
                raise TimeoutError("Dovecot does not answer; its log says why")
        finally:
            for task in (greeting, ended):
                task.cancel()

    async def _greeting(self) -> bytes:
        """What it greets a client with; its sockets are ours, so they accept before it does."""
        place = self.served.imap
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.host, place.host)  # noqa: S104 - reaching, not binding
        reader, writer = await asyncio.open_connection(host, place.port)
        try:
            return await reader.readline()
        finally:
            writer.close()

    async def wait(self) -> int:
        """Its exit status, once it has ended; -1 where it never began."""
        return -1 if self._process is None else await self._process.wait()

    def reload(self) -> None:
        """Take certificate and key as they are now; those who are signed in sign in again."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End it with all its processes, and remove its sockets."""
        self._stopping = True
        process = self._process
        if process is not None:
            # All of the group at once: told alone, the master gives those who are signed in ten seconds.
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_S)
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=1.0)
            self._reading.cancel()
        shutil.rmtree(self.served.runtime.parent, ignore_errors=True)

    async def put_out(self, accounts: Collection[str]) -> None:
        """End every session of these accounts. Raises DoveadmError where it cannot be told who is in."""
        status, said = await self._doveadm("-f", "tab", "who", "-1")
        if status != 0:
            raise DoveadmError(f"doveadm who: status {status}")
        signed_in = {line.partition("\t")[0] for line in said.splitlines()}
        for account in sorted(signed_in & set(accounts)):
            log.info("put out", account=account)
            await self._doveadm("kick", account)  # who has left meanwhile is a fault to it, and none to us

    async def _doveadm(self, *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            self.programs.doveadm, "-c", str(self._config), *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), DOVEADM_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise DoveadmError("doveadm does not answer") from None
        return process.returncode or 0, said.decode(errors="replace")

    async def _read_log(self) -> None:
        """What Dovecot says, from warnings on, as lines of our own log."""
        assert self._process is not None, "started"
        assert self._process.stderr is not None, "a pipe"
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:  # longer than the limit: that much of it is gone
                continue
            if not line:
                return
            self._say(line.decode(errors="replace").rstrip())

    def _say(self, line: str) -> None:
        if PUT_OFF in line:
            return
        found = _LEVEL.search(line)
        level = found.group(1) if found else "Error"
        if level in {"Error", "Fatal", "Panic"}:
            log.error("dovecot", said=line)
        elif level == "Warning" and not self._stopping:
            log.warning("dovecot", said=line)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
