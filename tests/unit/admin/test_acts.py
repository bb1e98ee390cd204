"""Every act: who may, that it leaves its audit row, and that a refusal leaves nothing."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest

from mailgov import admin
from mailgov.admin import (
    accounts,
    agencies,
    agency_changes,
    aliases,
    audit_log,
    backups,
    classes,
    declarations,
    directory_files,
    domains,
    exemptions,
    figures,
    groups,
    keys,
    limits,
    messages,
    passwords,
    policies,
    queue,
    registered,
    rotation,
    seats,
    sender_reports,
    sessions,
    tokens,
)
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.declaring import NewDeclaration
from mailgov.admin.errors import AdminError
from mailgov.admin.sessions import SignedIn
from mailgov.identity.roles import AGENCY_ROLES, Act, Role
from mailgov.store import classes as store_classes
from mailgov.store.agencies import AgencySpan
from mailgov.store.audit import verify
from mailgov.store.commands import PendingCommand
from mailgov.store.declarations import Filter
from mailgov.usage.periods import parse
from tests.unit.admin import people
from tests.unit.admin.province import DOMAIN, OPERATOR, WAITING, at, state

Run = Callable[[AdminContext, Actor], Awaitable[object]]
DAY = date(2026, 1, 1)
OUTSIDE = "an@example.org"

PEOPLE = NewDeclaration(
    "headcount", "snv", parse("2025-10").span, {"can_bo": 1, "cong_chuc": 20, "vien_chuc": 3, "khac": 0}
)
FEWER = replace(PEOPLE, content={**PEOPLE.content, "khac": 1}, correct=True, reason="đếm sót")


async def exempt(ctx: AdminContext, actor: Actor) -> object:
    return await exemptions.add_exemption(
        ctx,
        actor,
        "cb.official-mailboxes",
        agency="snv",
        valid_from=DAY,
        valid_until=None,
        reason="thư ngành",
    )


async def draw(ctx: AdminContext, actor: Actor) -> None:
    async with ctx.db.write() as session:
        await store_classes.keep_sample(session, date(2025, 11, 1), [(WAITING, "snv", None)])


async def key_that_waits(ctx: AdminContext, actor: Actor) -> object:
    return await keys.generate_key(ctx, actor, DOMAIN, algorithm="ed25519", selector="waits")


PREPARE: dict[Act, Run] = {
    Act.DKIM_BEGIN: key_that_waits,
    Act.DKIM_RETIRE: key_that_waits,
    Act.CLASS_CONFIRM: draw,
    Act.DECLARATION_CORRECT: lambda ctx, actor: declarations.declare(ctx, actor, PEOPLE),
    Act.EXEMPTION_END: exempt,
    Act.DOMAIN_ENABLE: lambda ctx, actor: domains.disable_domain(ctx, actor, DOMAIN),
    Act.ACCOUNT_ENABLE: lambda ctx, actor: accounts.disable_account(ctx, actor, at("annv")),
    Act.ACCOUNT_REVOKE: lambda ctx, actor: accounts.grant_address(ctx, actor, at("annv"), at("snv")),
    Act.ADDRESS_UNREGISTER: lambda ctx, actor: registered.register_address(
        ctx, actor, OUTSIDE, account=at("annv")
    ),
    Act.SEAT_REMOVE: lambda ctx, actor: seats.add_seat(ctx, actor, at("annv"), Role.CLERK, agency="snv"),
}
"""What has to be done before an act can be."""

RUNS: dict[Act, Run] = {
    Act.DOMAIN_READ: domains.list_domains,
    Act.DOMAIN_ADD: lambda ctx, actor: domains.add_domain(ctx, actor, "b.vn", postmaster=at("annv")),
    Act.DOMAIN_DISABLE: lambda ctx, actor: domains.disable_domain(ctx, actor, DOMAIN),
    Act.DOMAIN_ENABLE: lambda ctx, actor: domains.enable_domain(ctx, actor, DOMAIN),
    Act.AGENCY_READ: lambda ctx, actor: agencies.show_agency(ctx, actor, "snv"),
    Act.AGENCY_ADD: lambda ctx, actor: agencies.add_agency(ctx, actor, AgencySpan("x", "X", "commune")),
    Act.AGENCY_RENAME: lambda ctx, actor: agency_changes.rename_agency(ctx, actor, "snv", on=DAY, name="Y"),
    Act.AGENCY_CHANGE: lambda ctx, actor: agency_changes.change_agency(
        ctx, actor, "snv", {"parent_code": "vpubnd"}, on=DAY
    ),
    Act.AGENCY_CLOSE: lambda ctx, actor: agencies.close_agency(ctx, actor, "snv", on=DAY, reason="giải thể"),
    Act.AGENCY_MERGE: lambda ctx, actor: agencies.merge_agencies(ctx, actor, "snv", into=["stc"], on=DAY),
    Act.ACCOUNT_READ: lambda ctx, actor: accounts.show_account(ctx, actor, at("annv")),
    Act.ACCOUNT_ADD: lambda ctx, actor: accounts.add_account(
        ctx, actor, NewAccount(at("new"), "New", agency="snv", person_class="khac")
    ),
    Act.ACCOUNT_DISABLE: lambda ctx, actor: accounts.disable_account(ctx, actor, at("annv")),
    Act.ACCOUNT_ENABLE: lambda ctx, actor: accounts.enable_account(ctx, actor, at("annv")),
    Act.ACCOUNT_PASSWORD: lambda ctx, actor: accounts.set_password(ctx, actor, at("annv"), None),
    Act.ACCOUNT_GRANT: lambda ctx, actor: accounts.grant_address(ctx, actor, at("annv"), at("snv")),
    Act.ACCOUNT_REVOKE: lambda ctx, actor: accounts.revoke_address(ctx, actor, at("annv"), at("snv")),
    Act.ACCOUNT_MOVE: lambda ctx, actor: accounts.move_account(ctx, actor, at("annv"), agency="stc"),
    Act.ACCOUNT_EDIT: lambda ctx, actor: accounts.edit_account(
        ctx, actor, at("annv"), display_name="Nguyễn Văn Ân"
    ),
    Act.ACCOUNT_LIMIT: lambda ctx, actor: limits.limit_account(
        ctx, actor, at("annv"), {"messages_per_day": 9}
    ),
    Act.SEAT_ADD: lambda ctx, actor: seats.add_seat(ctx, actor, at("annv"), Role.CLERK, agency="snv"),
    Act.SEAT_REMOVE: lambda ctx, actor: seats.remove_seat(ctx, actor, at("annv"), Role.CLERK, agency="snv"),
    Act.DIRECTORY_IMPORT: lambda ctx, actor: directory_files.import_directory(
        ctx, actor, f"address,name\n{at('moi')},Mới\n".encode()
    ),
    Act.DIRECTORY_EXPORT: directory_files.export_directory,
    Act.ADDRESS_REGISTER: lambda ctx, actor: registered.register_address(
        ctx, actor, OUTSIDE, account=at("annv")
    ),
    Act.ADDRESS_UNREGISTER: lambda ctx, actor: registered.unregister_address(
        ctx, actor, OUTSIDE, account=at("annv")
    ),
    Act.ALIAS_READ: aliases.list_aliases,
    Act.ALIAS_ADD: lambda ctx, actor: aliases.add_alias(ctx, actor, at("new"), to=[at("annv")]),
    Act.ALIAS_EXTEND: lambda ctx, actor: aliases.extend_alias(ctx, actor, at("ld-snv"), to=[at("snv")]),
    Act.ALIAS_REMOVE: lambda ctx, actor: aliases.remove_alias(ctx, actor, at("ld-snv")),
    Act.DKIM_READ: keys.list_keys,
    Act.DKIM_GENERATE: lambda ctx, actor: keys.generate_key(ctx, actor, DOMAIN, algorithm="ed25519"),
    Act.DKIM_BEGIN: lambda ctx, actor: rotation.begin_key(ctx, actor, DOMAIN, "waits", unchecked=True),
    Act.DKIM_RETIRE: lambda ctx, actor: rotation.retire_key(ctx, actor, DOMAIN, "waits"),
    Act.TOKEN_READ: tokens.list_tokens,
    Act.TOKEN_CREATE: lambda ctx, actor: tokens.create_token(
        ctx, actor, "x", role=Role.HEAD, agency="snv", days=1
    ),
    Act.TOKEN_REVOKE: lambda ctx, actor: tokens.revoke_token(ctx, actor, 1),
    Act.QUEUE_READ: lambda ctx, actor: queue.show_queued(ctx, actor, WAITING),
    Act.QUEUE_HOLD: lambda ctx, actor: queue.hold(ctx, actor, WAITING),
    Act.QUEUE_RELEASE: lambda ctx, actor: queue.release(ctx, actor, WAITING),
    Act.QUEUE_RETRY: lambda ctx, actor: queue.retry(ctx, actor, WAITING, position=1),
    Act.QUEUE_DROP: lambda ctx, actor: queue.drop(ctx, actor, WAITING, reason="asked for by its author"),
    Act.MESSAGE_READ: lambda ctx, actor: messages.trace(ctx, actor, WAITING),
    Act.USAGE_READ: lambda ctx, actor: figures.usage(ctx, actor, period="2025-11", agency="snv"),
    Act.POLICY_READ: policies.check_policy,
    Act.POLICY_LOAD: policies.load_policy,
    Act.BACKUP_MAKE: lambda ctx, actor: backups.make_backup(
        ctx,
        actor,
        ctx.settings.data_dir / f"backup-{actor.role}.tar",
        settings_file=Path(__file__),
    ),
    Act.DATA_VERIFY: backups.verify_data,
    Act.SENDER_REPORT_READ: lambda ctx, actor: sender_reports.show_reports(ctx, actor, "dmarc"),
    Act.AUDIT_READ: lambda ctx, actor: audit_log.list_audit(ctx, actor, limit=5),
    Act.AUDIT_VERIFY: figures.verify_audit,
    Act.DECLARATION_READ: lambda ctx, actor: declarations.list_declarations(ctx, actor, Filter(agency="snv")),
    Act.DECLARATION_ADD: lambda ctx, actor: declarations.declare(ctx, actor, PEOPLE),
    Act.DECLARATION_CORRECT: lambda ctx, actor: declarations.declare(ctx, actor, FEWER),
    Act.EXEMPTION_READ: lambda ctx, actor: exemptions.list_exemptions(ctx, actor, agency="snv"),
    Act.EXEMPTION_ADD: exempt,
    Act.CLASS_READ: lambda ctx, actor: classes.show_class(ctx, actor, WAITING),
    Act.CLASS_CORRECT: lambda ctx, actor: classes.correct_class(
        ctx, actor, WAITING, "GM", reason="thiếu loại"
    ),
    Act.CLASS_SAMPLE: lambda ctx, actor: classes.draw_sample(ctx, actor, date(2025, 10, 1)),
    Act.CLASS_CONFIRM: lambda ctx, actor: classes.confirm_class(ctx, actor, WAITING, "GM"),
    Act.EXEMPTION_END: lambda ctx, actor: exemptions.end_exemption(ctx, actor, 1, on=DAY),
}

OWN_RUNS: dict[Act, Callable[[AdminContext, SignedIn], Awaitable[object]]] = {
    Act.SESSION_BEGIN: lambda ctx, _: sessions.sign_in(ctx, people.sign_ins(ctx), people.CLAIMED),
    Act.SESSION_SEAT: lambda ctx, made: sessions.choose_seat(ctx, made.person, "owner", None),
    Act.SESSION_END: lambda ctx, made: sessions.sign_out(ctx, made.person),
    Act.PASSWORD_CHANGE: lambda ctx, made: passwords.change_password(
        ctx, people.sign_ins(ctx), made.person, current=people.OWN, new=people.NEW, peer=people.HERE
    ),
    Act.PASSWORD_RESET: lambda ctx, made: passwords.reset_password(
        ctx, people.sign_ins(ctx), name=people.AN, code=people.code_of(made), new=people.NEW, peer=people.HERE
    ),
}
"""What whoever holds an account does for themselves, once they are signed in: see test_people.py."""

PUBLIC = {Act.DOMAIN_READ, Act.AGENCY_READ, Act.POLICY_READ}
IN_OWN_AGENCY: dict[Role, set[Act]] = {
    Role.AGENCY_ADMIN: {
        Act.ACCOUNT_READ,
        Act.ACCOUNT_ADD,
        Act.ACCOUNT_DISABLE,
        Act.ACCOUNT_ENABLE,
        Act.ACCOUNT_PASSWORD,
        Act.ACCOUNT_EDIT,
        Act.ADDRESS_REGISTER,
        Act.ADDRESS_UNREGISTER,
        Act.QUEUE_READ,
        Act.QUEUE_RETRY,
        Act.MESSAGE_READ,
        Act.USAGE_READ,
        Act.DECLARATION_READ,
        Act.EXEMPTION_READ,
    },
    Role.CLERK: {
        Act.ACCOUNT_READ,
        Act.MESSAGE_READ,
        Act.USAGE_READ,
        Act.DECLARATION_READ,
        Act.DECLARATION_ADD,
        Act.DECLARATION_CORRECT,
        Act.EXEMPTION_READ,
        Act.CLASS_READ,
        Act.CLASS_CORRECT,
        Act.CLASS_CONFIRM,
    },
    Role.HEAD: {Act.ACCOUNT_READ, Act.USAGE_READ, Act.DECLARATION_READ, Act.EXEMPTION_READ},
}
EVERYWHERE: dict[Role, set[Act]] = {
    Role.OPERATOR: set(RUNS),
    Role.AUDITOR: PUBLIC
    | {Act.USAGE_READ, Act.DKIM_READ, Act.AUDIT_VERIFY, Act.DECLARATION_READ, Act.EXEMPTION_READ},
}


def test_every_act_is_run_here() -> None:
    assert set(RUNS) | set(OWN_RUNS) == set(Act)
    assert not set(RUNS) & set(OWN_RUNS)


def test_every_function_of_the_room_is_run_here_or_reads() -> None:
    """An act that nobody thought of here would escape the tests below."""
    here = inspect.getsource(inspect.getmodule(test_every_act_is_run_here))  # type: ignore[arg-type] # it has one
    helpers = {
        "account_of",
        "agency_of",
        "declarer_of",
        "place",
        "policy_files",
        "observed",  # reads: USAGE_READ
        "look",  # of DKIM_READ, and the next of DKIM_GENERATE and DKIM_BEGIN: see test_rotation
        "rotate",
        "key_problems",  # of DATA_VERIFY, as the next one: see test_cli_doctor
        "doctor",
        "declare_all",  # many of DECLARATION_ADD: see test_declarations and test_declared_files
        "act_on_many",  # many of QUEUE_HOLD and its like, as the next two: see test_queue_many
        "preview",
        "narrowed",
        "import_file",
        "correct_agency",  # AGENCY_CHANGE: see test_agency_changes
        "agency_code",
        "with_parent",
        "check_mailbox",
        "check_address",
        "check_agency",
        "check_in_use",
        "record",
        "change",
        "checked",  # of `sessions` and `passwords`, as the next four
        "matches",
        "find",
        "seen_by",  # what the acts of MESSAGE_READ cut records down by
        "history",  # of a record that was cut down already
        "unchanged",
        "begin",
        "passes",
    }
    escaped = []
    for found in pkgutil.iter_modules(admin.__path__):
        if found.name in ("setup", "demo", "demo_declared", "restores"):
            continue  # they make a ledger, by acts of others: tried by the tests of `init` and of `restore`
        module = import_module(f"mailgov.admin.{found.name}")
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            reads = name.startswith(("list_", "show_", "explain_", "run_policy_tests"))
            if own and not reads and name not in helpers and f"{found.name}.{name}" not in here:
                escaped.append(f"{found.name}.{name}")
    assert escaped == []


@pytest.mark.parametrize("act", [act for act in RUNS if not act.reads])
async def test_a_change_leaves_one_audit_row_and_a_chain_that_holds(
    ctx: AdminContext, relay: list[PendingCommand], act: Act
) -> None:
    await _prepare(ctx, act)
    before = state(ctx)
    await RUNS[act](ctx, OPERATOR)
    after = state(ctx)
    assert [row[:3] for row in after.audit[len(before.audit) :]] == [("operator", "operator", act.value)]
    assert (await verify(ctx.db)).problems == []


@pytest.mark.parametrize("act", [act for act in RUNS if not act.reads])
async def test_workers_hear_of_a_change_of_the_directory(
    ctx: AdminContext, relay: list[PendingCommand], act: Act
) -> None:
    await _prepare(ctx, act)
    directory, policy = state(ctx).revisions
    await RUNS[act](ctx, OPERATOR)
    quiet = ("queue.", "token.", "policy.", "backup.", "class.", "directory.export")
    moved = not act.value.startswith(quiet)
    assert state(ctx).revisions == (directory + moved, policy + (act is Act.POLICY_LOAD))


async def test_acts_on_groups_are_acts_on_lists(ctx: AdminContext) -> None:
    before = state(ctx)
    await groups.add_group(ctx, OPERATOR, at("all"), [at("annv")])
    await groups.add_members(ctx, OPERATOR, at("all"), [at("snv"), at("binhtt")])
    left = await groups.remove_member(ctx, OPERATOR, at("all"), at("annv"))
    assert (left.kind, left.targets) == ("list", (at("binhtt"), at("snv")))
    assert await groups.list_groups(ctx, OPERATOR) == [left]
    await groups.remove_group(ctx, OPERATOR, at("all"))
    acts = [row[2] for row in state(ctx).audit[len(before.audit) :]]
    assert acts == ["alias.add", "alias.extend", "alias.remove", "alias.remove"]


async def test_an_alias_is_no_group(ctx: AdminContext) -> None:
    for missing in (at("ld-snv"), at("nobody")):
        for ask in (
            groups.show_group(ctx, OPERATOR, missing),
            groups.add_members(ctx, OPERATOR, missing, [at("snv")]),
            groups.remove_group(ctx, OPERATOR, missing),
        ):
            with pytest.raises(AdminError, match=f"no such group: {missing}"):
                await ask


@pytest.mark.parametrize("act", list(OWN_RUNS))
async def test_what_people_do_for_themselves_leaves_a_row_under_their_own_name(
    ctx: AdminContext, act: Act
) -> None:
    made = await people.changed_once(ctx)
    before = state(ctx)
    await OWN_RUNS[act](ctx, made)
    after = state(ctx)
    assert [row[:3] for row in after.audit[len(before.audit) :]] == [(people.AN, "owner", act.value)]
    assert (await verify(ctx.db)).problems == []
    moved = act.value.startswith("password.")
    assert after.revisions == (before.revisions[0] + moved, before.revisions[1])


@pytest.mark.parametrize("act", [act for act in RUNS if act.reads])
async def test_reading_changes_nothing(ctx: AdminContext, act: Act) -> None:
    before = state(ctx)
    await RUNS[act](ctx, OPERATOR)
    assert state(ctx) == before


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("agency", ["snv", "stc"])
async def test_the_matrix_of_roles_and_acts(
    ctx: AdminContext, relay: list[PendingCommand], role: Role, agency: str
) -> None:
    """Each act is on an object of Sở Nội vụ; Sở Tài chính's seats must not reach it."""
    actor = Actor("someone", role, agency if role in AGENCY_ROLES else None)
    wanted = set(EVERYWHERE.get(role, PUBLIC))
    if agency == "snv":
        wanted |= IN_OWN_AGENCY.get(role, set())
    elif Act.MESSAGE_READ in IN_OWN_AGENCY.get(role, set()):
        wanted.add(Act.MESSAGE_READ)  # a mailbox of theirs is among the recipients
    for act in [act for act in RUNS if act not in wanted]:
        before = state(ctx)
        with pytest.raises(AdminError) as raised:
            await RUNS[act](ctx, actor)
        assert raised.value.status in (403, 404), act
        assert state(ctx) == before, act
    for act in wanted:
        if act.reads:
            await RUNS[act](ctx, actor)


@pytest.mark.parametrize(
    ("role", "act"),
    [(role, act) for role, acts in IN_OWN_AGENCY.items() for act in sorted(acts) if not act.reads],
)
async def test_an_agencys_own_seat_may(
    ctx: AdminContext, relay: list[PendingCommand], role: Role, act: Act
) -> None:
    await _prepare(ctx, act)
    await RUNS[act](ctx, Actor("it-snv", role, "snv"))
    assert state(ctx).audit[-1][:3] == ("it-snv", role.value, act.value)


async def test_what_is_anothers_looks_as_if_it_were_not_there(ctx: AdminContext) -> None:
    stranger = Actor("it-stc", Role.AGENCY_ADMIN, "stc")
    details = []
    for address in (at("annv"), at("nobody")):
        with pytest.raises(AdminError) as raised:
            await accounts.disable_account(ctx, stranger, address)
        details.append((raised.value.status, raised.value.detail.replace(address, "…")))
    assert details[0] == details[1]


async def test_an_agencys_officer_makes_no_desk_for_citizens(ctx: AdminContext) -> None:
    new = NewAccount(at("desk"), "Desk", "shared", "snv", citizen_desk=True)
    with pytest.raises(AdminError, match="citizens"):
        await accounts.add_account(ctx, Actor("it-snv", Role.AGENCY_ADMIN, "snv"), new)


async def test_a_failing_audit_undoes_the_act(ctx: AdminContext, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no audit")

    before = state(ctx)
    monkeypatch.setattr("mailgov.admin.context.audit.record", fail)
    with pytest.raises(RuntimeError):
        await accounts.disable_account(ctx, OPERATOR, at("annv"))
    assert state(ctx) == before


async def _prepare(ctx: AdminContext, act: Act) -> None:
    if act in PREPARE:
        await PREPARE[act](ctx, OPERATOR)
