"""`mailgov serve`: a supervisor that holds the sockets, and the workers that serve on them.

The supervisor opens (or inherits from systemd) every listening socket once and passes it down;
a worker that dies is started again and no connection waiting in the backlog is lost. It loads little and
does nothing that a worker does, so that the first one starts at once; workers check what they are built of.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import structlog

from mailgov.child import EX_CONFIG, READY, REFUSED, SERVING, ChildSpec
from mailgov.config.listeners import GATE, listeners
from mailgov.logs import configure_logs
from mailgov.ops import running
from mailgov.settings import Settings
from mailgov.store.revision import is_newest

log = structlog.get_logger()

ROLES = ("relay", "web")
"""What runs unless roles are named."""
ALL_ROLES = (*ROLES, "imap")
BACKLOG = 1024
READY_S = 60.0
TAKEN_S = 10.0
"""How long a port may be another's before we refuse to start."""
STOP_S = 28.0
"""Who has not ended by then is killed: all is over within 30 s. A relay worker needs 25 at most."""
RESTART_S = (0.2, 0.5, 1.0, 3.0)
"""Waits before a worker that died is started again; a minute of health forgives what was before."""
HELPLESS_S = 30.0
"""Before one that only a person can help is started again; SIGHUP says that somebody has helped."""
SCHEMA_LOOK_S, SCHEMA_RETRY_S = 5.0, 30.0
"""Between looks at the schema, which are cheap, and between attempts to bring it up, which are not."""
FIRST_S = 10.0
"""So long the other roles wait for mail to be taken in first: it is what most people wait for."""


class ServeError(Exception):
    """`serve` refuses to start; the message is one line."""


def serve(settings: Settings, config_path: Path, roles: Sequence[str] = ROLES, workers: int = 1) -> int:
    """Run until SIGTERM or SIGINT. Returns 0 after a clean stop.

    Raises ServeError when anything that can be known beforehand is wrong: the policy, the
    certificate, a port that is taken. What workers check they tell within a second or two.
    """
    configure_logs()
    unknown = sorted(set(roles) - set(ALL_ROLES))
    if unknown:
        raise ServeError(f"unknown role {unknown[0]!r}: there are {', '.join(ALL_ROLES)}")
    if workers < 1:
        raise ServeError("--workers takes a number from 1 on")
    return asyncio.run(Supervisor(settings, config_path, tuple(roles), workers).run())


@dataclass(slots=True)
class _Child:
    """A worker process as the supervisor sees it."""

    spec: ChildSpec
    process: asyncio.subprocess.Process | None = None
    serving: bool = False
    """It takes mail; perhaps not yet on all listeners."""
    ready: bool = False
    reload: bool = False
    """It is still to be told SIGHUP."""
    refused: str | None = None
    """Why it would not start, until it is tried again."""
    helped: asyncio.Event = field(default_factory=asyncio.Event)
    """SIGHUP came since it was last started."""

    def begin(self) -> None:
        self.refused = None
        self.helped.clear()


class Supervisor:
    """Opens the sockets, runs the workers, starts the dead ones again, stops all in order."""

    def __init__(self, settings: Settings, config_path: Path, roles: tuple[str, ...], workers: int) -> None:
        self._settings, self._config, self._roles, self._workers = settings, config_path, roles, workers
        self._sockets: dict[str, list[socket.socket]] = {}
        self._children: list[_Child] = []
        self._stop = asyncio.Event()
        self._mark: IO[bytes] | None = None
        self._kept = os.memfd_create("settings")  # see `config.kept`
        self._life = os.pipe()  # children hold the reading end: its end of file says that we are gone
        self._up = False
        self._refused: str | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        await self._open_sockets()
        self._note_running()
        newest = await self._newest()
        if newest is False:  # a version that is newer than its ledger: no worker is to meet the old one
            newest = await self._bring_up_schema()
        schema = asyncio.ensure_future(self._follow_schema(newest))
        self._children = [_Child(spec) for spec in self._specs()]
        keepers = [asyncio.ensure_future(self._keep(child)) for child in self._children]
        announcing = asyncio.ensure_future(self._announce())
        await self._stop.wait()
        log.info("stopping")
        for task in (announcing, schema):
            task.cancel()
        await self._stop_children()
        await asyncio.gather(*keepers, announcing, schema, return_exceptions=True)
        for group in self._sockets.values():
            for listening in group:
                listening.close()
        log.info("stopped")
        if self._refused is not None:
            raise ServeError(self._refused)
        return 0

    # --- sockets --------------------------------------------------------------------------

    def _crew(self) -> list[str]:
        """The roles to run, in the order of their start: the demo's sink comes with the relay."""
        sink = "relay" in self._roles and self._settings.demo.sink is not None
        return [
            role
            for role in ("relay", "sink", "web", "imap")
            if role in self._roles or (role == "sink" and sink)
        ]

    async def _open_sockets(self) -> None:
        wanted = {
            name: place for role in self._crew() for name, place in listeners(self._settings, role).items()
        }
        inherited = _inherited()
        for name, (host, port) in wanted.items():
            self._sockets[name] = inherited.get(name) or [await self._listen(name, host, port)]

    async def _listen(self, name: str, host: str, port: int) -> socket.socket:
        """Wait a little for the workers of a supervisor that was killed: they end as they notice it."""
        end, told = time.monotonic() + TAKEN_S, False
        while True:
            try:
                return _listen(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > end or self._stop.is_set():
                    why = error.strerror or error
                    raise ServeError(f"cannot listen on {host}:{port} ({name}): {why}") from None
                if not told:
                    log.warning("port taken, waiting", listener=name, host=host, port=port)
                told = True
                await asyncio.sleep(0.05)

    # --- the ledger's schema --------------------------------------------------------------

    async def _newest(self) -> bool | None:
        database = self._settings.database
        return await asyncio.to_thread(is_newest, database.url, database.timeout_s)

    async def _bring_up_schema(self) -> bool:
        """Once, by a process of its own, which ends with a stop; False where the ledger is away or empty."""
        bringing = asyncio.ensure_future(self._run(_Child(self._spec("schema"))))
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([bringing, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if bringing.done():
            return bringing.result() == 0
        bringing.cancel()
        return False

    async def _follow_schema(self, newest: bool | None) -> None:
        """A ledger that is away or empty is asked again: that need not keep mail waiting."""
        next_s = 0.0 if newest is None else time.monotonic() + SCHEMA_RETRY_S
        while newest is not True and not self._stop.is_set():
            if time.monotonic() >= next_s:
                if await self._bring_up_schema():
                    return
                next_s = time.monotonic() + SCHEMA_RETRY_S
            await asyncio.sleep(SCHEMA_LOOK_S)
            newest = await self._newest()

    # --- children -------------------------------------------------------------------------

    def _spec(self, role: str, index: int = 0, count: int = 1) -> ChildSpec:
        names = listeners(self._settings, role) if role != "schema" else ()
        return ChildSpec(
            role=role,
            config=str(self._config),
            life_fd=self._life[0],
            index=index,
            count=count,
            sockets={name: [s.fileno() for s in self._sockets[name]] for name in names},
        )

    def _specs(self) -> list[ChildSpec]:
        counts = {role: self._workers if role == "relay" else 1 for role in self._crew()}
        return [self._spec(role, i, count) for role, count in counts.items() for i in range(count)]

    async def _turn(self, child: _Child) -> None:
        """Return when it may start: the relay first, which has the processors for itself for a second."""
        end = time.monotonic() + FIRST_S
        relays = [other for other in self._children if other.spec.role == "relay"]
        while child not in relays and time.monotonic() < end and not self._stop.is_set():
            if all(relay.serving or relay.refused for relay in relays):
                return
            await asyncio.sleep(0.02)

    async def _keep(self, child: _Child) -> None:
        """Run a child; start it again when it dies, until we stop."""
        failures = 0
        await self._turn(child)
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                code = await self._run(child)
            except OSError as error:  # no room for a process now
                log.error("worker not started", worker=child.spec.name, cause=str(error))
                code = -1
            if self._stop.is_set():
                return
            if child.refused is not None:
                await self._help(child)
                continue
            failures = 1 if time.monotonic() - started > 60 else failures + 1
            wait = RESTART_S[min(failures, len(RESTART_S)) - 1]
            log.error("worker died", worker=child.spec.name, code=code, restart_in_s=wait)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)

    async def _help(self, child: _Child) -> None:
        """Wait until somebody who mended what it needs says so, or for a look whether somebody did."""
        ends = [asyncio.ensure_future(event.wait()) for event in (self._stop, child.helped)]
        await asyncio.wait(ends, timeout=HELPLESS_S, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def _run(self, child: _Child) -> int:
        """Start it and wait for its end. What it refuses at the first start of all is our own refusal."""
        child.begin()
        ready_read, ready_write = os.pipe()
        os.set_blocking(ready_read, False)
        spec = asdict(child.spec) | {"ready_fd": ready_write, "kept_fd": self._kept}
        fds = [fd for group in child.spec.sockets.values() for fd in group]
        try:
            # -P: else the folder that serve was started in would be the first to import from.
            child.process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "mailgov.child", json.dumps(spec),
                pass_fds=[*fds, ready_write, self._life[0], self._kept], stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError:
            os.close(ready_read)
            raise
        finally:
            os.close(ready_write)
        loop = asyncio.get_running_loop()
        loop.add_reader(ready_read, self._hear, child, ready_read)
        try:
            code = await child.process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
            raise
        finally:
            loop.remove_reader(ready_read)
            self._hear(child, ready_read)  # last words, which may come with the end
            child.serving, child.ready, child.process = False, False, None
            os.close(ready_read)
        if code == EX_CONFIG and not self._up:
            self._refused = child.refused
            self._stop.set()
        elif child.refused is not None:
            told = {"worker": child.spec.name, "problem": child.refused, "again_in_s": HELPLESS_S}
            log.error("worker refuses to start", **told)
        return code

    def _hear(self, child: _Child, fd: int) -> None:
        """What a child tells of itself; nothing comes after the end of file."""
        try:
            told = os.read(fd, 8192)
        except BlockingIOError:
            return
        words, refused, why = told.partition(REFUSED)
        child.serving |= SERVING in words or READY in words
        child.ready |= READY in words
        self._hang_up(child)
        if not told or refused:
            asyncio.get_running_loop().remove_reader(fd)
        if refused:
            child.refused = why.decode(errors="replace")

    async def _announce(self) -> None:
        """Say that everything is up, once it is."""
        end = time.monotonic() + READY_S
        while not all(child.ready for child in self._children):
            if time.monotonic() > end:
                missing = [child.spec.name for child in self._children if not child.ready]
                log.error("not ready in time", workers=missing)
                self._up = True  # as much as there is
                return
            await asyncio.sleep(0.05)
        self._up = True
        print(_banner(self._settings, self._sockets), flush=True)  # noqa: T201 - for the person who started it

    def _note_running(self) -> None:
        """For `mailgov reload`, which is all that is lost where it cannot be."""
        try:
            self._mark = running.note(self._settings.data_dir)
        except OSError as error:
            log.warning("mailgov reload will not find this service: use SIGHUP", cause=str(error))

    def _reload(self) -> None:
        log.info("reloading")
        for child in self._children:
            child.helped.set()
            child.reload = True
            self._hang_up(child)

    @staticmethod
    def _hang_up(child: _Child) -> None:
        """One that starts has no ear for signals yet, which would end it: it is told as soon as it serves."""
        if child.process is not None and child.serving and child.reload:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGHUP)
            child.reload = False

    async def _stop_children(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        end = time.monotonic() + STOP_S
        while any(p.returncode is None for p in running) and time.monotonic() < end:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        for process in running:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()


def _listen(host: str, port: int) -> socket.socket:
    info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(info[0], socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(info[4])
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _inherited() -> Mapping[str, list[socket.socket]]:
    """Sockets from systemd, by FileDescriptorName= (sd_listen_fds(3)): smtp names as in the settings."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {}
    for number in range(int(os.environ.get("LISTEN_FDS", "0"))):
        listening = socket.socket(fileno=3 + number)
        listening.setblocking(False)
        found.setdefault(names[number] if number < len(names) else "", []).append(listening)
    return found


def _banner(settings: Settings, sockets: Mapping[str, list[socket.socket]]) -> str:
    lines = [f"mailgov is ready: {settings.hostname}"]
    for name, group in sockets.items():
        if name == GATE:
            continue  # nobody's but Dovecot's
        host, port = group[0].getsockname()[:2]
        lines.append(f"  {name:<12} {host}:{port}")
    if settings.demo.sink is not None:
        from mailgov.ops.demo.ready import Ready

        if (ready := Ready.read(settings.data_dir)) is not None:
            lines += ["", ready.text(settings).rstrip()]
    return "\n".join(lines)
