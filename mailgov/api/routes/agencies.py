"""`/api/v1/agencies`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import agencies, agency_changes, registered
from mailgov.admin.agencies import Merger
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.agencies import (
    AgencyBody,
    AgencyEdit,
    AgencyPage,
    AgencyQuery,
    Closing,
    MergerBody,
    Merging,
    NewAgency,
    OutsideAddress,
    Renaming,
    agency_body,
    merger_body,
    span_body,
)
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act
from mailgov.store.agencies import AgencySpan

router = APIRouter(tags=["agencies"])

Code = Annotated[str, Path(max_length=100, examples=["snv"])]


@router.get("/agencies", responses=problems(401, 403, 422, 503))
async def list_agencies(call: Reading, asked: Annotated[AgencyQuery, Query()]) -> AgencyPage:
    """The agencies of a day by code, today's unless another is named; with `all` every span of days."""
    day = None if asked.all else asked.on or call.ctx.today()
    after = asked.after(2) or ("", "")
    found = await agencies.list_agencies(call.ctx, call.actor, day=day)
    page, following = asked.cut([one for one in found if _place(one) > after], _place)
    return AgencyPage(items=[span_body(one) for one in page], next=following)


@router.get("/agencies/{code}", response_model=AgencyBody, responses=problems(401, 403, 404, 422, 503))
async def show_agency(call: Reading, code: Code, request: Request, _bare: Bare) -> Response:
    """An agency's whole life, with its `ETag`."""
    return shown(request, await _load(code)(call.ctx, call.actor))


@router.post("/agencies", status_code=201, response_model=AgencyBody, responses=created_problems(404))
async def add_agency(writing: Writing, asked: NewAgency, _bare: Bare) -> Response:
    """A new agency, or another span of days of one that had ended."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await agencies.add_agency(ctx, actor, asked.span())
        body = await _load(made.code)(ctx, actor)
        return created(body, f"/api/v1/agencies/{made.code}", etag_of(body))

    return await once(writing, work)


@router.post("/agencies/{code}/rename", response_model=AgencyBody, responses=write_problems())
async def rename_agency(writing: Writing, code: Code, asked: Renaming, _bare: Bare) -> Response:
    """From a day on the agency is called otherwise; what it was called before stays in the past."""

    async def do(ctx: AdminContext, actor: Actor) -> None:
        await agency_changes.rename_agency(
            ctx,
            actor,
            code,
            on=asked.on or ctx.today(),
            name=asked.name,
            abbreviation=asked.abbreviation,
            mailbox=asked.mailbox,
        )

    return await changed(writing, Act.AGENCY_RENAME, _load(code), do)


@router.patch("/agencies/{code}", response_model=AgencyBody, responses=write_problems())
async def change_agency(writing: Writing, code: Code, asked: AgencyEdit, _bare: Bare) -> Response:
    """From a day on the agency is otherwise; what it was stays in the past.

    With `correct` and a `reason` the whole span was written down wrongly; 409 `needs-reason` without one.
    """
    work = agency_changes.correct_agency if asked.correct else agency_changes.change_agency

    async def do(ctx: AdminContext, actor: Actor) -> None:
        on = asked.on or ctx.today()
        await work(ctx, actor, code, asked.changes(), on=on, reason=asked.reason)

    return await changed(writing, Act.AGENCY_CHANGE, _load(code), do)


@router.post("/agencies/{code}/close", response_model=MergerBody, responses=write_problems())
async def close_agency(writing: Writing, code: Code, _bare: Bare, asked: Closing | None = None) -> Response:
    """End an agency that nobody takes over.

    409 `needs-reason` where accounts still serve there or agencies stand below it: the same with a
    `reason` is accepted, and names them.
    """

    async def do(ctx: AdminContext, actor: Actor) -> MergerBody:
        on = (asked.on if asked else None) or ctx.today()
        reason = asked.reason if asked else None
        result = await agencies.close_agency(ctx, actor, code, on=on, reason=reason)
        return await _merged(ctx, actor, code, result)

    return await changed(writing, Act.AGENCY_CLOSE, _load(code), do)


@router.post("/agencies/{code}/merge", response_model=MergerBody, responses=write_problems())
async def merge_agency(writing: Writing, code: Code, asked: Merging, _bare: Bare) -> Response:
    """End an agency that others take over; its accounts go to a single successor, its figures stay."""

    async def do(ctx: AdminContext, actor: Actor) -> MergerBody:
        on: date = asked.on or ctx.today()
        result = await agencies.merge_agencies(ctx, actor, code, into=asked.into, on=on)
        return await _merged(ctx, actor, code, result)

    return await changed(writing, Act.AGENCY_MERGE, _load(code), do)


@router.post("/agencies/{code}/registered/{act}", response_model=AgencyBody, responses=write_problems())
async def register_address(
    writing: Writing, code: Code, act: Literal["add", "remove"], asked: OutsideAddress, _bare: Bare
) -> Response:
    """Note an outside address that the agency calls its own, for the policy to watch; or forget it."""
    named = Act.ADDRESS_REGISTER if act == "add" else Act.ADDRESS_UNREGISTER
    change = registered.register_address if act == "add" else registered.unregister_address

    async def do(ctx: AdminContext, actor: Actor) -> None:
        await change(ctx, actor, asked.address, agency=code)

    return await changed(writing, named, _load(code), do)


def _load(code: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> AgencyBody:
        return agency_body(await agencies.show_agency(ctx, actor, code))

    return load


async def _merged(ctx: AdminContext, actor: Actor, code: str, result: Merger) -> MergerBody:
    return merger_body(agency_body(await agencies.show_agency(ctx, actor, code)), result)


def _place(span: AgencySpan) -> tuple[str, str]:
    return span.code, str(span.valid_from or "")
