"""Logs: one event a line, for people on a terminal, as JSON otherwise.

Hostile text stays inside its line: control characters are escaped in both forms.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

VALUE_LENGTH_LIMIT = 2000


class HarmlessLogger:
    """Writes lines to the process's standard error as it is now, and never raises.

    A full disk or a reader that went away must not stop mail, nor turn into a reply.
    """

    def msg(self, message: str) -> None:
        """Write one line; what cannot be written is lost."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    log = debug = info = warn = warning = error = critical = exception = fatal = msg


def configure_logs() -> None:
    """Set up once per process: our own rooms speak from INFO on, libraries from WARNING on."""
    terminal = not sys.stderr.closed and sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            _name_process,
            structlog.processors.format_exc_info,
            _harmless,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: HarmlessLogger(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)r")
    logging.getLogger("mail.log").setLevel(logging.ERROR)


def _name_process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["pid"] = os.getpid()
    return event


def _harmless(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Control characters and line separators escaped, long values cut; tracebacks keep their lines."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            shown = value if value.isprintable() else value.encode("unicode_escape").decode("ascii")
            event[key] = shown[:VALUE_LENGTH_LIMIT]
    return event
