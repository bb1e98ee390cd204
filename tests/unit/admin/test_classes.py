"""Corrections of a class and the monthly sample: who may, what is refused, what stays on record."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date

import pytest

from mailgov.admin import classes
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.mail.events import MessageEvent, RecipientRecord
from mailgov.store import classes as store
from mailgov.store.ledger import apply_events
from tests.unit.admin.province import NOW_MS, OPERATOR, WAITING, at, state

OCTOBER, NOVEMBER = date(2025, 10, 1), date(2025, 11, 1)
OCTOBER_MS = NOW_MS - 30 * 86_400_000
CLERK = Actor("vanthu", Role.CLERK, "snv")


async def tell(ctx: AdminContext, *events: MessageEvent) -> None:
    await apply_events(ctx.db, "more", "test", list(enumerate(events, start=1)), NOW_MS)


def mail(queue_id: str, **more: object) -> MessageEvent:
    given: dict[str, object] = {
        "at_ms": OCTOBER_MS,
        "account": at("annv"),
        "agency": "snv",
        "reverse_path": at("annv"),
        "subject": "12/GM-SNV Giấy mời",
        "document_class": "GM",
        "symbol": "12/GM-SNV",
        "recipients": (RecipientRecord(0, "x@example.org", "outbound", "queued"),),
    }
    values = {**given, **more}
    return MessageEvent("accepted", queue_id, values.pop("at_ms"), "submission", "0" * 32, **values)  # type: ignore[arg-type]  # fields by name


async def refused(done: object, code: str, words: str) -> None:
    with pytest.raises(AdminError, match=words) as raised:
        await done  # type: ignore[misc]  # a coroutine
    assert raised.value.code == code


async def test_a_clerk_corrects_and_the_history_says_so(ctx: AdminContext) -> None:
    view = await classes.correct_class(
        ctx, CLERK, WAITING, "gm", symbol="12 / GM - SNV", reason=" thiếu  loại "
    )
    assert (view.now.document_class, view.now.symbol, view.now.document_key) == (
        "GM", "12/GM-SNV", "2025:12/GM-SNV",
    )  # fmt: skip
    view = await classes.correct_class(ctx, CLERK, WAITING, None, reason="chỉ là trao đổi")
    assert (view.now.rule_class, view.now.document_key, view.now.symbol) == (None, None, "12/GM-SNV")
    assert await classes.show_class(ctx, CLERK, WAITING) == view
    assert [(one.actor, one.class_before, one.class_after, one.reason) for one in view.changes] == [
        ("vanthu", None, "GM", "thiếu loại"),
        ("vanthu", "GM", None, "chỉ là trao đổi"),
    ]
    content = json.loads(
        next(str(cell) for cell in state(ctx).tables["audit"][-1] if "class_before" in str(cell))
    )
    assert (content["class_before"], content["class_after"]) == ("GM", None)


async def test_the_issuers_clerk_corrects_what_the_office_sent_for_it(ctx: AdminContext) -> None:
    await tell(ctx, mail("UBND1", agency="vpubnd", issuer="ubnd"))
    for agency in ("ubnd", "vpubnd"):
        seen = await classes.show_class(ctx, replace(CLERK, agency=agency), "UBND1")
        assert seen.now.queue_id == "UBND1"
    await refused(classes.show_class(ctx, CLERK, "UBND1"), "not-found", "UBND1")


async def test_what_cannot_be_is_refused_and_nothing_changes(ctx: AdminContext) -> None:
    await tell(ctx, mail("NUMBERED"), replace(mail("REJECTED"), verdict="rejected"))
    before = state(ctx)

    def correct(queue_id: str, code: str | None, **more: str | None) -> object:
        return classes.correct_class(ctx, OPERATOR, queue_id, code, **{"reason": "x", **more})  # type: ignore[arg-type]  # fields by name

    await refused(correct("NONE", "GM"), "not-found", "NONE")
    await refused(correct("' OR 1=1", "GM"), "not-found", "message")
    await refused(correct("REJECTED", "GM"), "conflict", "rejected")
    await refused(correct("NUMBERED", "GM"), "conflict", "already")
    await refused(correct("NUMBERED", "Giấy mời"), "invalid", "document type")
    await refused(correct("NUMBERED", "TB", reason=" "), "invalid", "reason")
    for symbol in ("", "GM", "12/GM-SNV về việc", "9" * 70 + "/GM-SNV"):
        await refused(correct("NUMBERED", "TB", symbol=symbol), "invalid", "symbol")
    assert state(ctx) == before


@pytest.mark.parametrize("code", ["hd", "Hđ"])
async def test_marks_tell_types_apart(ctx: AdminContext, code: str) -> None:
    view = await classes.correct_class(ctx, OPERATOR, WAITING, code, reason="x", symbol=None)
    assert view.now.document_class == code.upper()


async def test_a_sample_is_drawn_once_of_a_month_that_is_over_and_can_be_drawn_again_by_its_seed(
    ctx: AdminContext,
) -> None:
    await tell(ctx, *(mail(f"Q{number:03}") for number in range(50)), mail("REPLY", reply=True))
    await refused(classes.draw_sample(ctx, OPERATOR, NOVEMBER), "conflict", "not over")
    await refused(classes.draw_sample(ctx, OPERATOR, OCTOBER, size=5), "invalid", "10 to 1000")
    await refused(classes.draw_sample(ctx, CLERK, OCTOBER), "forbidden", "clerk")
    drawn = await classes.draw_sample(ctx, OPERATOR, date(2025, 10, 20), size=20)
    assert len({one.queue_id for one in drawn}) == 20
    row = state(ctx).tables["audit"][-1]
    content = json.loads(next(str(cell) for cell in row if "seed" in str(cell)))
    assert (content["population"], content["drawn"]) == (50, 20)
    async with ctx.db.read() as session:
        could_be = await store.population(session, OCTOBER, NOVEMBER)
    again = random.Random(content["seed"]).sample(could_be, 20)
    assert [one[0] for one in again] == [one.queue_id for one in drawn]
    await refused(classes.draw_sample(ctx, OPERATOR, OCTOBER), "conflict", "already")


async def test_a_small_month_is_drawn_whole(ctx: AdminContext) -> None:
    await tell(ctx, mail("Q1"), mail("Q2"))
    assert len(await classes.draw_sample(ctx, OPERATOR, OCTOBER)) == 2
    assert await classes.draw_sample(ctx, OPERATOR, date(2025, 12 - 3, 1)) == []


async def test_confirming_corrects_what_counts_as_something_else(ctx: AdminContext) -> None:
    await tell(ctx, mail("Q1"), mail("Q2", agency="stc"), mail("Q3"))
    await classes.draw_sample(ctx, OPERATOR, OCTOBER)
    seen = await classes.list_sample(ctx, CLERK, OCTOBER)
    assert {one.queue_id for one in seen} == {"Q1", "Q3"}
    done = await classes.confirm_class(ctx, CLERK, "Q1", "GM")
    assert (done.confirmed_class, done.actor) == ("GM", "vanthu")
    assert not (await classes.show_class(ctx, CLERK, "Q1")).changes
    await classes.confirm_class(ctx, CLERK, "Q3", None)
    view = await classes.show_class(ctx, CLERK, "Q3")
    assert (view.now.document_class, view.now.rule_class) == (None, "GM")
    assert [one.reason for one in view.changes] == ["mẫu tháng 10/2025"]
    await refused(classes.confirm_class(ctx, CLERK, "Q2", "GM"), "not-found", "Q2")
    await refused(classes.confirm_class(ctx, CLERK, WAITING, "GM"), "not-found", "sample")
    async with ctx.db.read() as session:
        assert await store.sample_result(session, OCTOBER, NOVEMBER) == store.SampleResult(3, 2, 1)
    await classes.confirm_class(ctx, CLERK, "Q3", "GM")  # on second thoughts
    async with ctx.db.read() as session:
        assert await store.sample_result(session, OCTOBER, NOVEMBER) == store.SampleResult(3, 2, 0)
