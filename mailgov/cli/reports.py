"""`mailgov reports …`: what other providers say of mail in our name."""

from __future__ import annotations

from typing import Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption
from mailgov.cli.figures import Form, PeriodOption

reports = typer.Typer(help="What other providers report of mail in our name.", rich_markup_mode=None)

FormOption = Annotated[Form, typer.Option("--format", help="csv is for a spreadsheet.")]
_SHOWN = {
    "dmarc": ("day", "reporter", "domain", "source", "result", "dkim", "spf", "count"),
    "tls": ("day", "reporter", "domain", "source", "result", "policy", "host", "count"),
}


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(reports, name="reports")


@reports.command("dmarc")
def reports_dmarc(
    period: PeriodOption = None,
    form: FormOption = Form.TEXT,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """DMARC aggregate reports (RFC 9990): from where mail in our name came, and whether it was proven."""
    _print("dmarc", period, Form.JSON if as_json else form, config)


@reports.command("tls")
def reports_tls(
    period: PeriodOption = None,
    form: FormOption = Form.TEXT,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """TLS reports (RFC 8460): how often others reached us encrypted, and why not."""
    _print("tls", period, Form.JSON if as_json else form, config)


def _print(kind: str, period: str | None, form: Form, config: ConfigOption) -> None:
    from mailgov.admin import sender_reports

    found = common.act(
        config, lambda ctx, actor: sender_reports.show_reports(ctx, actor, kind, period=period)
    )
    if form is Form.JSON:
        common.print_json(found)
    elif form is Form.CSV:
        common.say_exactly(found.to_csv())
    else:
        columns = _SHOWN[kind]
        common.print_table(columns, [[getattr(line, name) for name in columns] for line in found.lines])
        if found.more:
            common.say(f"and more: these are the latest {len(found.lines)} lines")
