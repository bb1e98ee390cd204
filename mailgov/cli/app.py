"""The commands together, and what becomes of an error: one clear line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from mailgov.cli import (
    accounts,
    aliases,
    backup,
    classes,
    common,
    declare,
    directory,
    dkim,
    doctor,
    exemptions,
    figures,
    keys,
    policy,
    queue,
    reports,
    seats,
    service,
    trace,
    transfer,
)

OK, REFUSED, USAGE = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="mailgov",
    help="Self-hosted government email and mail-usage policy service.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(config: common.ConfigOption = None) -> None:
    common.given_before_command(config)


_ROOMS = (
    service,
    directory,
    accounts,
    seats,
    aliases,
    transfer,
    dkim,
    keys,
    policy,
    queue,
    trace,
    figures,
    reports,
    declare,
    exemptions,
    classes,
    backup,
    doctor,
)
for _module in _ROOMS:
    _module.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code: 0 done, 1 refused and nothing changed, 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # text streams in a program
    try:
        result = app(args=list(arguments), prog_name="mailgov", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else OK
    except TyperException as error:
        return _refuse(_with_hint(error), error.exit_code)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort of a program: one line, never a traceback
        return _refuse(common.explained(error) or _unexpected(error), REFUSED)


def _refuse(text: str, code: int) -> int:
    line = " ".join(text.split())
    print("error: " + "".join(sign if sign.isprintable() else "?" for sign in line), file=sys.stderr)
    return code


def _with_hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    said = error.format_message().replace(": Value error, ", ": ", 1)  # the validator's own words
    return said.rstrip(".") + hint


def _unexpected(error: Exception) -> str:
    """One line, with the traceback put where only whoever ran the command reads it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="mailgov-error-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
    ) as log:
        traceback.print_exception(error, file=log)
    return f"unexpected {type(error).__name__}: {error}; please report it with {log.name}"
