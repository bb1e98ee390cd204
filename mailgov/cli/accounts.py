"""`mailgov account …`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import AddressArgument, ConfigOption, DayOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.settings import Settings
    from mailgov.store.accounts import AccountView, Post

account = typer.Typer(help="Mailboxes with a sign-in.", rich_markup_mode=None)

PAGE = 1000
AgencyOption = Annotated[str | None, typer.Option("--agency", metavar="CODE", help="The agency's code.")]
ClassOption = Annotated[
    str | None,
    typer.Option("--class", help="A person's class: can_bo, cong_chuc, vien_chuc or khac."),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
]
PermanentOption = Annotated[
    bool,
    typer.Option(
        "--permanent",
        help="The password need not be changed: for devices, which cannot. "
        "Otherwise it is a first one, which opens nothing but the page where it is changed.",
    ),
]

LimitOption = Annotated[int | None, typer.Option()]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(account, name="account")


@account.command("add")
def account_add(
    address: AddressArgument,
    name: Annotated[str, typer.Option(help="The holder's name.")],
    kind: Annotated[str, typer.Option(help="personal, shared or functional.")] = "personal",
    agency: AgencyOption = None,
    person_class: ClassOption = None,
    since: Annotated[
        datetime.date | None,
        typer.Option("--from", parser=common.parse_day, metavar="DAY", help="The first day of the post."),
    ] = None,
    citizen_desk: Annotated[
        bool, typer.Option(help="A one-stop or reception desk: may write first.")
    ] = False,
    password_stdin: PasswordStdin = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="It cannot sign in yet.")] = False,
    permanent: PermanentOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account with a first password, which is printed this once, or read from standard input."""
    if password_stdin and no_password:
        common.usage_error("--password-stdin and --no-password do not go together")
    if permanent and no_password:
        common.usage_error("--permanent and --no-password do not go together")
    settings = common.read_settings(config)
    given = common.read_password() if password_stdin else None

    async def work(ctx: AdminContext, actor: Actor) -> tuple[AccountView, str | None]:
        from mailgov.admin import accounts
        from mailgov.identity.passwords import generate_password

        made = None if given is not None or no_password else generate_password(ctx.random)
        new = accounts.NewAccount(
            address=address,
            display_name=name,
            kind=kind,
            agency=agency,
            person_class=person_class,
            since=since,
            password=given if given is not None else made,
            first=made is not None and not permanent,
            must_change=given is not None and not permanent,
            citizen_desk=citizen_desk,
        )
        return await accounts.add_account(ctx, actor, new), made

    added, generated = common.act_with(settings, work)
    if as_json:
        told = {"password": generated} if permanent and generated else {"first_password": generated}
        bodies.print_account(settings, added, **told)
        return
    common.say(f"added {added.address}: {added.display_name}")
    if generated:
        _say_password(settings, generated, permanent=permanent)
    elif given is not None and not permanent:
        _say_first(settings)


def _say_password(settings: Settings, made: str, *, permanent: bool) -> None:
    if permanent:
        common.say(f"password (shown this once): {made}")
        return
    common.say(f"first password (shown this once): {made}")
    _say_first(settings)


def _say_first(settings: Settings) -> None:
    url = settings.http.public_url.rstrip("/")
    common.say(f"it opens nothing until its holder has changed it at {url}/sign-in")


@account.command("list")
def account_list(
    agency: AgencyOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the accounts, or those that serve in an agency today."""
    settings = common.read_settings(config)

    async def work(ctx: AdminContext, actor: Actor) -> tuple[list[AccountView], datetime.date]:
        from mailgov.admin import accounts

        found: list[AccountView] = []
        after = ""
        while page := await accounts.list_accounts(ctx, actor, agency=agency, after=after, limit=PAGE):
            found += page
            after = page[-1].address
        return found, ctx.today()

    found, today = common.act_with(settings, work)
    if as_json:
        common.print_json(bodies.accounts(settings, found))
        return
    rows = []
    for one in found:
        post = one.post_on(today)
        place = (post.agency_code, post.person_class) if post else (None, None)
        rows.append((one.address, one.display_name, one.kind, *place, _state(one)))
    common.print_table(("address", "name", "kind", "agency", "class", "state"), rows)


def _state(one: AccountView) -> str:
    if one.suspended_ms is not None:
        return "disabled"
    return "open" if one.has_password else "no password"


@account.command("show")
def account_show(address: AddressArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one account."""
    from mailgov.admin import accounts

    settings = common.read_settings(config)
    one = common.act_with(settings, lambda ctx, actor: accounts.show_account(ctx, actor, address))
    if as_json:
        bodies.print_account(settings, one)
        return
    posts = [
        f"{post.agency_code} {post.person_class or ''}  {post.valid_from or '…'} – {post.valid_until or '…'}"
        for post in one.posts
    ]
    common.print_fields(
        {
            "address": one.address,
            "name": one.display_name,
            "kind": one.kind,
            "state": _state(one),
            "made": common.local_time(one.created_ms, settings.province.timezone),
            "citizens' desk": one.citizen_desk,
            "sample": one.sample,
            "posts": posts,
            "writes as": [one.address, *one.grants],
            "registered": list(one.registered),
            "may send": [f"{name} {number or 'without limit'}" for name, number in one.limits.items()],
            "seats": [" of ".join(filter(None, (seat.role, seat.agency))) for seat in one.seats],
        }
    )


@account.command("edit")
def account_edit(
    address: AddressArgument,
    name: Annotated[str | None, typer.Option(help="The holder's name, as it should read.")] = None,
    citizen_desk: Annotated[
        bool | None,
        typer.Option(
            "--citizen-desk/--no-citizen-desk", help="A one-stop or reception desk.", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct an account's name, or whether it is a desk for citizens."""
    from mailgov.admin import accounts

    settings = common.read_settings(config)
    edited = common.act_with(
        settings,
        lambda ctx, actor: accounts.edit_account(
            ctx, actor, address, display_name=name, citizen_desk=citizen_desk
        ),
    )
    if as_json:
        bodies.print_account(settings, edited)
    else:
        common.say(f"{edited.address}: {edited.display_name}")


@account.command("disable")
def account_disable(address: AddressArgument, config: ConfigOption = None) -> None:
    """Suspend an account: it cannot sign in; its mail is still received."""
    from mailgov.admin import accounts

    common.act(config, lambda ctx, actor: accounts.disable_account(ctx, actor, address))
    common.say(f"disabled {address}")


@account.command("enable")
def account_enable(address: AddressArgument, config: ConfigOption = None) -> None:
    """Let a suspended account in again."""
    from mailgov.admin import accounts

    common.act(config, lambda ctx, actor: accounts.enable_account(ctx, actor, address))
    common.say(f"enabled {address}")


@account.command("limit")
def account_limit(
    address: AddressArgument,
    messages_per_hour: LimitOption = None,
    messages_per_day: LimitOption = None,
    recipients_per_day: LimitOption = None,
    new_recipients_per_day: Annotated[
        int | None, typer.Option(help="Outside addresses that the agency has not met before.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set how much an account may send; 0 is no limit. What is not given is as the settings have it."""
    from mailgov.admin import limits

    given = {
        "messages_per_hour": messages_per_hour,
        "messages_per_day": messages_per_day,
        "recipients_per_day": recipients_per_day,
        "new_recipients_per_day": new_recipients_per_day,
    }
    kept = common.act(config, lambda ctx, actor: limits.limit_account(ctx, actor, address, given))
    if as_json:
        common.print_json(kept)
    else:
        told = ", ".join(f"{name} {number or 'without limit'}" for name, number in kept.items())
        common.say(f"{address} may send: {told or 'as the settings have it'}")


@account.command("password")
def account_password(
    address: AddressArgument,
    password_stdin: PasswordStdin = False,
    permanent: PermanentOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a new first password, printed this once, or read from standard input.

    Whoever is signed in with the account in a browser is signed out.
    """
    from mailgov.admin import accounts

    settings = common.read_settings(config)
    given = common.read_password() if password_stdin else None
    chosen = common.act_with(
        settings,
        lambda ctx, actor: accounts.set_password(ctx, actor, address, given, first=not permanent),
    )
    if as_json:
        name = "password" if permanent else "first_password"
        common.print_json({"address": address, **({} if password_stdin else {name: chosen})})
    elif password_stdin:
        common.say(f"changed the password of {address}")
        if not permanent:
            _say_first(settings)
    else:
        _say_password(settings, chosen, permanent=permanent)


@account.command("grant")
def account_grant(
    address: AddressArgument,
    granted: Annotated[str, typer.Argument(metavar="GRANTED", help="An address of the province in use.")],
    config: ConfigOption = None,
) -> None:
    """Let an account write as another address."""
    from mailgov.admin import accounts

    common.act(config, lambda ctx, actor: accounts.grant_address(ctx, actor, address, granted))
    common.say(f"{address} may write as {granted}")


@account.command("revoke")
def account_revoke(
    address: AddressArgument,
    granted: Annotated[str, typer.Argument(metavar="GRANTED")],
    config: ConfigOption = None,
) -> None:
    """Take a granted address back."""
    from mailgov.admin import accounts

    common.act(config, lambda ctx, actor: accounts.revoke_address(ctx, actor, address, granted))
    common.say(f"{address} may no longer write as {granted}")


@account.command("register")
def account_register(
    address: AddressArgument,
    outside: Annotated[str, typer.Argument(metavar="OUTSIDE", help="An address outside the province.")],
    config: ConfigOption = None,
) -> None:
    """Note an outside address that the holder calls their own."""
    _registered(config, address, outside, add=True)


@account.command("unregister")
def account_unregister(
    address: AddressArgument,
    outside: Annotated[str, typer.Argument(metavar="OUTSIDE")],
    config: ConfigOption = None,
) -> None:
    """Forget a registered address."""
    _registered(config, address, outside, add=False)


def _registered(config: Path | None, address: str, outside: str, *, add: bool) -> None:
    from mailgov.admin import registered

    change = registered.register_address if add else registered.unregister_address
    common.act(config, lambda ctx, actor: change(ctx, actor, outside, account=address))
    common.say(f"registered {outside} for {address}" if add else f"forgot {outside} of {address}")


@account.command("move")
def account_move(
    address: AddressArgument,
    agency: Annotated[str, typer.Option(metavar="CODE", help="Where the holder serves from then on.")],
    person_class: ClassOption = None,
    on: DayOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account's holder a post in another agency; the past stays."""
    settings = common.read_settings(config)

    async def work(ctx: AdminContext, actor: Actor) -> tuple[Post, AccountView]:
        from mailgov.admin import accounts

        post = await accounts.move_account(
            ctx, actor, address, agency=agency, person_class=person_class, on=on
        )
        return post, await accounts.show_account(ctx, actor, address)

    post, moved = common.act_with(settings, work)
    if as_json:
        bodies.print_account(settings, moved)
    else:
        common.say(f"{address} serves in {post.agency_code} from {post.valid_from}")
