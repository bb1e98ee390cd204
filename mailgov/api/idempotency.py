"""Requests that change something, each in one transaction; with an `Idempotency-Key`, once.

A caller that heard no answer repeats the request with the same key: it gets the first answer,
and nothing is done again. A refusal changes nothing, so it is not kept: the same request may
succeed later. What the answer holds may be shown only once (a password, a token), so it is
kept sealed under the caller's own secret, of which the ledger knows the hash alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Acting, Caller, Services
from mailgov.api.problem import Problem
from mailgov.api.services import ApiServices
from mailgov.identity.sealing import derive, seal, unseal
from mailgov.store import idempotency
from mailgov.store.directory import Session
from mailgov.store.held import HeldChange

KEY_CHARACTERS = 200
KEPT_MS = 24 * 3_600_000
"""How long a key is remembered; a client that repeats later has to look first."""
KEYS_PER_CALLER = 20_000
"""Keys of one caller in that time: twice a province's accounts, one request each."""
ANSWER_BYTES = 65_536
"""A larger answer, compressed, is not kept: the repeated request is told that it was done."""
REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True)
class Answered:
    """What an act is answered with."""

    body: BaseModel | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        return _response(self.content(), self.status, self.headers)

    def content(self) -> bytes:
        return b"" if self.body is None else self.body.model_dump_json(by_alias=True).encode()


GONE = Answered(None, 204)
"""The object is no more; there is nothing to show."""


def created(body: BaseModel, location: str, etag: str | None = None) -> Answered:
    """201 for a new object, with the path where it is."""
    return Answered(body, 201, {"Location": location} | ({"ETag": etag} if etag else {}))


Work = Callable[[AdminContext, Actor], Awaitable[Answered]]
"""Acts and their answer; all that is read and written through the context is one transaction."""


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changes something: who asks, under which key, on what condition."""

    services: ApiServices
    caller: Caller
    request: Request
    key: str | None
    if_match: str | None


def _write(
    services: Services,
    caller: Acting,
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Any text of the caller's own: a repeated request with the same key gets the first "
            "answer, for 24 hours, and does nothing.",
            examples=["6f1d0c52-7a5e-4e0c-9a53-2f7f3b0d4a11"],
        ),
    ] = None,
    if_match: Annotated[
        str | None,
        Header(description="The `ETag` of the state that the change is meant for, or `*` for any."),
    ] = None,
) -> Write:
    return Write(services, caller, request, idempotency_key, if_match)


Writing = Annotated[Write, Depends(_write)]
"""For routes that change something: hand it to `once`, or to `etags.changed` where there is an object."""


async def once(write: Write, work: Work) -> Response:
    """Do the work in one transaction and answer; with a key that was used already, answer alone.

    Problems: 422 for a malformed key or one that belongs to another request, 409 for one whose
    answer is not kept, 429 for too many; and whatever the work raises, with nothing changed.
    """
    services, key = write.services, None if write.key is None else _key(write.key)
    request_hash = None if key is None else await _request_hash(write, key)
    async with services.db.write() as session:
        if key is not None and request_hash is not None:
            kept = await _take(write, session, key, request_hash)
            if kept is not None:
                return _again(write, key, request_hash, kept)
        ctx = replace(services.admin(), db=HeldChange(services.db, session))
        answered = await work(ctx, write.caller.actor)
        if key is not None:
            sealed = _sealed(write, key, answered, ctx.random)
            await idempotency.keep(session, write.caller.actor.name, key, answered.status, sealed)
    return answered.response()


def _key(text: str) -> str:
    """The key's text; it may come quoted, as a String of RFC 9651."""
    text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not 1 <= len(text) <= KEY_CHARACTERS or not (text.isascii() and text.isprintable()):
        detail = f"header Idempotency-Key: 1 to {KEY_CHARACTERS} printable ASCII characters"
        raise Problem(422, "invalid-request", detail)
    return text


async def _request_hash(write: Write, key: str) -> str:
    """Keyed, because a body may hold a password that somebody chose."""
    request = write.request
    digest = hmac.new(derive(write.caller.secret, f"request {key}"), digestmod=hashlib.sha256)
    for part in (request.method, request.url.path, request.url.query, write.if_match or ""):
        octets = part.encode(errors="replace")
        digest.update(len(octets).to_bytes(4, "big") + octets)
    digest.update(await request.body())
    return digest.hexdigest()


async def _take(write: Write, session: Session, key: str, request_hash: str) -> idempotency.Kept | None:
    caller, now_ms = write.caller.actor.name, write.services.now_ms()
    await idempotency.forget_before(session, now_ms - KEPT_MS)
    kept = await idempotency.take(session, caller, key, request_hash, now_ms)
    if kept is None and await idempotency.count(session, caller) > KEYS_PER_CALLER:
        detail = f"More than {KEYS_PER_CALLER} keys in 24 hours: go on without a key, or later."
        raise Problem(429, "too-many-keys", detail, headers={"Retry-After": "3600"})
    return kept


def _again(write: Write, key: str, request_hash: str, kept: idempotency.Kept) -> Response:
    if not hmac.compare_digest(kept.request_hash, request_hash):
        detail = "header Idempotency-Key: it was used for another request, or under another sign-in."
        raise Problem(422, "key-reused", detail)
    opened = unseal(_seal_key(write, key), kept.answer) if kept.answer else None
    if opened is None:
        raise Problem(409, "already-done", "It was done; its answer was too large to keep. Look it up.")
    answer = json.loads(zlib.decompress(opened))
    headers = {**answer["headers"], REPLAYED: "true"}
    return _response(answer["body"].encode(), kept.status, headers)


def _response(content: bytes, status: int, headers: dict[str, str]) -> Response:
    return Response(content, status, headers, "application/json" if content else None)


def _sealed(write: Write, key: str, answered: Answered, random: Callable[[int], bytes]) -> bytes:
    """The answer for a repeated request; empty when it is too large."""
    answer = {"headers": answered.headers, "body": answered.content().decode()}
    packed = zlib.compress(json.dumps(answer, ensure_ascii=False).encode())
    return seal(_seal_key(write, key), packed, random) if len(packed) <= ANSWER_BYTES else b""


def _seal_key(write: Write, key: str) -> bytes:
    return derive(write.caller.secret, f"answer {key}")
