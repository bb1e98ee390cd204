"""`mailgov reports …`: what other providers say of mail in our name, and how we reached them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption
from mailgov.cli.figures import Form, PeriodOption

_SHOWN = {
    "dmarc": ("day", "reporter", "domain", "source", "result", "dkim", "spf", "count"),
    "tls": ("day", "reporter", "domain", "source", "result", "policy", "host", "count"),
    "tls-out": ("day", "domain", "policy", "host", "result", "count"),
}


class Kind(StrEnum):
    """Of reports."""

    DMARC = "dmarc"
    TLS = "tls"
    TLS_OUT = "tls-out"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("reports")(reports)


def reports(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="dmarc|tls|tls-out",
            help="dmarc (RFC 9990): from where mail in our name came, and whether it was proven. "
            "tls (RFC 8460): how often others reached us encrypted, and why not. "
            "tls-out: how often we reached them, as we counted it.",
        ),
    ],
    period: PeriodOption = None,
    form: Annotated[Form, typer.Option("--format", help="csv is for a spreadsheet.")] = Form.TEXT,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what other providers report of mail in our name, or how encrypted we reached them."""
    from mailgov.admin import sender_reports

    found = common.act(
        config, lambda ctx, actor: sender_reports.show_reports(ctx, actor, kind.value, period=period)
    )
    if as_json or form is Form.JSON:
        common.print_json(found)
    elif form is Form.CSV:
        common.say_exactly(found.to_csv())
    else:
        columns = _SHOWN[kind.value]
        common.print_table(columns, [[getattr(line, name) for name in columns] for line in found.lines])
        if found.more:
            common.say(f"and more: these are the latest {len(found.lines)} lines")
