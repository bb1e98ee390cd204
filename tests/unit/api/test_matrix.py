"""Role × endpoint × agency: who is answered, and what they see."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import httpx2
import pytest

from mailgov.admin import queue as queue_acts
from mailgov.identity.roles import Act, Role, Scope, scope
from mailgov.store import commands
from tests.unit.api.conftest import Api, add_token
from tests.unit.api.world import INTO_BOTH, INTO_STC, NOW_MS, REJECTED, SECRET, SNV_SENT, STC_SENT

EVERYTHING = {SNV_SENT, STC_SENT, INTO_BOTH, INTO_STC, REJECTED, SECRET}
OF_SNV = {SNV_SENT, INTO_BOTH, REJECTED}
OF_STC = {SNV_SENT, STC_SENT, INTO_BOTH, INTO_STC}

SEATS = sorted(
    {f"{role}.{agency}" for role in ("agency_admin", "clerk", "head") for agency in ("snv", "stc")}
    | {"operator", "auditor", "owner"}
)
Name = TypeVar("Name", str, str | None)


def expected(act: Act, everything: set[Name], of: dict[str, set[Name]]) -> dict[str, set[Name]]:
    """By seat, what the one table of roles lets it see; seats that may see nothing are left out."""
    seats = {seat: seat.partition(".") for seat in SEATS}
    reach = {seat: scope(Role(role), act) for seat, (role, _, _) in seats.items()}
    return {
        seat: everything if reach[seat] is Scope.ALL else of[seats[seat][2]]
        for seat in SEATS
        if reach[seat] is not Scope.NONE
    }


MESSAGES = expected(Act.MESSAGE_READ, EVERYTHING, {"snv": OF_SNV, "stc": OF_STC})
QUEUE = expected(
    Act.QUEUE_READ, {SNV_SENT, STC_SENT, INTO_BOTH, INTO_STC}, {"snv": {SNV_SENT}, "stc": {STC_SENT}}
)
USAGE: dict[str, set[str | None]] = expected(
    Act.USAGE_READ, {"snv", "stc", None}, {"snv": {"snv"}, "stc": {"stc"}}
)
GUARDED = ["/api/v1/messages", f"/api/v1/messages/{SNV_SENT}", "/api/v1/queue", "/api/v1/usage", "/api/v1/me"]
GUARDED += ["/api/v1/sender-reports?kind=dmarc"]
GUARDED += ["/api/v1/audit"]
GUARDED += ["/docs", "/openapi.json"]


def names(answer: httpx2.Response) -> set[str]:
    return {one["queue_id"] for one in answer.json()["items"]}


def test_every_role_is_in_the_matrix_and_the_table_separates_them() -> None:
    assert {seat.partition(".")[0] for seat in SEATS} == {role.value for role in Role}
    assert {"operator", "agency_admin.snv"} <= MESSAGES.keys() & QUEUE.keys() & USAGE.keys()
    assert not {"owner"} & (MESSAGES.keys() | QUEUE.keys() | USAGE.keys())


@pytest.mark.parametrize("seat", SEATS)
async def test_messages(filled: Api, seat: str) -> None:
    answer = await filled.get("/api/v1/messages", seat)
    if seat not in MESSAGES:
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:mailgov:problem:forbidden")
        return
    assert names(answer) == MESSAGES[seat]
    for queue_id in EVERYTHING:
        one = await filled.get(f"/api/v1/messages/{queue_id}", seat)
        assert one.status_code == (200 if queue_id in MESSAGES[seat] else 404)


@pytest.mark.parametrize("seat", SEATS)
async def test_queue(filled: Api, seat: str) -> None:
    answer = await filled.get("/api/v1/queue", seat)
    if seat in QUEUE:
        assert names(answer) == QUEUE[seat]
    else:
        assert answer.status_code == 403


@pytest.mark.parametrize("seat", SEATS)
async def test_usage(filled: Api, seat: str) -> None:
    answer = await filled.get("/api/v1/usage", seat, period="2026-11")
    if seat not in USAGE:
        assert answer.status_code == 403
        return
    body = answer.json()
    assert {one["agency"] for one in body["agencies"]} == USAGE[seat]
    assert (body["province"] is None) is ("." in seat)


@pytest.mark.parametrize("seat", SEATS)
async def test_me(filled: Api, seat: str) -> None:
    body = (await filled.get("/api/v1/me", seat)).json()
    role, _, agency = seat.partition(".")
    assert (body["role"], body["agency"]) == (role, agency or None)
    assert ("message.read" in body["acts"]) is (seat in MESSAGES)


@pytest.mark.parametrize("seat", [seat for seat in SEATS if "." in seat and seat in USAGE])
async def test_another_agency_looks_as_if_it_were_not_there(filled: Api, seat: str) -> None:
    other = "stc" if seat.endswith("snv") else "snv"
    asked = ["/api/v1/usage"] + [path for path, seats in _LISTS.items() if seat in seats]
    for path in asked:
        existing = await filled.get(path, seat, agency=other)
        missing = await filled.get(path, seat, agency="nowhere")
        assert existing.status_code == missing.status_code == 404
        assert existing.json()["detail"].replace(other, "x") == missing.json()["detail"].replace(
            "nowhere", "x"
        )


_LISTS = {"/api/v1/messages": MESSAGES, "/api/v1/queue": QUEUE}


async def test_a_hidden_message_and_none_at_all_get_the_same_answer(filled: Api) -> None:
    hidden = (await filled.get(f"/api/v1/messages/{STC_SENT}", "clerk.snv")).json()
    none = (await filled.get("/api/v1/messages/NONESUCH", "clerk.snv")).json()
    for body in (hidden, none):
        body.pop("instance")
    assert {**hidden, "detail": ""} == {**none, "detail": ""}
    assert hidden["detail"].replace(STC_SENT, "") == none["detail"].replace("NONESUCH", "")


async def test_a_seat_sees_its_own_recipients_alone_of_what_others_sent(filled: Api) -> None:
    for path in ("/api/v1/messages/" + INTO_BOTH, "/api/v1/messages"):
        body = (await filled.get(path, "clerk.snv")).json()
        one = body if "queue_id" in body else next(m for m in body["items"] if m["queue_id"] == INTO_BOTH)
        assert [r["address"] for r in one["recipients"]] == ["an@caobang.gov.vn"]
        assert one["recipients_total"] == 1
    whole = (await filled.get("/api/v1/messages/" + SNV_SENT, "clerk.snv")).json()
    assert len(whole["recipients"]) == 2


@pytest.mark.parametrize(
    "asked",
    [
        {"account": "binh@caobang.gov.vn"},
        {"state": "held"},
        {"direction": "outbound"},
        {"account": "dan@vnn.vn"},
    ],
)
@pytest.mark.parametrize("seat", ["agency_admin.snv", "agency_admin.stc"])
async def test_a_page_ends_where_nothing_more_is_seen(filled: Api, seat: str, asked: dict[str, str]) -> None:
    """`next` holds a place: it would tell when a message came that the seat may not see."""
    seen = names(await filled.get("/api/v1/messages", seat, limit=50, **asked))
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        body = (await filled.get("/api/v1/messages", seat, limit=1, **asked, **more)).json()
        found += [one["queue_id"] for one in body["items"]]
        if body["next"] is None:
            break
        assert body["items"], "a page that is not the last shows something"
        more = {"cursor": body["next"]}
    assert set(found) == seen


async def test_a_filter_tells_nothing_of_a_hidden_recipient(filled: Api) -> None:
    """INTO_BOTH is held for stc's mailbox and queued for snv's."""
    for hidden in ({"state": "held"}, {"account": "binh@caobang.gov.vn", "direction": "inbound"}):
        assert names(await filled.get("/api/v1/messages", "clerk.snv", **hidden)) == set()
        assert names(await filled.get("/api/v1/messages", "clerk.stc", **hidden)) >= {INTO_BOTH}
        assert names(await filled.get("/api/v1/messages", "operator", **hidden)) >= {INTO_BOTH}
    assert names(await filled.get("/api/v1/messages", "clerk.snv", state="queued")) == {INTO_BOTH}


async def test_a_stop_for_secrecy_shows_the_mark_and_nothing_else(filled: Api) -> None:
    body = (await filled.get(f"/api/v1/messages/{SECRET}")).json()
    kept = {key for key, value in body.items() if value not in (None, [], 0, False)}
    assert kept == {
        "queue_id", "time", "verdict", "account", "secrecy", "policy_hash", "decision", "decisions",
    }  # fmt: skip
    assert (body["secrecy"], body["decision"]["rule"]) == ("MẬT", "secrecy-mark")


@pytest.mark.parametrize("path", GUARDED)
async def test_without_a_valid_token_nothing_is_answered(filled: Api, path: str) -> None:
    revoked, expired = (
        await add_token(filled.services.db, "operator", None),
        await add_token(filled.services.db, "operator", None, expires_ms=NOW_MS),
    )
    acting = filled.services.admin()
    from mailgov.admin import tokens
    from mailgov.admin.context import Actor

    found = await tokens.list_tokens(acting, Actor("test", Role.OPERATOR))
    await tokens.revoke_token(acting, Actor("test", Role.OPERATOR), found[-2].id)
    bodies = set()
    for header in (f"Bearer {revoked}", f"Bearer {expired}", "Bearer mg_unknown", "Bearer " + "x" * 5000):
        answer = await filled.ask.get(path, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="mailgov", error="invalid_token"'
        bodies.add(answer.text)
    assert len(bodies) == 1
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        answer = await filled.ask.get(path + "?nonsense=1", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="mailgov"'
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_that_does_not_fit_its_role_is_refused(filled: Api) -> None:
    for role, agency in (("emperor", None), ("clerk", None), ("operator", "snv")):
        filled.tokens["odd"] = await add_token(filled.services.db, role, agency)
        assert (await filled.get("/api/v1/messages", "odd")).status_code == 403


@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize("act", ["hold", "release", "retry", "drop"])
async def test_acts_on_the_queue(filled: Api, seat: str, act: str) -> None:
    """Asked for one of snv's messages; a worker that answers at once stands in for the relay."""
    over = asyncio.Event()
    worker = asyncio.ensure_future(_answering(filled, over))
    try:
        answer = await filled.ask.post(
            f"/api/v1/queue/{SNV_SENT}/{act}", json={"reason": "thử"}, headers=filled.auth(seat)
        )
    finally:
        over.set()
        await worker
    role, _, agency = seat.partition(".")
    reach = scope(Role(role), Act(f"queue.{act}"))
    if reach is Scope.ALL or (reach is Scope.AGENCY and agency == "snv"):
        assert answer.status_code == 200, answer.text
        assert (answer.json()["act"], answer.json()["result"]) == (act, "done")
    elif reach is Scope.AGENCY:
        assert answer.status_code == 404
    else:
        assert answer.status_code == 403


async def _answering(api: Api, over: asyncio.Event) -> None:
    while not over.is_set():
        for one in await commands.pending(api.services.db, "spool-w"):
            await commands.finish(api.services.db, one.id, "done", "1 recipients", NOW_MS)
        await asyncio.sleep(0.02)


async def test_acts_say_what_was_wrong(filled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_acts, "WAIT_S", 0.3)

    async def post(path: str, **more: object) -> httpx2.Response:
        return await filled.ask.post("/api/v1/queue/" + path, headers=filled.auth("operator"), **more)  # type: ignore[arg-type]  # passed on

    assert (await post(f"{SNV_SENT}/drop")).status_code == 422  # no reason
    assert (await post(f"{SNV_SENT}/burn")).status_code == 422
    assert (await post("NONESUCH/retry")).status_code == 404
    assert (await post(f"{REJECTED}/retry")).status_code == 409
    assert (await post(f"{SNV_SENT}/retry", json={"position": 0})).status_code == 409  # delivered already
    assert (await post(f"{SNV_SENT}/retry", json={"x": 1})).status_code == 422
    late = await post(f"{SNV_SENT}/retry")
    assert (late.status_code, late.json()["type"]) == (504, "urn:mailgov:problem:unfinished")


async def test_the_use_of_a_token_is_noted_once_a_minute(filled: Api) -> None:
    from mailgov.admin import tokens
    from mailgov.admin.context import Actor

    async def last_used() -> int | None:
        found = await tokens.list_tokens(filled.services.admin(), Actor("test", Role.OPERATOR))
        return next(one.last_used_ms for one in found if one.name == "auditor")

    assert await last_used() is None
    for ahead, noted in ((0, 0), (30_000, 0), (60_000, 60_000), (90_000, 60_000)):
        filled.clock.now_ms = NOW_MS + ahead
        assert (await filled.get("/api/v1/me", "auditor")).status_code == 200
        assert await last_used() == NOW_MS + noted
