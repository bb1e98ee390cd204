"""What commands share: the settings file, the road to `admin`, and how data is printed."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import re
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.settings import Settings

T = TypeVar("T")


def parse_day(text: str) -> datetime.date:
    """`2025-03-01` or `01/03/2025`."""
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            pass
    raise typer.BadParameter(f"{text!r} is not a day: write 2025-03-01 or 01/03/2025")


def parse_period(text: str) -> str:
    """The text, once it is known to be a period."""
    from mailgov.usage.periods import PeriodError, parse

    try:
        parse(text)
    except PeriodError as error:
        raise typer.BadParameter(str(error)) from error
    return text


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings file. Default: $MAILGOV_CONFIG, ./mailgov.toml, /etc/mailgov/mailgov.toml.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DayOption = Annotated[
    datetime.date | None,
    typer.Option(parser=parse_day, metavar="DAY", help="The day it takes effect.", show_default="today"),
]
UntilOption = Annotated[
    datetime.date | None,
    typer.Option("--until", parser=parse_day, metavar="DAY", help="The first day without it."),
]
AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS")]
CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="The agency's code.")]

NO_SUCH_TABLE = "42P01"
"""PostgreSQL's SQLSTATE for it."""

_before: dict[str, Path | None] = {}


class Refused(Exception):
    """Nothing was changed; the text is one clear line."""


def given_before_command(config: Path | None) -> None:
    """Remember a `--config` that stood before the command's name."""
    _before["config"] = config


def config_path(config: Path | None) -> Path | None:
    """The settings file that was named, if any."""
    return config or _before.get("config")


def read_settings(config: Path | None) -> Settings:
    """The settings; raises `config.ConfigError`."""
    from mailgov.config import load_settings

    return load_settings(config_path(config))


def explained(error: Exception) -> str | None:
    """The line for an error that somebody foresaw; None for any other."""
    from mailgov.config import ConfigError

    if isinstance(error, (Refused, ConfigError)):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if "mailgov.admin.errors" in sys.modules:
        from mailgov.admin.errors import AdminError

        if isinstance(error, AdminError):
            return error.detail
    if "mailgov.store.engine" in sys.modules:
        from mailgov.store.engine import LedgerUnavailable

        if isinstance(error, LedgerUnavailable):
            return _unavailable(error)
    return None


def _unavailable(error: Exception) -> str:
    """A ledger without file or schema was perhaps never made; one that is locked or down was."""
    text = str(error).removeprefix("the ledger cannot be used: ")
    state = getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
    if isinstance(error.__cause__, FileNotFoundError) or "no such table" in text or state == NO_SUCH_TABLE:
        return f"the ledger is away: {text}; was `mailgov init` run?"
    return str(error)


def usage_error(text: str) -> NoReturn:
    """End with exit code 2: options that do not go together."""
    error = TyperException(text)
    error.exit_code = 2
    raise error


def act(config: Path | None, work: Callable[[AdminContext, Actor], Awaitable[T]]) -> T:
    """Run acts on the installation that the settings name, as the operator at this machine."""
    return act_with(read_settings(config), work)


def act_with(
    settings: Settings, work: Callable[[AdminContext, Actor], Awaitable[T]], *, create: bool = False
) -> T:
    """As `act`, with settings at hand; `create` makes a ledger where there is none, for `init` alone."""
    import secrets
    import time

    from mailgov.admin.context import Actor, AdminContext
    from mailgov.config.parts import open_database
    from mailgov.identity.roles import Role

    async def main() -> T:
        ledger = open_database(settings, create=create)
        try:
            ctx = AdminContext(ledger, settings, lambda: time.time_ns() // 1_000_000, secrets.token_hex)
            return await work(ctx, Actor(_who(), Role.OPERATOR))
        finally:
            await ledger.dispose()

    return asyncio.run(main())


def _who() -> str:
    """The system's name of whoever runs the command."""
    import os
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"cli:{name}"


def say(text: str) -> None:
    """A line for people."""
    print(text)


def say_exactly(text: str) -> None:
    """A file for programs on standard output: UTF-8 whatever the terminal, line ends as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def warn(text: str) -> None:
    """A line for people beside the answer, on standard error: it was done, but."""
    print(f"warning: {cell(text)}", file=sys.stderr)


# What steers or deceives a terminal and JSON leaves as it is: C1, and signs that turn text or hide in it.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)


def print_json(data: Any) -> None:
    """Data as JSON; dataclasses become objects, days ISO texts. What cannot be seen is escaped."""
    text = json.dumps(plain(data), ensure_ascii=False, indent=2)
    print(_UNSEEN.sub(lambda sign: json.dumps(sign[0])[1:-1], text))


def plain(data: Any) -> Any:
    """Data as JSON has it."""
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in dataclasses.fields(data)}
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple, set, frozenset)):
        return [plain(value) for value in data]
    if data is None or isinstance(data, (bool, int, float)):
        return data
    return str(data)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; nothing but the headers when there are no rows."""
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max(width(row[at]) for row in (headers, *texts)) for at in range(len(headers))]
    for row in (headers, *texts):
        padded = [text + " " * (widths[at] - width(text)) for at, text in enumerate(row)]
        say("  ".join(padded).rstrip())


def print_fields(fields: dict[str, object]) -> None:
    """One `name: value` on a line, values aligned; a list gets a line each."""
    indent = max(width(name) for name in fields) + 2
    for name, value in fields.items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        for at, one in enumerate(values or ["-"]):
            say((f"{name}:" if at == 0 else "").ljust(indent) + cell(one))


def cell(value: object) -> str:
    """A value for people, on one line."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(one) for one in value) or "-"
    return "".join(sign if sign.isprintable() else "?" for sign in unicodedata.normalize("NFC", str(value)))


def width(text: str) -> int:
    """Columns that a text takes: combining marks take none, wide signs two."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def count(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def local_time(at_ms: int | None, timezone: str) -> str | None:
    """A moment as the province writes it."""
    if at_ms is None:
        return None
    from zoneinfo import ZoneInfo

    return f"{datetime.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)):%d/%m/%Y %H:%M:%S}"


def read_password() -> str:
    """The first line of standard input, without its line end; never an argument, which `ps` shows."""
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("password: ")
    line = sys.stdin.readline(2048)
    if not line:
        raise Refused("no password came on standard input")
    return line.rstrip("\r\n")
