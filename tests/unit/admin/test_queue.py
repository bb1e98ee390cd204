"""Queue acts ask the spool's owner; traces find a message by either id."""

from __future__ import annotations

import pytest

from mailgov.admin import messages, queue
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.admin.queue import Search
from mailgov.store.commands import PendingCommand
from tests.unit.admin.province import OPERATOR, SNV_ADMIN, WAITING, at, state


async def test_what_waits_is_listed_with_its_recipients(ctx: AdminContext) -> None:
    found = await queue.list_queue(ctx, OPERATOR)
    assert [(entry.queue_id, entry.position, entry.address) for entry in found] == [
        (WAITING, 1, "x@example.org"),
        (WAITING, 2, "y@example.org"),
    ]
    assert await queue.list_queue(ctx, OPERATOR, Search(state="held")) == []
    assert await queue.list_queue(ctx, OPERATOR, Search(agency="stc")) == []
    assert len(await queue.list_queue(ctx, SNV_ADMIN)) == 2
    with pytest.raises(AdminError, match="no state"):
        await queue.list_queue(ctx, OPERATOR, Search(state="delivered"))


async def test_the_owner_is_asked_and_its_answer_is_told(
    ctx: AdminContext, relay: list[PendingCommand]
) -> None:
    done = await queue.drop(ctx, OPERATOR, WAITING, position=2, reason=" wrong\nperson ")
    assert (done.result, done.result_text, done.reason) == ("done", "1 recipient", "wrong person")
    assert [(one.act, one.position, one.actor) for one in relay] == [("drop", 2, "operator")]


async def test_the_owners_refusal_is_one_of_ours(ctx: AdminContext, relay: list[PendingCommand]) -> None:
    with pytest.raises(AdminError, match="it is not held") as raised:
        await queue.release(ctx, OPERATOR, WAITING, position=2)
    assert raised.value.status == 409


async def test_without_a_relay_the_request_stays(ctx: AdminContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "WAIT_S", 0.2)
    with pytest.raises(AdminError, match="no relay has answered") as raised:
        await queue.hold(ctx, OPERATOR, WAITING)
    assert raised.value.status == 504
    assert len(state(ctx).tables["command"]) == 1


@pytest.mark.parametrize(
    ("queue_id", "position", "detail"),
    [
        ("NOSUCH", None, "no such message"),
        ("../x", None, "no such message"),
        ("", None, "no such message"),
        (WAITING, 0, "no recipient 0 waits"),
        (WAITING, 9, "no recipient 9 waits"),
    ],
)
async def test_what_does_not_wait_is_not_acted_on(
    ctx: AdminContext, queue_id: str, position: int | None, detail: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await queue.retry(ctx, OPERATOR, queue_id, position=position)
    assert state(ctx) == before


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x1bb"])
async def test_dropping_needs_a_fair_reason(ctx: AdminContext, reason: str) -> None:
    with pytest.raises(AdminError, match="reason"):
        await queue.drop(ctx, OPERATOR, WAITING, reason=reason)


async def test_a_trace_tells_the_whole_record(ctx: AdminContext) -> None:
    message = await messages.trace(ctx, OPERATOR, WAITING.lower())
    assert (message.account, message.subject) == (at("annv"), "12/GM-SNV Giấy mời")
    assert [one.state for one in message.recipients] == ["delivered", "queued", "queued"]
    for unknown in ("0" * 32, "no such", "\x00", "x" * 65):
        with pytest.raises(AdminError, match="no such message"):
            await messages.trace(ctx, OPERATOR, unknown)
