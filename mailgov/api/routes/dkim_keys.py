"""`/api/v1/dkim-keys`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import keys, rotation
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.domains import DkimKeyBody, DkimKeyPage, DkimKeyQuery, NewDkimKey, key_body
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act
from mailgov.store.dkim_keys import DkimKeyView

router = APIRouter(tags=["dkim-keys"])

Domain = Annotated[str, Path(max_length=255, examples=["caobang.gov.vn"])]
Selector = Annotated[str, Path(max_length=63, examples=["rsa202611"])]
MOVING = ("standing", "standing_detail", "checked_at", "published_since")
"""What looks at the DNS change: no other state of the key."""


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
    domain: Domain,
    selector: Selector,
    request: Request,
    _bare: Bare,
) -> Response:
    """One key, with its `ETag`."""
    return shown(request, await _load(domain, selector)(call.ctx, call.actor), ignore=MOVING)


@router.post("/dkim-keys", status_code=201, response_model=DkimKeyBody, responses=created_problems(404))
async def generate_key(writing: Writing, asked: NewDkimKey, _bare: Bare) -> Response:
    """A new key. A domain's first one signs at once; later ones do so once they were seen in the DNS."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await keys.generate_key(
            ctx, actor, asked.domain, algorithm=asked.algorithm, selector=asked.selector
        )
        body = key_body(made, ctx.settings.province.timezone)
        return created(body, f"/api/v1/dkim-keys/{made.domain}/{made.selector}", etag_of(body, ignore=MOVING))

    return await once(writing, work)


@router.post("/dkim-keys/{domain}/{selector}/retire", response_model=DkimKeyBody, responses=write_problems())
async def retire_key(writing: Writing, domain: Domain, selector: Selector, _bare: Bare) -> Response:
    """Sign with a key no more; one that waits, or whose last mail has arrived, is done with."""
    return await changed(
        writing,
        Act.DKIM_RETIRE,
        _load(domain, selector),
        lambda ctx, actor: rotation.retire_key(ctx, actor, domain, selector),
        ignore=MOVING,
    )


def _load(domain: str, selector: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> DkimKeyBody:
        found = await keys.show_key(ctx, actor, domain, selector)
        return key_body(found, ctx.settings.province.timezone)

    return load


def _place(key: DkimKeyView) -> tuple[str, str]:
    return key.domain, key.selector
