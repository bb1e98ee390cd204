"""Entity tags (RFC 9110 8.8.3): a change is made to the state that its caller has seen, or not at all.

A tag is a hash over what the object's `GET` answers. The condition of `If-Match` is tested in
the transaction of the change, with the directory's lock held: nobody comes between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from mailgov.admin.context import Actor, AdminContext, require
from mailgov.api.idempotency import GONE, Answered, Write, once
from mailgov.api.problem import Problem
from mailgov.identity.roles import Act
from mailgov.store.directory import hold_directory

Load = Callable[[AdminContext, Actor], Awaitable[BaseModel]]
"""Reads the object as its `GET` answers it, or raises AdminError `not-found`."""
Do = Callable[[AdminContext, Actor], Awaitable[object]]
"""The change. A body or `Answered` is the answer; with anything else it is the object as it is then."""


def etag_of(body: BaseModel, *, ignore: Collection[str] = ()) -> str:
    """The strong tag of a representation; `ignore` names fields that move by themselves."""
    text = body.model_dump_json(by_alias=True, exclude=set(ignore))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def shown(request: Request, body: BaseModel, *, ignore: Collection[str] = ()) -> Response:
    """The answer to a `GET` of one object: 200 with its tag, or 304 (RFC 9110 13.1.2)."""
    etag = etag_of(body, ignore=ignore)
    seen = request.headers.get("if-none-match")
    if seen is not None and _lists(seen.replace("W/", ""), etag):
        return Response(status_code=304, headers={"ETag": etag})
    return Answered(body, headers={"ETag": etag}).response()


async def removed(write: Write, act: Act, load: Load, do: Do) -> Response:
    """As `changed`, for an act after which the object is no more: 204."""

    async def then_gone(ctx: AdminContext, actor: Actor) -> Answered:
        await do(ctx, actor)
        return GONE

    return await changed(write, act, load, then_gone)


async def changed(write: Write, act: Act, load: Load, do: Do, *, ignore: Collection[str] = ()) -> Response:
    """Do an act on the object that `load` reads, if it is in the state that the caller names.

    Problems: 428 without `If-Match`, 412 when the object is in another state by now.
    """

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        require(actor, act)
        async with ctx.db.write() as session:
            await hold_directory(session)
        before = await load(ctx, actor)
        check(write.if_match, etag_of(before, ignore=ignore))
        told = await do(ctx, actor)
        if isinstance(told, (BaseModel, Answered)):
            return told if isinstance(told, Answered) else Answered(told)
        after = await load(ctx, actor)
        return Answered(after, headers={"ETag": etag_of(after, ignore=ignore)})

    return await once(write, work)


def check(if_match: str | None, etag: str) -> None:
    """Raise Problem 428 without the header and 412 when it names other states (RFC 9110 13.1.1)."""
    if if_match is None:
        detail = "Ask for the object first and send its ETag as If-Match; `*` stands for any state."
        raise Problem(428, "precondition-required", detail)
    if not _lists(if_match, etag):
        detail = "The object has changed since it was asked for: look at it again, then decide."
        raise Problem(412, "precondition-failed", detail)


def _lists(header: str, etag: str) -> bool:
    """True when a list of tags has this one; a weak one never counts for a strong comparison."""
    return header.strip() == "*" or etag in (one.strip() for one in header.split(","))
