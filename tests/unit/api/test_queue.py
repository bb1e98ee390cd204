"""`/api/v1/queue`: search, one message with its history, and acts on all that is found."""

from __future__ import annotations

from typing import Any

import pytest

from mailgov.admin import queue_many
from mailgov.mail.events import OutcomeEvent
from mailgov.store import commands
from mailgov.store.ledger import apply_events
from tests.unit.api.conftest import Api
from tests.unit.api.world import INTO_BOTH, NOW_MS, SNV_SENT, STC_SENT


@pytest.fixture(autouse=True)
def no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_many, "WAIT_S", 0.05)


async def entries(api: Api, seat: str = "operator", **asked: Any) -> list[dict[str, Any]]:
    answer = await api.get("/api/v1/queue", seat, **asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_search(filled: Api) -> None:
    whole = await entries(filled)
    for one in whole:
        for asked in (
            {"queue_id": one["queue_id"]},
            {"recipient": one["address"].upper()},
            {"domain": one["address"].rpartition("@")[2]},
            {"reverse_path": one["reverse_path"] or "<>"},
            {"newer_than_s": 400 * 86_400},
        ):
            found = await entries(filled, **asked)
            assert one in found, asked
    assert await entries(filled, older_than_s=400 * 86_400) == []
    assert await entries(filled, reply="nothing said so") == []
    for wrong in ({"older_than_s": -1}, {"sender": "x"}, {"reply": ""}, {"state": "delivered"}):
        assert (await filled.get("/api/v1/queue", **wrong)).status_code == 422, wrong


async def test_one_message_with_its_history(filled: Api) -> None:
    tried = OutcomeEvent(INTO_BOTH, 1, NOW_MS, "held", "hold by quantri: <b>x</b>", 1, due_ms=None)
    await apply_events(filled.services.db, "history", "n", [(1, tried)], NOW_MS)
    body = (await filled.get(f"/api/v1/queue/{INTO_BOTH}")).json()
    assert body["queue_id"] == INTO_BOTH
    (one,) = body["history"]
    assert (one["position"], one["state"], one["reply"]) == (1, "held", "hold by quantri: <b>x</b>")
    assert one["next_attempt"] is None
    assert (await filled.get("/api/v1/queue/NONESUCH")).status_code == 404
    over = OutcomeEvent(INTO_BOTH, 1, NOW_MS + 1, "bounced", "554 5.4.7 Delivery time expired", 2)
    other = [OutcomeEvent(INTO_BOTH, n, NOW_MS, "dropped", "drop by quantri: x", 1) for n in (0, 2, 3)]
    await apply_events(filled.services.db, "history", "n", list(enumerate([over, *other], 2)), NOW_MS)
    gone = await filled.get(f"/api/v1/queue/{INTO_BOTH}")
    assert gone.status_code == 404
    assert "trace" in gone.json()["detail"], "it says where to look"
    kept = (await filled.get(f"/api/v1/messages/{INTO_BOTH}")).json()["history"]
    assert [row["reply"] for row in kept if row["position"] == 1] == [one["reply"], over.reply]
    seen = (await filled.get(f"/api/v1/messages/{INTO_BOTH}", "clerk.stc")).json()
    own = {row["position"] for row in seen["recipients"]}
    assert {row["position"] for row in seen["history"]} == own < {row["position"] for row in kept}
    assert (await filled.get(f"/api/v1/queue/{STC_SENT}", "agency_admin.snv")).status_code == 404
    assert (await filled.get(f"/api/v1/queue/{SNV_SENT}", "clerk.snv")).status_code == 403


async def test_acts_on_many_are_counted_then_done(filled: Api) -> None:
    path, search = "/api/v1/queue/acts", {"state": "queued"}
    waiting = len(await entries(filled, state="queued"))
    auth = filled.auth("operator")

    async def post(seat: str = "operator", **body: Any) -> tuple[int, dict[str, Any]]:
        answer = await filled.ask.post(path, json=body, headers=filled.auth(seat))
        return answer.status_code, answer.json()

    code, told = await post(act="hold", search=search)
    assert (code, told["recipients"], told["applied"]) == (200, waiting, False)
    assert waiting > 1
    assert (await post(act="hold", search=search, at_most=waiting - 1))[0] == 409
    assert (await post(act="drop", search=search, at_most=waiting))[0] == 422, "without a reason"
    assert (await post(act="hold", search={"x": 1}, at_most=1))[0] == 422
    assert (await post(act="hold", at_most=1))[0] == 422, "everything is said, not left out"
    assert (await post("agency_admin.snv", act="hold", search=search, at_most=9))[0] == 403
    assert (await post("auditor", act="retry", search=search))[0] == 403
    assert await commands.answered(filled.services.db, "") == (0, 0)

    code, told = await post(act="hold", search=search, at_most=waiting, reason="xem lại")
    assert (code, told["applied"], told["unanswered"]) == (200, True, waiting)
    code, told = await post("agency_admin.snv", act="retry", search={}, at_most=1000)
    assert code == 200
    own = await entries(filled, "agency_admin.snv")
    assert told["recipients"] == len([one for one in own if one["state"] != "held"])
    row = (await filled.ask.get("/api/v1/audit?act=queue.hold", headers=auth)).json()["items"][0]
    assert row["content"]["search"] == search
