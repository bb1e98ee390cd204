"""`mailgov queue …` and `mailgov trace`."""

from __future__ import annotations

import typer

queue = typer.Typer(help="Messages on their way.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(queue, name="queue")
