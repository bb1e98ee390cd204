"""`mailgov init`, `mailgov serve` and `mailgov reload`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import common
from mailgov.cli.common import ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.context import AdminContext
    from mailgov.admin.setup import Operator
    from mailgov.ops.demo.ready import Ready
    from mailgov.ops.init import Plan


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("init")(init)
    app.command("serve")(serve)
    app.command("reload")(reload)


def init(
    domain: Annotated[str, typer.Option(metavar="D", help="The first mail domain.")],
    hostname: Annotated[
        str | None, typer.Option(help="The name that the world knows it by.", show_default="mail.D")
    ] = None,
    data: Annotated[str, typer.Option(metavar="DIR", help="The data folder.")] = "var",
    province: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The province's name.", show_default="Cao Bằng for caobang.gov.vn"),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Fill it with a made-up province.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new installation: settings, certificate, ledger, domain, operator, DKIM key."""
    from mailgov.admin import rules, setup
    from mailgov.config import load_settings
    from mailgov.ops import files
    from mailgov.ops.init import SETTINGS_FILE_MODE, settings_text

    path = (common.config_path(config) or Path("mailgov.toml")).absolute()
    if path.exists():
        raise common.Refused(f"{path} is there already: an installation is never overwritten")
    if not path.parent.is_dir():
        raise common.Refused(f"no such folder: {path.parent}")
    name = rules.domain_name(domain)
    plan = _plan(name, rules.domain_name(hostname or f"mail.{name}"), data, path.parent, province, demo=demo)
    # The draft becomes the settings file when all else is done: until then, nothing says "ready".
    draft = path.with_name(f".{path.name}.draft")
    text = settings_text(plan)
    files.replace(draft, text.encode(), SETTINGS_FILE_MODE)
    try:
        settings = load_settings(draft)
        setup.check_folder(settings.data_dir, path)  # before a ledger is made in it
        operator, ready = common.act_with(settings, lambda ctx, _: _make(ctx, path, plan), create=True)
        files.write_new(path, text.encode(), SETTINGS_FILE_MODE)
    finally:
        draft.unlink(missing_ok=True)
    _report(path, plan, operator, ready, ready.text(settings) if ready else "", as_json=as_json)


def _plan(domain: str, hostname: str, data: str, folder: Path, province: str | None, *, demo: bool) -> Plan:
    from mailgov.admin import rules
    from mailgov.config import default_policy_directory
    from mailgov.ops.init import SHIPPED_DOMAIN, SHIPPED_PROVINCE, Plan

    if province is None:
        if domain != SHIPPED_DOMAIN:
            common.usage_error(f"name the province that {domain} is of: --province NAME")
        province = SHIPPED_PROVINCE

    if not data or any(sign in data for sign in "?#\n"):
        raise common.Refused("the data folder's name cannot be empty, nor have ? # or a line end in it")
    own = folder / "policy"
    policy = "policy" if own.is_dir() else str(default_policy_directory())
    return Plan(
        domain=domain,
        hostname=hostname,
        data_dir=data,
        policy_directory=policy,
        province=rules.display_name(province, "province's name"),
        demo=demo,
    )


async def _make(ctx: AdminContext, path: Path, plan: Plan) -> tuple[Operator, Ready | None]:
    from mailgov.admin import demo, setup

    await setup.take_folder(ctx, path)
    setup.make_files(ctx, plan)
    if not plan.demo:
        return await setup.set_up(ctx, plan.domain), None
    agency = demo.operating_agency(plan.domain).span
    operator = await setup.set_up(ctx, plan.domain, agency=agency)
    return operator, await demo.make_demo(ctx, plan.domain, operator)


def _report(
    path: Path, plan: Plan, operator: Operator, ready: Ready | None, notes: str, *, as_json: bool
) -> None:
    from mailgov.ops.dns import records

    found = records(plan.domain, plan.hostname, operator.keys)
    if as_json:
        common.print_json(
            {
                "settings": path,
                "operator": operator.address,
                "password": operator.password,
                "demo": None if ready is None else common.plain(ready),
                "records": found,
            }
        )
        return
    common.say(f"made {path}")
    if ready is not None:
        common.say("a demo province with a month of sample traffic; how to sign in:\n")
        common.say(notes)
        _say_whose_rules(path, plan)
        return
    common.say(f"operator account: {operator.address}")
    common.say(f"operator password (shown this once): {operator.password}")
    common.say("\npublish these records:")
    for record in found:
        common.say(record.line())
    common.say(
        "\nnext: mailgov agency add, mailgov account add, then mailgov serve; the certificate is\n"
        "self-signed: put your own in its place before the service faces the world"
    )
    _say_whose_rules(path, plan)


def _say_whose_rules(path: Path, plan: Plan) -> None:
    from mailgov.ops.init import SHIPPED_PROVINCE

    if plan.province == SHIPPED_PROVINCE:
        return
    shipped, own = path.parent / plan.policy_directory, path.parent / "policy"
    copy = "" if shipped == own else f"copy that folder to {own}, "
    common.say(
        f"\nthe rules in {shipped} cite {SHIPPED_PROVINCE}'s directive, in their replies too.\n"
        f"For {plan.province}, {copy}describe your document in a file of\n"
        "its own under directives/, name it as `document` in rules.toml, and name folder and document\n"
        f"in {path} ([policy] directory, [province] directives)"
    )


def serve(
    role: Annotated[
        list[str] | None,
        typer.Option(help="relay, web or imap; may be given again.", show_default="relay and web"),
    ] = None,
    imap: Annotated[bool, typer.Option("--imap", help="Let people read their mail too (Dovecot).")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Relay workers.")] = 1,
    config: ConfigOption = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    from mailgov.config import find_settings_file
    from mailgov.serve import ROLES, ServeError
    from mailgov.serve import serve as run

    path = find_settings_file(common.config_path(config))
    settings = common.read_settings(path)
    roles = (*(role or ROLES), *(["imap"] if imap else []))
    try:
        code = run(settings, path, tuple(dict.fromkeys(roles)), workers)
    except ServeError as error:
        raise common.Refused(str(error)) from error
    raise typer.Exit(code)


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let the running service read routes, delivery settings, rules and certificates again."""
    from mailgov.config import ConfigError, find_settings_file, placed
    from mailgov.config.relay import check_relay
    from mailgov.ops import running
    from mailgov.policy import PolicyError

    file = find_settings_file(common.config_path(config), os.environ)
    settings = common.read_settings(file)
    try:
        check_relay(settings)
    except (ConfigError, PolicyError, OSError) as error:
        raise common.Refused(f"nothing reloaded: {placed(error, file)}") from None
    try:
        told = running.hang_up(settings.data_dir)
    except PermissionError:
        raise common.Refused("the service is another account's: run this as that one, or as root") from None
    if not told:
        raise common.Refused(f"no service runs on {settings.data_dir}")
    if as_json:
        common.print_json({"told": told})
        return
    common.say("told to read its settings again; the log says what came of it")
