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
from pathlib import Path
from typing import Any

import structlog
import uvloop

from mailgov.config import load_settings
from mailgov.logs import configure_logs, lines
from mailgov.settings import Settings

log = structlog.get_logger()

HELD_RETRY_S = 15.0
"""How long a worker waits for a predecessor to let go of its spool."""

Stopper = Callable[[], Awaitable[None]]
Reloader = Callable[[], Awaitable[None]]
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
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.role}.{self.index}" if self.role == "relay" else self.role


def main(argument: str) -> int:
    """Run one worker until it is told to stop; 0 after a clean stop."""
    gc.disable()  # until it is up: what imports make is no garbage; looking for some took a sixth of a start
    configure_logs()
    _raise_descriptor_limit()
    spec = ChildSpec(**json.loads(argument))
    return uvloop.run(_run(spec))


def _raise_descriptor_limit() -> None:
    """To what the system allows: the common default of 1024 is less than the sessions of three listeners."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(spec: ChildSpec) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    settings = load_settings(Path(spec.config))
    sockets = {name: tuple(socket.socket(fileno=fd) for fd in fds) for name, fds in spec.sockets.items()}
    for group in sockets.values():
        for listening in group:
            listening.setblocking(False)
    start = {"relay": _relay, "web": _web, "imap": _imap, "sink": _sink}[spec.role]
    stopper, reloader = await start(spec, settings, sockets)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(reloader()))
    loop.add_reader(spec.life_fd, stop.set)
    gc.freeze()  # it stays to the end: no later look goes through it
    gc.enable()
    os.write(spec.ready_fd, b"1")
    os.close(spec.ready_fd)
    with lines.gathered():
        await stop.wait()
        loop.remove_reader(spec.life_fd)
        await stopper()
    return 0


async def _relay(spec: ChildSpec, settings: Settings, sockets: Sockets) -> tuple[Stopper, Reloader]:
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
    await worker.start(sockets)
    return worker.stop, worker.reload


async def _web(_spec: ChildSpec, settings: Settings, sockets: Sockets) -> tuple[Stopper, Reloader]:
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
    return stop, web.reload


async def _imap(_spec: ChildSpec, settings: Settings, sockets: Sockets) -> tuple[Stopper, Reloader]:
    from mailgov.config.imap import build_imap

    service = build_imap(settings)
    await service.start(sockets)
    return service.stop, service.reload


async def _sink(_spec: ChildSpec, settings: Settings, sockets: Sockets) -> tuple[Stopper, Reloader]:
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

    return stop, reload


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except Exception as failure:
        log.error("worker failed", exc_info=failure)
        sys.exit(1)
