"""Logs: one event a line, for people on a terminal, as JSON otherwise.

Hostile text stays inside its line: control characters are escaped in both forms.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog

VALUE_LENGTH_LIMIT = 2000
_LEVELS = {"warn": "warning", "exception": "error"}
"""Of methods that are not called like theirs."""
GATHER_S = 0.05
"""A line waits for others at most so long, while the loop runs: one write for many. A kill loses no more."""
GATHER_LIMIT = 65_536
"""Characters that wait; at more they are written at once."""

Event = MutableMapping[str, Any]


class Lines:
    """Standard error as it is now: straight, or gathered for a moment where a loop says when to write."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # what a garbage collection tells may come in the middle
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiting: list[str] = []
        self._size = 0

    def put(self, line: str, *, urgent: bool = False) -> None:
        """Write one line, after those before it; what cannot be written is lost. Never raises."""
        with self._lock:
            if self._loop is None:
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(line + "\n")
                    sys.stderr.flush()
                return
            here = threading.get_ident() == self._thread
            if not self._waiting and here and not urgent:
                self._loop.call_later(GATHER_S, self.flush)
            self._waiting.append(line)
            self._size += len(line)
            if urgent or not here or self._size > GATHER_LIMIT:
                self._write()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._write()

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Until this ends, lines of the running loop's thread wait a little; nothing waits after it."""
        self._thread, self._loop = threading.get_ident(), asyncio.get_running_loop()
        try:
            yield
        finally:
            self._loop = None
            self.flush()

    def _write(self) -> None:
        """In pieces that a pipe takes whole, so that lines of several processes do not mix."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        piece = b""
        with contextlib.suppress(OSError, ValueError):
            for text in waiting:
                line = text.encode("utf-8", "backslashreplace") + b"\n"
                if piece and len(piece) + len(line) > select.PIPE_BUF:
                    _write_all(piece)
                    piece = b""
                piece += line
            _write_all(piece)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stderr.fileno(), data) :]


lines = Lines()
"""Of this process."""


class HarmlessLogger:
    """Writes lines to the process's standard error as it is now, and never raises.

    A full disk or a reader that went away must not stop mail, nor turn into a reply.
    """

    def msg(self, message: str) -> None:
        """Write one line, soon."""
        lines.put(message)

    def failure(self, message: str) -> None:
        """Write one line at once: perhaps nothing comes after it."""
        lines.put(message, urgent=True)

    log = debug = info = warn = warning = msg
    error = critical = exception = fatal = failure


def told(event: str, **more: object) -> None:
    """As a logger's `info`, for the lines that come with every message: a logger's way costs thrice that."""
    if _json_line is None:
        _log.info(event, **more)
    else:
        more["event"] = event
        lines.put(_json_line.of("info", more))


def configure_logs() -> None:
    """Set up once per process: our own rooms speak from INFO on, libraries from WARNING on."""
    global _json_line  # noqa: PLW0603 - one process has one standard error
    terminal = not sys.stderr.closed and sys.stderr.isatty()
    for_people: list[Any] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.add_log_level,
        _name_process,
        structlog.processors.format_exc_info,
        _harmless,
        structlog.dev.ConsoleRenderer(),
    ]
    _json_line = None if terminal else JsonLine()
    structlog.configure(
        processors=for_people if _json_line is None else [_json_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: HarmlessLogger(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)r")
    logging.getLogger("mail.log").setLevel(logging.ERROR)


class JsonLine:
    """All that makes an event a line of JSON, in one step: two of them come with every message."""

    def __init__(self) -> None:
        self._encode = json.JSONEncoder(ensure_ascii=False, default=repr).encode
        self._second = (0, "")
        """The last second that was written, and how."""

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, method, event)
        return self.of(_LEVELS.get(method, method), event)

    def of(self, level: str, event: Event) -> str:
        """The line of one event."""
        event["timestamp"] = self._now()
        event["level"] = level
        event["pid"] = os.getpid()
        line = self._encode(event)
        if len(line) <= VALUE_LENGTH_LIMIT and line.isprintable() and "\\" not in line:
            return line  # JSON escapes what `_harmless` would, so there is nothing for it to do
        return self._encode(_harmless(None, level, event))

    def _now(self) -> str:
        second, rest = divmod(time.time_ns() // 1000, 1_000_000)
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, text
        return f"{text}.{rest:06d}Z"


def _name_process(_logger: Any, _method: str, event: Event) -> Event:
    event["pid"] = os.getpid()
    return event


def _harmless(_logger: Any, _method: str, event: Event) -> Event:
    """Control characters and line separators escaped, long values cut; tracebacks keep their lines."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            shown = value if value.isprintable() else value.encode("unicode_escape").decode("ascii")
            event[key] = shown[:VALUE_LENGTH_LIMIT]
    return event


_log = structlog.get_logger()
_json_line: JsonLine | None = None
"""What makes lines of events, where they are JSON."""
