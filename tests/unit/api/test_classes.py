"""Corrections of a class and the monthly sample over HTTP."""

from __future__ import annotations

import httpx2
import pytest

from tests.unit.api.conftest import Api
from tests.unit.api.test_app import check_problem
from tests.unit.api.world import INTO_STC, REJECTED, SNV_SENT
from tests.unit.usage.traffic import at_ms

PATH = f"/api/v1/messages/{SNV_SENT}/class"
ASKED = {"document_class": "TB", "symbol": "12/TB-SNV", "reason": "là thông báo"}
SAMPLES = "/api/v1/class-samples"


async def patch(
    api: Api, body: object, seat: str = "clerk.snv", if_match: str | None = "*"
) -> httpx2.Response:
    headers = api.auth(seat) | ({} if if_match is None else {"If-Match": if_match})
    return await api.ask.patch(PATH, json=body, headers=headers)


async def post(api: Api, path: str, body: object, seat: str = "operator") -> httpx2.Response:
    return await api.ask.post(path, json=body, headers=api.auth(seat))


async def test_a_clerk_corrects_what_was_seen(filled: Api) -> None:
    seen = await filled.get(PATH, "clerk.snv")
    assert (seen.json()["document_class"], seen.json()["document"]) == ("GM", "2026:12/GM-SNV")
    check_problem(await patch(filled, ASKED, if_match=None), 428)
    done = await patch(filled, ASKED, if_match=seen.headers["etag"])
    assert done.status_code == 200, done.text
    body = done.json()
    assert (body["document_class"], body["symbol"], body["rule_class"], body["checked"]) == (
        "TB", "12/TB-SNV", "GM", True,
    )  # fmt: skip
    (change,) = body["history"]
    assert (change["by"].endswith("(clerk snv)"), change["reason"]) == (True, "là thông báo")
    check_problem(await patch(filled, ASKED, if_match=seen.headers["etag"]), 412)
    check_problem(await patch(filled, ASKED), 409)
    message = await filled.get(f"/api/v1/messages/{SNV_SENT}")
    assert (message.json()["document_class"], message.json()["symbol"]) == ("TB", "12/TB-SNV")


async def test_a_symbol_left_out_stays_and_null_takes_it_away(filled: Api) -> None:
    kept = await patch(filled, {"document_class": "TB", "reason": "x"})
    assert kept.json()["symbol"] == "12/GM-SNV"
    gone = await patch(filled, {"document_class": "TB", "symbol": None, "reason": "x"})
    assert gone.json()["symbol"] is None
    assert gone.json()["document"].startswith("2026:~")


@pytest.mark.parametrize(
    "body",
    [
        {"document_class": "TB"},
        {"reason": "x"},
        {"document_class": "TB", "reason": ""},
        {"document_class": "XX", "reason": "x"},
        {"document_class": "TB", "symbol": "không", "reason": "x"},
        {"document_class": "TB", "reason": "x", "agency_code": "stc"},
    ],
)
async def test_a_malformed_correction_is_refused(filled: Api, body: dict[str, str]) -> None:
    check_problem(await patch(filled, body), 422)
    assert (await filled.get(PATH)).json()["history"] == []


@pytest.mark.parametrize("seat", ["clerk.stc", "agency_admin.snv", "head.snv", "auditor", "owner"])
async def test_others_may_not(filled: Api, seat: str) -> None:
    status = 404 if seat == "clerk.stc" else 403
    check_problem(await filled.get(PATH, seat), status)
    check_problem(await patch(filled, ASKED, seat), status)


async def test_a_rejected_message_and_one_from_outside(filled: Api) -> None:
    check_problem(await filled.get(f"/api/v1/messages/{REJECTED}/class", "clerk.snv"), 409)
    check_problem(await filled.get(f"/api/v1/messages/{INTO_STC}/class", "clerk.stc"), 404)
    assert (await filled.get(f"/api/v1/messages/{INTO_STC}/class")).json()["issuer"] is not None


async def test_the_sample_of_a_month(filled: Api) -> None:
    check_problem(await post(filled, SAMPLES, {"month": "2026-11"}), 409)
    filled.clock.now_ms = at_ms("2026-12-01")
    check_problem(await post(filled, SAMPLES, {"month": "2026-11"}, "clerk.snv"), 403)
    check_problem(await post(filled, SAMPLES, {"month": "2026-13"}), 422)
    drawn = await post(filled, SAMPLES, {"month": "2026-11", "size": 50})
    assert (drawn.status_code, drawn.json()) == (201, {"month": "2026-11", "drawn": 2})
    listed = await filled.ask.get(drawn.headers["location"], headers=filled.auth("clerk.snv"))
    (one,) = listed.json()["items"]
    assert (one["queue_id"], one["confirmed"]) == (SNV_SENT, False)
    first = (await filled.get(SAMPLES, month="2026-11", limit=1)).json()
    second = (await filled.get(SAMPLES, month="2026-11", limit=1, cursor=first["next"])).json()
    assert (len(first["items"] + second["items"]), second["next"]) == (2, None)

    confirmed = await post(filled, f"{SAMPLES}/{SNV_SENT}/confirm", {"document_class": None}, "clerk.snv")
    assert confirmed.status_code == 200, confirmed.text
    assert (confirmed.json()["confirmed"], confirmed.json()["confirmed_class"]) == (True, None)
    assert (await filled.get(PATH)).json()["document_class"] is None
    check_problem(
        await post(filled, f"{SAMPLES}/{SNV_SENT}/confirm", {"document_class": "GM"}, "clerk.stc"), 404
    )


async def test_the_sample_stands_beside_the_figures_of_documents(filled: Api) -> None:
    filled.clock.now_ms = at_ms("2026-12-01")
    await post(filled, SAMPLES, {"month": "2026-11"})
    await post(filled, f"{SAMPLES}/{SNV_SENT}/confirm", {"document_class": None}, "clerk.snv")
    report = (await filled.get("/api/v1/usage", period="2026-Q4", directive="bac-giang")).json()
    (row,) = [
        one
        for one in report["indicators"]
        if one["indicator"] == "bg.electronic-documents" and one["agency"] is None
    ]
    assert row["beside"] == {"class_sample_drawn": 2, "class_sample_confirmed": 1, "class_sample_wrong": 1}
    (note,) = [note for note in row["notes"] if note["code"] == "class-error"]
    assert "1/1 thư mẫu sai, còn 1 thư chưa xem; khoảng tin cậy 95%: 20,65–100,00%" in note["vi"]
