"""A new installation's first acts: ledger, domain, operator, DKIM key.

Run again after an interruption, each act finds what is done and goes on from there.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path

from mailgov.admin import accounts, agencies, domains, keys, rotation, seats
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.errors import AdminError, conflict
from mailgov.identity.roles import Role
from mailgov.ops import init
from mailgov.store.agencies import AgencySpan
from mailgov.store.dkim_keys import DkimKeyView
from mailgov.store.engine import current_revision, migrate

INIT = Actor("init", Role.OPERATOR)
OPERATOR_LOCAL_PART = "operator"


@dataclass(frozen=True, slots=True)
class Operator:
    """The account behind postmaster@ and abuse@, with the password it was given just now."""

    address: str
    password: str = field(repr=False)
    keys: tuple[DkimKeyView, ...] = ()


def make_files(ctx: AdminContext, plan: init.Plan) -> None:
    """The data folder and the certificate; needs no ledger."""
    settings = ctx.settings
    init.make_data_folder(settings.data_dir)
    if settings.tls.certificate is not None and settings.tls.key is not None:
        now = datetime.datetime.fromtimestamp(ctx.now_ms() / 1000, datetime.UTC)
        init.make_certificate(
            settings.tls.certificate, settings.tls.key, settings.hostname, now, loopback=plan.demo
        )


def check_folder(data_dir: Path, settings_file: Path) -> bool:
    """Whether the data folder is this installation's already (an interrupted `init` took it).

    False for a folder of nobody's; AdminError `conflict` for another installation's.
    """
    owner = init.owner_of(data_dir)
    if owner not in (None, settings_file.resolve()):
        raise conflict(
            f"the data folder {data_dir} belongs to the installation of {owner}: name another --data"
        )
    return owner is not None


async def take_folder(ctx: AdminContext, settings_file: Path) -> None:
    """Make the data folder this installation's, before anything else is written.

    Raises AdminError `conflict` for the folder of another installation, and for a ledger in
    use with a folder that is not known as ours.
    """
    folder = ctx.settings.data_dir
    if check_folder(folder, settings_file):
        return
    await _refuse_used_ledger(ctx, folder)
    try:
        init.mark_owner(folder, settings_file)
    except FileExistsError:  # another init was faster
        check_folder(folder, settings_file)


async def _refuse_used_ledger(ctx: AdminContext, folder: Path) -> None:
    if await current_revision(ctx.db) is None:
        return
    found = [domain.name for domain in await domains.list_domains(ctx, INIT)]
    if found:
        raise conflict(
            f"the ledger holds the domain {found[0]} already and {folder} is not known as its data folder"
            f" (no file {init.OWNER_FILE} in it): name another --data, or move what is there away"
        )


async def set_up(ctx: AdminContext, domain: str, *, agency: AgencySpan | None = None) -> Operator:
    """The ledger's schema, the domain, its operator with that seat, the keys that sign.

    The operator's account serves in `agency`, or in none: a body that is there for the mail alone
    would stand in the figures beside the province's own.
    """
    await migrate(ctx.db)
    operator = f"{OPERATOR_LOCAL_PART}@{domain}"
    try:
        await domains.add_domain(ctx, INIT, domain, postmaster=operator)
    except AdminError as error:
        if error.code != "conflict":
            raise
    account = await accounts.show_account(ctx, INIT, operator)
    if agency is not None and account.agency_on(ctx.today()) is None:
        await make_agency(ctx, agency)
        await accounts.move_account(ctx, INIT, operator, agency=agency.code)
    if not account.seats:
        await seats.add_seat(ctx, INIT, operator, Role.OPERATOR)
    await _signing_keys(ctx, domain)
    password = await accounts.set_password(ctx, INIT, operator, None)
    return Operator(operator, password, tuple(await keys.list_keys(ctx, INIT, domain)))


async def _signing_keys(ctx: AdminContext, domain: str) -> None:
    """An RSA key, which signs, and an Ed25519 key, which does once it is published.

    In a rehearsal both sign: nobody publishes anything there.
    """
    there = {key.algorithm: key for key in await keys.list_keys(ctx, INIT, domain)}
    for algorithm in ("rsa", "ed25519"):
        key = there.get(algorithm) or await keys.generate_key(ctx, INIT, domain, algorithm=algorithm)
        if key.state == "pending" and ctx.settings.demo.sink is not None:
            await rotation.begin_key(ctx, INIT, domain, key.selector, unchecked=True)


async def make_agency(ctx: AdminContext, span: AgencySpan) -> None:
    """The agency, unless it is there."""
    try:
        await agencies.show_agency(ctx, INIT, span.code)
    except AdminError as error:
        if error.code != "not-found":
            raise
        await agencies.add_agency(ctx, INIT, span)
