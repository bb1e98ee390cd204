"""`mailgov doctor`: is the installation fit for use?"""

from __future__ import annotations

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("doctor")(doctor)


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at settings, certificate, ledger, policy, keys and services; exit 1 for what stops mail."""
    from mailgov.admin import doctor as acts
    from mailgov.config import find_settings_file

    path = find_settings_file(common.config_path(config))
    found = common.act(config, lambda ctx, actor: acts.doctor(ctx, actor, path))
    if as_json:
        common.print_json({"findings": [common.plain(one) for one in found]})
    else:
        for one in found:
            common.say(common.cell(f"{one.level}: {one.place}: {one.detail}"))
        if not found:
            common.say("all is as it should be")
    if any(one.level == "problem" for one in found):
        raise typer.Exit(1)
