"""`/api/v1/dkim-keys`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import keys
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.domains import DkimKeyBody, DkimKeyPage, DkimKeyQuery, NewDkimKey, key_body
from mailgov.api.etags import etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems
from mailgov.store.dkim_keys import DkimKeyView

router = APIRouter(tags=["dkim-keys"])


@router.get("/dkim-keys", responses=problems(401, 403, 404, 422, 503))
async def list_keys(call: Reading, asked: Annotated[DkimKeyQuery, Query()]) -> DkimKeyPage:
    """The public side of keys by domain and selector."""
    after = asked.after(2) or ("", "")
    found = sorted(await keys.list_keys(call.ctx, call.actor, asked.domain), key=_place)
    page, following = asked.cut([one for one in found if _place(one) > after], _place)
    zone = call.ctx.settings.province.timezone
    return DkimKeyPage(items=[key_body(one, zone) for one in page], next=following)


@router.get(
    "/dkim-keys/{domain}/{selector}",
    response_model=DkimKeyBody,
    responses=problems(401, 403, 404, 422, 503),
)
async def show_key(
    call: Reading,
    domain: Annotated[str, Path(max_length=255, examples=["caobang.gov.vn"])],
    selector: Annotated[str, Path(max_length=63, examples=["rsa202611"])],
    request: Request,
    _bare: Bare,
) -> Response:
    """One key, with its `ETag`."""
    found = await keys.show_key(call.ctx, call.actor, domain, selector)
    return shown(request, key_body(found, call.ctx.settings.province.timezone))


@router.post("/dkim-keys", status_code=201, response_model=DkimKeyBody, responses=created_problems(404))
async def generate_key(writing: Writing, asked: NewDkimKey, _bare: Bare) -> Response:
    """A new key. A domain's first one signs at once; later ones wait as pending."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await keys.generate_key(
            ctx, actor, asked.domain, algorithm=asked.algorithm, selector=asked.selector
        )
        body = key_body(made, ctx.settings.province.timezone)
        return created(body, f"/api/v1/dkim-keys/{made.domain}/{made.selector}", etag_of(body))

    return await once(writing, work)


def _place(key: DkimKeyView) -> tuple[str, str]:
    return key.domain, key.selector
