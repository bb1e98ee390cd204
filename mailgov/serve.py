"""`mailgov serve`: a supervisor that holds the sockets, and the workers that serve on them.

The supervisor opens (or inherits from systemd) every listening socket once and passes it down;
a worker that dies is started again and no connection waiting in the backlog is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import structlog

from mailgov.child import ChildSpec
from mailgov.config import ConfigError
from mailgov.config.imap import GATE, check_imap, imap_listener_names
from mailgov.config.parts import open_database
from mailgov.config.relay import check_relay, listener_names
from mailgov.logs import configure_logs
from mailgov.ops import running
from mailgov.ops.demo.ready import Ready
from mailgov.policy import PolicyError
from mailgov.settings import Settings
from mailgov.store.engine import LedgerUnavailable, current_revision, head_revision, migrate

log = structlog.get_logger()

ROLES = ("relay", "web")
"""What runs unless roles are named."""
ALL_ROLES = (*ROLES, "imap")
BACKLOG = 1024
READY_S = 60.0
STOP_S = 30.0
RESTART_S = (0.2, 0.5, 1.0, 3.0)
"""Waits before a worker that died is started again; a minute of health forgives what was before."""
MIGRATE_RETRY_S = 5.0


class ServeError(Exception):
    """`serve` refuses to start; the message is one line."""


def serve(settings: Settings, config_path: Path, roles: Sequence[str] = ROLES, workers: int = 1) -> int:
    """Run until SIGTERM or SIGINT. Returns 0 after a clean stop.

    Raises ServeError when anything that can be known beforehand is wrong: the policy, the
    certificate, a port that is taken.
    """
    configure_logs()
    unknown = sorted(set(roles) - set(ALL_ROLES))
    if unknown:
        raise ServeError(f"unknown role {unknown[0]!r}: there are {', '.join(ALL_ROLES)}")
    if workers < 1:
        raise ServeError("--workers takes a number from 1 on")
    _check(settings, roles)
    return asyncio.run(Supervisor(settings, config_path, tuple(roles), workers).run())


def _check(settings: Settings, roles: Sequence[str]) -> None:
    try:
        warnings = check_relay(settings)
        if "imap" in roles:
            check_imap(settings)
    except (PolicyError, ConfigError, OSError) as error:
        raise ServeError(str(error)) from None
    for warning in warnings:
        log.warning("policy", note=warning)


@dataclass(slots=True)
class _Child:
    """A worker process as the supervisor sees it."""

    spec: ChildSpec
    process: asyncio.subprocess.Process | None = None
    ready: bool = False


class Supervisor:
    """Opens the sockets, runs the workers, starts the dead ones again, stops all in order."""

    def __init__(self, settings: Settings, config_path: Path, roles: tuple[str, ...], workers: int) -> None:
        self._settings, self._config, self._roles, self._workers = settings, config_path, roles, workers
        self._sockets: dict[str, list[socket.socket]] = {}
        self._children: list[_Child] = []
        self._stop = asyncio.Event()
        self._mark: IO[bytes] | None = None
        self._life = os.pipe()  # children hold the reading end: its end of file says that we are gone

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._open_sockets()
        self._note_running()
        migrating = asyncio.ensure_future(self._migrate(again=not await self._migrated()))
        self._children = [_Child(spec) for spec in self._specs()]
        keepers = [asyncio.ensure_future(self._keep(child)) for child in self._children]
        announcing = asyncio.ensure_future(self._announce())
        await self._stop.wait()
        log.info("stopping")
        for task in (announcing, migrating):
            task.cancel()
        await self._stop_children()
        await asyncio.gather(*keepers, announcing, migrating, return_exceptions=True)
        for group in self._sockets.values():
            for listening in group:
                listening.close()
        log.info("stopped")
        return 0

    # --- sockets --------------------------------------------------------------------------

    def _open_sockets(self) -> None:
        wanted: dict[str, tuple[str, int]] = {}
        if "relay" in self._roles:
            wanted |= listener_names(self._settings)
            if self._settings.demo.sink is not None:
                wanted["sink"] = (self._settings.demo.sink.host, self._settings.demo.sink.port)
        if "web" in self._roles:
            wanted["http"] = (self._settings.http.listen.host, self._settings.http.listen.port)
        if "imap" in self._roles:
            wanted |= imap_listener_names(self._settings)
        inherited = _inherited()
        for name, (host, port) in wanted.items():
            self._sockets[name] = inherited.get(name) or [_listen(name, host, port)]

    # --- the ledger's schema --------------------------------------------------------------

    async def _migrated(self) -> bool:
        """Bring the schema up; False while the ledger is away, which need not keep mail waiting."""
        db = open_database(self._settings)
        try:
            found = await current_revision(db)
            if found == head_revision():
                return True  # nothing to wait for, though somebody may hold the ledger's lock
            if found is None:
                # An empty ledger is a lost one: filling it would turn the province into nobody.
                log.error("the ledger is empty: restore it, or make a new installation with `mailgov init`")
                return False
            await migrate(db)
        except LedgerUnavailable as error:
            log.warning("ledger away, its schema waits", cause=str(error))
            return False
        finally:
            await db.dispose()
        return True

    async def _migrate(self, *, again: bool) -> None:
        """Ask again until the ledger is there."""
        while again:
            await asyncio.sleep(MIGRATE_RETRY_S)
            again = not await self._migrated()

    # --- children -------------------------------------------------------------------------

    def _specs(self) -> list[ChildSpec]:
        def fds(*names: str) -> dict[str, list[int]]:
            return {name: [s.fileno() for s in self._sockets[name]] for name in names}

        specs = []
        common = {"config": str(self._config), "life_fd": self._life[0]}
        if "relay" in self._roles:
            names = tuple(listener_names(self._settings))
            specs += [
                ChildSpec(role="relay", index=i, count=self._workers, sockets=fds(*names), **common)  # type: ignore[arg-type]  # str and int
                for i in range(self._workers)
            ]
            if "sink" in self._sockets:
                specs.append(ChildSpec(role="sink", sockets=fds("sink"), **common))  # type: ignore[arg-type]  # as above
        if "web" in self._roles:
            specs.append(ChildSpec(role="web", sockets=fds("http"), **common))  # type: ignore[arg-type]  # as above
        if "imap" in self._roles:
            names = tuple(imap_listener_names(self._settings))
            specs.append(ChildSpec(role="imap", sockets=fds(*names), **common))  # type: ignore[arg-type]  # as above
        return specs

    async def _keep(self, child: _Child) -> None:
        """Run a child; start it again when it dies, until we stop."""
        failures = 0
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                code = await self._run(child)
            except OSError as error:  # no room for a process now
                log.error("worker not started", worker=child.spec.name, cause=str(error))
                code = -1
            if self._stop.is_set():
                return
            failures = 1 if time.monotonic() - started > 60 else failures + 1
            wait = RESTART_S[min(failures, len(RESTART_S)) - 1]
            log.error("worker died", worker=child.spec.name, code=code, restart_in_s=wait)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)

    async def _run(self, child: _Child) -> int:
        ready_read, ready_write = os.pipe()
        spec = asdict(child.spec) | {"ready_fd": ready_write}
        fds = [fd for group in child.spec.sockets.values() for fd in group]
        try:
            # -P: else the folder that serve was started in would be the first to import from.
            child.process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "mailgov.child", json.dumps(spec),
                pass_fds=[*fds, ready_write, self._life[0]], stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError:
            os.close(ready_read)
            raise
        finally:
            os.close(ready_write)
        loop = asyncio.get_running_loop()
        loop.add_reader(ready_read, self._note_ready, child, ready_read)
        try:
            return await child.process.wait()
        finally:
            child.ready, child.process = False, None
            loop.remove_reader(ready_read)
            os.close(ready_read)

    @staticmethod
    def _note_ready(child: _Child, fd: int) -> None:
        child.ready = os.read(fd, 1) == b"1"
        asyncio.get_running_loop().remove_reader(fd)

    async def _announce(self) -> None:
        """Say that everything is up, once it is."""
        end = time.monotonic() + READY_S
        while not all(child.ready for child in self._children):
            if time.monotonic() > end:
                missing = [child.spec.name for child in self._children if not child.ready]
                log.error("not ready in time", workers=missing)
                return
            await asyncio.sleep(0.05)
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
            if child.process is not None:
                child.process.send_signal(signal.SIGHUP)

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


def _listen(name: str, host: str, port: int) -> socket.socket:
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(info[0], socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(info[4])
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        raise ServeError(f"cannot listen on {host}:{port} ({name}): {error.strerror or error}") from None
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
    ready = None if settings.demo.sink is None else Ready.read(settings.data_dir)
    if ready is not None:
        lines += ["", ready.text(settings).rstrip()]
    return "\n".join(lines)
