"""Acts on all that a search finds: counted first, bounded, audited, within the seat."""

from __future__ import annotations

from typing import Any

import pytest

from mailgov.admin import queue, queue_many
from mailgov.admin.audit_log import list_audit
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.errors import AdminError
from mailgov.admin.queue import Search
from mailgov.admin.queue_many import Many
from mailgov.identity.roles import Role
from mailgov.mail.events import OutcomeEvent
from mailgov.store import commands
from mailgov.store.commands import PendingCommand
from mailgov.store.ledger import apply_events
from tests.unit.admin.province import NOW_MS, OPERATOR, SNV_ADMIN, SPOOL, WAITING, at, state

STC_ADMIN = Actor("it-stc", Role.AGENCY_ADMIN, "stc")
EXAMPLE = Search(domain="example.org")


@pytest.mark.parametrize(
    ("search", "positions"),
    [
        (Search(queue_id=WAITING.lower()), [1, 2]),
        (Search(recipient="X@Example.ORG"), [1]),
        (Search(domain="@Example.org"), [1, 2]),
        (Search(domain="ample.org"), []),
        (Search(reverse_path=at("ANNV")), [1, 2]),
        (Search(reverse_path="<>"), []),
        (Search(older_than_s=1), []),
        (Search(newer_than_s=1), [1, 2]),
        (Search(reply="bận"), []),
    ],
)
async def test_search(ctx: AdminContext, search: Search, positions: list[int]) -> None:
    assert [one.position for one in await queue.list_queue(ctx, OPERATOR, search)] == positions
    counted = Many("drop", bool(positions), len(positions))
    assert await queue_many.preview(ctx, OPERATOR, "drop", search) == counted


async def test_a_preview_changes_nothing(ctx: AdminContext) -> None:
    before = state(ctx)
    assert await queue_many.preview(ctx, OPERATOR, "hold", EXAMPLE) == Many("hold", 1, 2)
    assert await queue_many.preview(ctx, OPERATOR, "release", EXAMPLE) == Many("release", 0, 0)
    assert state(ctx) == before


async def test_all_that_is_found_is_asked_for_and_answered(
    ctx: AdminContext, relay: list[PendingCommand]
) -> None:
    done = await queue_many.act_on_many(ctx, OPERATOR, "drop", EXAMPLE, at_most=2, reason=" thử\nmáy ")
    assert done == Many("drop", 1, 2, True, done=2)
    asked = [(one.act, one.queue_id, one.position, one.reason) for one in relay]
    assert asked == [("drop", WAITING, 1, "thử máy"), ("drop", WAITING, 2, "thử máy")]
    row = (await list_audit(ctx, OPERATOR, limit=1, act="queue.drop"))[0]
    content: dict[str, Any] = row.content or {}
    assert (row.actor, row.object.startswith("batch ")) == ("operator", True)
    assert (content["search"], content["queue_ids"]) == ({"domain": "example.org"}, [WAITING])
    assert (content["recipients"], content["reason"]) == (2, "thử máy")


async def test_without_a_relay_it_stays_asked_for(ctx: AdminContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_many, "WAIT_S", 0.1)
    done = await queue_many.act_on_many(ctx, OPERATOR, "hold", EXAMPLE, at_most=10)
    assert (done.recipients, done.unanswered) == (2, 2)
    assert [one.position for one in await commands.pending(ctx.db, SPOOL)] == [1, 2]


async def test_more_than_was_counted_is_left_alone(ctx: AdminContext) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match="2 recipients wait now, more than the 1") as raised:
        await queue_many.act_on_many(ctx, OPERATOR, "hold", EXAMPLE, at_most=1)
    assert raised.value.status == 409
    with pytest.raises(AdminError, match="needs a reason"):
        await queue_many.act_on_many(ctx, OPERATOR, "drop", EXAMPLE, at_most=9, reason=" ")
    with pytest.raises(AdminError, match="no act"):
        await queue_many.preview(ctx, OPERATOR, "explode", EXAMPLE)
    assert state(ctx) == before


async def test_a_seat_acts_on_its_own_as_it_may(ctx: AdminContext, relay: list[PendingCommand]) -> None:
    assert await queue_many.preview(ctx, STC_ADMIN, "retry", EXAMPLE) == Many("retry", 0, 0)
    assert (await queue_many.act_on_many(ctx, STC_ADMIN, "retry", Search(), at_most=9)).recipients == 0
    for act in ("hold", "release", "drop"):
        with pytest.raises(AdminError, match="may not do"):
            await queue_many.act_on_many(ctx, SNV_ADMIN, act, EXAMPLE, at_most=9, reason="x")
    assert relay == []
    assert (await queue_many.act_on_many(ctx, SNV_ADMIN, "retry", EXAMPLE, at_most=9)).done == 2


async def test_the_history_is_shown_with_the_message(ctx: AdminContext) -> None:
    tried = OutcomeEvent(
        WAITING, 1, NOW_MS + 5, "deferred", "451 4.7.1 bận", 1, "mx.example.org", due_ms=NOW_MS + 100
    )
    await apply_events(ctx.db, SPOOL, "node", [(100, tried)], NOW_MS)
    found = await queue.show_queued(ctx, OPERATOR, WAITING)
    (one,) = found.attempts
    assert (one.position, one.reply, one.mx_host, one.due_ms) == (
        1, "451 4.7.1 bận", "mx.example.org", NOW_MS + 100,
    )  # fmt: skip
    assert [r.position for r in await queue.list_queue(ctx, OPERATOR, Search(reply="BẬN"))] in ([], [1])
    assert [r.position for r in await queue.list_queue(ctx, OPERATOR, Search(reply="4.7.1 bận"))] == [1]
