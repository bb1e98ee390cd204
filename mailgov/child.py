"""A worker process of `mailgov serve`: `python -m mailgov.child SPEC`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import structlog
import uvloop

from mailgov.config import ConfigError, load_settings, placed
from mailgov.config.kept import keep, kept
from mailgov.logs import configure_logs, lines
from mailgov.settings import Settings

log = structlog.get_logger()

HELD_RETRY_S = 15.0
"""How long a worker waits for a predecessor to let go of its spool."""

YOUNG_OBJECTS = 5000
"""A look through those that came since the last one frees little, and costs the caches too: seldom, then."""

SERVING, READY, REFUSED = b"s", b"1", b"!"
"""What a child tells the supervisor: it serves something, all, or nothing; after the last comes why."""
EX_DATAERR, EX_CONFIG = 65, 78  # sysexits.h

Sockets = dict[str, tuple[socket.socket, ...]]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What the supervisor tells a child. Sockets are file descriptors by listener name."""

    role: str
    config: str
    sockets: dict[str, list[int]]
    life_fd: int
    """Its end of file says that the supervisor is gone: a worker does not outlive it."""
    index: int = 0
    count: int = 1
    ready_fd: int = -1
    kept_fd: int = -1
    """Where a relay worker keeps what it runs with: see `config.kept`."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.role}.{self.index}" if self.role == "relay" else self.role


@dataclass(frozen=True, slots=True)
class Running:
    """A role at work. `rise` brings up what it can serve without; it is cancelled by a stop."""

    stop: Callable[[], Awaitable[None]]
    reload: Callable[[], Awaitable[None]]
    rise: Callable[[], Awaitable[None]] | None = None


def main(argument: str) -> int:
    """Run one worker until it is told to stop.

    0 after a clean stop, 78 where the settings will not do, 65 where what lies on the disk will not.
    """
    gc.disable()  # until it is up: what imports make is no garbage; looking for some took a sixth of a start
    configure_logs()
    _raise_descriptor_limit()
    spec = ChildSpec(**json.loads(argument))
    try:
        return uvloop.run(_schema(spec) if spec.role == "schema" else _run(spec))
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        os.write(
            spec.ready_fd, REFUSED + placed(error, spec.config).encode("utf-8", "backslashreplace")[:4000]
        )
        return refusal


def _refusal(error: Exception) -> int | None:
    """The exit status for what stays wrong until a person acts: starting again does not help."""
    from mailgov.policy import PolicyError
    from mailgov.store.spool import SpoolUnfit

    if isinstance(error, SpoolUnfit):
        return EX_DATAERR
    return EX_CONFIG if isinstance(error, (ConfigError, PolicyError)) else None


def _raise_descriptor_limit() -> None:
    """To what the system allows: the common default of 1024 is less than the sessions of three listeners."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(spec: ChildSpec) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    sockets = {name: tuple(socket.socket(fileno=fd) for fd in fds) for name, fds in spec.sockets.items()}
    for group in sockets.values():
        for listening in group:
            listening.setblocking(False)
    running = await _started(spec, sockets)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(running.reload()))
    loop.add_reader(spec.life_fd, stop.set)
    with lines.gathered():
        try:
            if running.rise is not None:
                os.write(spec.ready_fd, SERVING)
                await _risen(running.rise, stop)
            gc.freeze()  # it stays to the end: no later look goes through it
            gc.set_threshold(YOUNG_OBJECTS)
            gc.enable()
            os.write(spec.ready_fd, READY)
            await stop.wait()
        finally:
            loop.remove_reader(spec.life_fd)
            await running.stop()
    return 0


async def _started(spec: ChildSpec, sockets: Sockets) -> Running:
    """By the file; where that cannot be used, by what the worker before it ran with. Raises ConfigError."""
    start = {"relay": _relay, "web": _web, "imap": _imap, "sink": _sink}[spec.role]
    try:
        return await start(spec, load_settings(Path(spec.config)), sockets)
    except ConfigError as error:
        last = kept(spec.kept_fd)
        if last is None:
            raise
        log.error("settings cannot be used, those before them are", problem=str(error))
    return await start(spec, last, sockets)


async def _risen(rise: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Until it is done, or there is no use in it any more."""
    rising, stopping = asyncio.ensure_future(rise()), asyncio.ensure_future(stop.wait())
    await asyncio.wait([rising, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if rising.done():
        await rising
    else:
        rising.cancel()
        await asyncio.wait([rising])


async def _schema(spec: ChildSpec) -> int:
    """Not a worker: the ledger's schema once, 1 when the ledger is away."""
    from mailgov.config.schema import bring_up_schema

    return 0 if await bring_up_schema(load_settings(Path(spec.config))) else 1


async def _relay(spec: ChildSpec, settings: Settings, sockets: Sockets) -> Running:
    from mailgov.config.relay import build_relay
    from mailgov.store.spool import SpoolHeld

    loop = asyncio.get_running_loop()
    end = loop.time() + HELD_RETRY_S
    waited = False
    reread = partial(load_settings, Path(spec.config))
    while True:
        try:
            worker = await loop.run_in_executor(None, build_relay, settings, spec.index, spec.count, reread)
            break
        except SpoolHeld as error:
            if loop.time() > end:
                raise
            if not waited:
                log.warning("spool still held, waiting", cause=str(error))
            waited = True
            await asyncio.sleep(0.2)
    if spec.index == 0:
        for warning in worker.node.policy.policy.warnings:
            log.warning("policy", note=warning)
    await worker.start(sockets)
    keep(spec.kept_fd, worker.node.settings)

    async def reload() -> None:
        await worker.reload()
        keep(spec.kept_fd, worker.node.settings)

    async def stop() -> None:
        """The ports first: who comes after a supervisor that was killed waits for them."""
        stopping = asyncio.ensure_future(worker.stop())
        await asyncio.sleep(0)  # it accepts no more from here on
        for listening in chain.from_iterable(sockets.values()):
            listening.close()
        await stopping

    return Running(stop, reload, partial(worker.rise, sockets))


async def _web(_spec: ChildSpec, settings: Settings, sockets: Sockets) -> Running:
    import uvicorn

    from mailgov.api.connections import bounded
    from mailgov.config.web import build_web

    class Server(uvicorn.Server):
        """uvicorn without its own signal handling: the process has one already."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    web = build_web(settings)
    server = Server(
        uvicorn.Config(
            web.app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=5, timeout_keep_alive=30, lifespan="off", http=bounded(settings.http),
        )
    )  # fmt: skip
    following = asyncio.ensure_future(web.follow())
    serving = asyncio.ensure_future(server.serve(sockets=list(sockets["http"])))

    async def stop() -> None:
        server.should_exit = True
        await asyncio.wait([serving], timeout=10)
        following.cancel()
        await web.close()

    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn sets a flag, not an event
        await asyncio.sleep(0.01)
    return Running(stop, web.reload)


async def _imap(_spec: ChildSpec, settings: Settings, sockets: Sockets) -> Running:
    from mailgov.config.imap import build_imap, check_imap

    check_imap(settings)
    service = build_imap(settings)
    await service.start(sockets)
    return Running(service.stop, service.reload)


async def _sink(_spec: ChildSpec, settings: Settings, sockets: Sockets) -> Running:
    from mailgov.relay.sink import Sink, sink_protocol

    loop = asyncio.get_running_loop()
    handler = Sink(settings.data_dir / "outside")
    protocol = sink_protocol(handler, "outside.example", settings.smtp.size_limit_bytes)
    servers = [await loop.create_server(protocol, sock=listening) for listening in sockets["sink"]]

    async def stop() -> None:
        for server in servers:
            server.close()

    async def reload() -> None:
        return None

    return Running(stop, reload)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except Exception as failure:
        log.error("worker failed", exc_info=failure)
        sys.exit(1)
