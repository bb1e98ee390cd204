"""The audit log over HTTP."""

from __future__ import annotations

from mailgov.mail.events import AlarmEvent
from mailgov.store.audit import verify
from mailgov.store.ledger import apply_events
from tests.unit.api.conftest import Api
from tests.unit.api.test_app import check_problem
from tests.unit.api.world import NOW_MS

PATH = "/api/v1/audit"
ACT = "sending.limit_reached"


async def alarmed(api: Api) -> None:
    events = [
        AlarmEvent(f"Q{n}", NOW_MS + n, "mail.test", ACT, f"a{n}@caobang.gov.vn", {"n": n}, f"{n:032x}")
        for n in range(3)
    ]
    for _ in range(2):  # the second time they are known
        await apply_events(api.services.db, "alarms", "mail.test", list(enumerate(events, 1)), NOW_MS)


async def test_what_the_service_saw_stands_there_once_and_the_chain_holds(filled: Api) -> None:
    await alarmed(filled)
    first = (await filled.get(PATH, act=ACT, limit="2")).json()
    rest = (await filled.get(PATH, act=ACT, limit="2", cursor=first["next"])).json()
    assert [one["content"]["n"] for one in first["items"] + rest["items"]] == [2, 1, 0]
    assert rest["next"] is None
    assert {one["actor"] for one in first["items"]} == {"service:mail.test"}
    (only,) = (await filled.get(PATH, object="a1@caobang.gov.vn")).json()["items"]
    assert (only["act"], only["role"]) == (ACT, "service")
    assert (await verify(filled.services.db)).problems == []


async def test_operators_alone(filled: Api) -> None:
    for seat in ("auditor", "agency_admin.snv", "clerk.snv", "head.snv", "owner"):
        assert (await filled.get(PATH, seat)).status_code == 403, seat


async def test_what_cannot_be_asked(filled: Api) -> None:
    check_problem(await filled.get(PATH, limit="501"), 422)
    check_problem(await filled.get(PATH, cursor="x"), 422)
