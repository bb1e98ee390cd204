"""Indicators and targets over HTTP: documents, forms of the answer, seats."""

from __future__ import annotations

import csv
import io

import pytest

from mailgov.identity.roles import Role
from tests.unit.api.conftest import Api
from tests.unit.api.test_app import check_headers, check_problem


async def test_indicators_stand_beside_the_counts(filled: Api) -> None:
    body = (await filled.get("/api/v1/usage", period="2026-11", agency="SNV")).json()
    assert {one["agency"] for one in body["indicators"]} == {"snv"}
    rows = {one["indicator"]: one for one in body["indicators"]}
    found = rows["pt.officials-using-mail"]
    assert (found["numerator"], found["denominator"], found["percent"], found["met"]) == (1, None, None, None)
    assert found["kind"] == "reference"  # the settings adopt cao-bang alone
    assert found["note"]["code"] == "undeclared"
    assert rows["cb.official-mailboxes"]["kind"] == "duty"
    assert {one["id"] for one in body["definitions"]} >= set(rows) | {"sent_messages"}


async def test_one_document_alone(filled: Api) -> None:
    body = (await filled.get("/api/v1/usage", period="2026-11", directive="binh-dinh")).json()
    assert body["directive"] == "binh-dinh"
    named = {one["indicator"] for one in body["indicators"]}
    assert {"bd.officials-using-mail", "sig.share"} <= named
    assert not any(name.startswith(("pt.", "bg.", "cb.")) for name in named)
    assert body["agencies"]


@pytest.mark.parametrize("path", ["/api/v1/usage", "/api/v1/targets"])
async def test_a_document_or_period_that_is_none(filled: Api, path: str) -> None:
    body = check_problem(await filled.get(path, directive="binh-din"), 404)
    assert body["detail"] == "no such directive: binh-din"
    check_problem(await filled.get(path, period="2026-13"), 422)
    check_problem(await filled.get(path, calendar="lunar"), 422)
    check_problem(await filled.get(path, directive=""), 422)


@pytest.mark.parametrize(
    ("accept", "form", "is_csv"),
    [
        ("", None, False),
        ("*/*", None, False),
        ("text/csv", None, True),
        ("text/csv;q=0.9, application/json;q=0.8", None, True),
        ("text/csv, application/json", None, False),
        ("text/csv;q=0", None, False),
        ("text/csv;q=x", None, False),
        ("application/json", "csv", True),
        ("text/csv", "json", False),
        ("text/csv," * 5000, None, True),
    ],
)
async def test_the_form_that_the_caller_prefers(
    filled: Api, accept: str, form: str | None, is_csv: bool
) -> None:
    asked = {"period": "2026-11"} | ({} if form is None else {"format": form})
    headers = {**filled.auth("operator"), "Accept": accept}
    answer = await filled.ask.get("/api/v1/usage", params=asked, headers=headers)
    assert answer.status_code == 200
    check_headers(answer)
    if not is_csv:
        assert answer.json()["indicators"]
        return
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage-2026-11.csv"'
    text = answer.content.decode("utf-8-sig")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert {"pt.officials-using-mail", "sent_messages"} <= {one["indicator"] for one in rows}


async def test_an_unknown_form_is_refused(filled: Api) -> None:
    check_problem(await filled.get("/api/v1/usage", format="xlsx"), 422)


@pytest.mark.parametrize("seat", ["head.snv", "clerk.snv", "agency_admin.snv"])
async def test_a_seat_of_an_agency_sees_its_own_rows(filled: Api, seat: str) -> None:
    body = (await filled.get("/api/v1/usage", seat, period="2026-11")).json()
    assert {one["agency"] for one in body["indicators"]} == {"snv"}
    sheet = await filled.get("/api/v1/usage", seat, period="2026-11", format="csv")
    rows = csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig")), delimiter=";")
    assert {one["agency"] for one in rows} == {"snv"}
    assert "Sở Tài chính" not in sheet.text


@pytest.mark.parametrize("role", list(Role))
async def test_what_the_law_asks_is_no_secret(filled: Api, role: Role) -> None:
    seat = role.value if role.value in filled.tokens else f"{role.value}.snv"
    body = (await filled.get("/api/v1/targets", seat)).json()
    assert body["period"] == {"from": "2026-11-21", "to": "2026-11-22"}
    rows = {one["indicator"]: one for one in body["targets"]}
    assert rows["pt.officials-using-mail"]["steps"] == [{"by": "2010-12-31", "percent": 80.0, "count": None}]
    assert (rows["bd.commune-lan"]["status"], rows["bd.commune-lan"]["kind"]) == ("ended", "reference")
    assert rows["cb.official-mailboxes"]["target_count"] == 0


async def test_targets_of_a_period_of_the_past(filled: Api) -> None:
    body = (await filled.get("/api/v1/targets", period="2012", directive="binh-dinh")).json()
    rows = {one["indicator"]: one for one in body["targets"]}
    found = rows["bd.officials-using-mail"]
    assert (found["status"], found["target_percent"], found["people"]) == (
        "due",
        80.0,
        ["can_bo", "cong_chuc"],
    )
    assert (found["from"], found["until"]) == ("2011-01-01", "2015-12-31")
    administrative = await filled.get(
        "/api/v1/targets", period="2012", directive="binh-dinh", calendar="administrative"
    )
    rows = {one["indicator"]: one for one in administrative.json()["targets"]}
    assert rows["bd.officials-using-mail"]["target_percent"] == 60.0  # the year closes on 14/12
