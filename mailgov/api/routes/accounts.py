"""`/api/v1/accounts`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import accounts, limits, registered, seats
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.accounts import (
    AccountBody,
    AccountEdit,
    AccountPage,
    AccountQuery,
    FirstPassword,
    Granting,
    LimitsAsked,
    Moving,
    NewAccountAsked,
    NewAccountBody,
    SeatAsked,
    account_body,
)
from mailgov.api.directory.agencies import OutsideAddress
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.passwords import generate_password
from mailgov.identity.roles import Act

router = APIRouter(tags=["accounts"])

Address = Annotated[str, Path(max_length=320, examples=["hoapt@caobang.gov.vn"])]


@router.get("/accounts", responses=problems(401, 403, 404, 422, 503))
async def list_accounts(call: Reading, asked: Annotated[AccountQuery, Query()]) -> AccountPage:
    """Accounts by address, or those that serve in an agency today. An agency's seat sees its own."""
    (after,) = asked.after() or ("",)
    found = await accounts.list_accounts(
        call.ctx, call.actor, agency=asked.agency, after=after, limit=asked.limit + 1
    )
    page, following = asked.cut(found, lambda one: (one.address,))
    today, zone = call.ctx.today(), call.ctx.settings.province.timezone
    return AccountPage(items=[account_body(one, today, zone) for one in page], next=following)


@router.get("/accounts/{address}", response_model=AccountBody, responses=problems(401, 403, 404, 422, 503))
async def show_account(call: Reading, address: Address, request: Request, _bare: Bare) -> Response:
    """One account, with its `ETag`."""
    return shown(request, await _load(address)(call.ctx, call.actor))


@router.post("/accounts", status_code=201, response_model=NewAccountBody, responses=created_problems(404))
async def add_account(writing: Writing, asked: NewAccountAsked, _bare: Bare) -> Response:
    """A new account. Its first password is in the answer, this once; the holder has to change it."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        first = generate_password(ctx.random) if asked.first_password else None
        new = NewAccount(
            address=asked.address,
            display_name=asked.display_name,
            kind=asked.kind,
            agency=asked.agency,
            person_class=asked.person_class,
            since=asked.since,
            citizen_desk=asked.citizen_desk,
            password=first,
            first=first is not None,
        )
        made = await accounts.add_account(ctx, actor, new)
        body = await _load(made.address)(ctx, actor)
        told = NewAccountBody(**body.model_dump(), first_password=first)
        return created(told, f"/api/v1/accounts/{made.address}", etag_of(body))

    return await once(writing, work)


@router.patch("/accounts/{address}", response_model=AccountBody, responses=write_problems())
async def edit_account(writing: Writing, address: Address, asked: AccountEdit, _bare: Bare) -> Response:
    """Correct the name, or whether it is a desk for citizens."""
    return await changed(
        writing,
        Act.ACCOUNT_EDIT,
        _load(address),
        lambda ctx, actor: accounts.edit_account(
            ctx, actor, address, display_name=asked.display_name, citizen_desk=asked.citizen_desk
        ),
    )


@router.post("/accounts/{address}/password", response_model=FirstPassword, responses=write_problems())
async def give_first_password(writing: Writing, address: Address, _bare: Bare) -> Response:
    """A new first password, shown this once; the old password opens nothing any more."""

    async def do(ctx: AdminContext, actor: Actor) -> FirstPassword:
        made = await accounts.set_password(ctx, actor, address, None, first=True)
        return FirstPassword(address=address, first_password=made)

    return await changed(writing, Act.ACCOUNT_PASSWORD, _load(address), do)


@router.post("/accounts/{address}/move", response_model=AccountBody, responses=write_problems())
async def move_account(writing: Writing, address: Address, asked: Moving, _bare: Bare) -> Response:
    """From a day on the holder serves in another agency; the past stays."""
    return await changed(
        writing,
        Act.ACCOUNT_MOVE,
        _load(address),
        lambda ctx, actor: accounts.move_account(
            ctx, actor, address, agency=asked.agency, person_class=asked.person_class, on=asked.on
        ),
    )


@router.post("/accounts/{address}/seats/{act}", response_model=AccountBody, responses=write_problems())
async def change_seat(
    writing: Writing, address: Address, act: Literal["add", "remove"], asked: SeatAsked, _bare: Bare
) -> Response:
    """Give a role to the holder, or take it, at once."""
    do = seats.add_seat if act == "add" else seats.remove_seat
    return await changed(
        writing,
        Act(f"seat.{act}"),
        _load(address),
        lambda ctx, actor: do(ctx, actor, address, asked.role, agency=asked.agency),
    )


@router.post("/accounts/{address}/grants/{act}", response_model=AccountBody, responses=write_problems())
async def change_grant(
    writing: Writing, address: Address, act: Literal["add", "remove"], asked: Granting, _bare: Bare
) -> Response:
    """Let the account write as another address of the province, or take that back."""
    do = accounts.grant_address if act == "add" else accounts.revoke_address
    return await changed(
        writing,
        Act.ACCOUNT_GRANT if act == "add" else Act.ACCOUNT_REVOKE,
        _load(address),
        lambda ctx, actor: do(ctx, actor, address, asked.address),
    )


@router.post("/accounts/{address}/registered/{act}", response_model=AccountBody, responses=write_problems())
async def change_registered(
    writing: Writing, address: Address, act: Literal["add", "remove"], asked: OutsideAddress, _bare: Bare
) -> Response:
    """Note an outside address that the holder calls their own, for the policy to watch; or forget it."""
    do = registered.register_address if act == "add" else registered.unregister_address
    return await changed(
        writing,
        Act.ADDRESS_REGISTER if act == "add" else Act.ADDRESS_UNREGISTER,
        _load(address),
        lambda ctx, actor: do(ctx, actor, asked.address, account=address),
    )


@router.post("/accounts/{address}/limits", response_model=AccountBody, responses=write_problems())
async def limit_account(writing: Writing, address: Address, asked: LimitsAsked, _bare: Bare) -> Response:
    """How much the account may send, in the place of what was set before."""
    return await changed(
        writing,
        Act.ACCOUNT_LIMIT,
        _load(address),
        lambda ctx, actor: limits.limit_account(ctx, actor, address, asked.model_dump()),
    )


@router.post("/accounts/{address}/{act}", response_model=AccountBody, responses=write_problems())
async def suspend_account(
    writing: Writing, address: Address, act: Literal["disable", "enable"], _bare: Bare
) -> Response:
    """Suspend an account (no sign-in; its mail is still received), or let it in again."""
    do = accounts.disable_account if act == "disable" else accounts.enable_account
    return await changed(
        writing, Act(f"account.{act}"), _load(address), lambda ctx, actor: do(ctx, actor, address)
    )


def _load(address: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> AccountBody:
        found = await accounts.show_account(ctx, actor, address)
        return account_body(found, ctx.today(), ctx.settings.province.timezone)

    return load
