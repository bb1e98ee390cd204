"""Declarations and exemptions over HTTP: who may, once, only to the state that was seen."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from mailgov.api.declared import declarations, exemptions
from mailgov.api.declared.examples import EXAMPLES
from mailgov.identity.roles import Act, Role, Scope, scope
from tests.unit.api.conftest import Api
from tests.unit.api.test_matrix import SEATS

PEOPLE = {"can_bo": 4, "cong_chuc": 60, "vien_chuc": 6, "khac": 2}
HEADS: dict[str, Any] = {"kind": "headcount", "agency": "snv", "period": "2026-10", "numbers": PEOPLE}
BOOK: dict[str, Any] = {
    "kind": "register",
    "agency": "snv",
    "period": "2026-10",
    "register": [
        {"symbol": "12/GM-SNV", "issued_on": "2026-10-02", "title": "Giao ban"},
        {"document_class": "TB", "issued_on": "2026-10-09", "exempt": "secret"},
    ],
}
EXEMPT = {"obligation": "cb.official-mailboxes", "agency": "snv", "reason": "thư của ngành"}
LIST = "/api/v1/declarations"


async def post(api: Api, path: str, body: object, seat: str = "operator", **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.ask.post(path, json=body, headers={**api.auth(seat), **named})


async def test_a_declaration_from_post_to_history(api: Api) -> None:
    made = await post(api, LIST, HEADS, "clerk.snv")
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["agency"], body["from"], body["to"], body["revision"]) == (
        "snv",
        "2026-10-01",
        "2026-11-01",
        1,
    )
    assert (body["numbers"], body["register"], body["superseded_by"]) == (PEOPLE, None, None)
    shown = await api.get(made.headers["location"], "head.snv")
    assert shown.json() == body
    assert shown.headers["etag"] == made.headers["etag"]

    fixed = {"numbers": {**PEOPLE, "can_bo": 5}, "reason": "đếm sót"}
    path = f"{LIST}/{body['id']}/correct"
    second = await post(api, path, fixed, "clerk.snv", If_Match=shown.headers["etag"])
    assert (second.status_code, second.json()["revision"]) == (200, 2)
    stale = await post(api, path, fixed, "clerk.snv", If_Match=shown.headers["etag"])
    assert stale.status_code == 412
    assert (await post(api, path, fixed, "clerk.snv")).status_code == 428
    history = (await api.get(f"{LIST}/{body['id']}/history", "head.snv")).json()["items"]
    assert [(one["revision"], one["superseded_by"], one["reason"]) for one in history] == [
        (1, second.json()["id"], None),
        (2, None, "đếm sót"),
    ]
    (listed,) = (await api.get(LIST, "clerk.snv")).json()["items"]
    assert listed == second.json()


async def test_a_repeated_request_declares_once(api: Api) -> None:
    first = await post(api, LIST, HEADS, Idempotency_Key="mot-lan")
    again = await post(api, LIST, HEADS, Idempotency_Key="mot-lan")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len((await api.get(LIST)).json()["items"]) == 1
    assert (await post(api, LIST, HEADS)).status_code == 409


async def test_what_looks_like_a_slip_asks_for_a_reason(api: Api) -> None:
    await post(api, LIST, {**HEADS, "period": "2026-09"})
    jump = {**HEADS, "numbers": {**PEOPLE, "cong_chuc": 6}}
    asked = await post(api, LIST, jump)
    assert (asked.status_code, asked.json()["type"]) == (409, "urn:mailgov:problem:needs-reason")
    assert "cong_chuc was 60" in asked.json()["detail"]
    assert (await post(api, LIST, {**jump, "reason": "chuyển về tỉnh"})).status_code == 201


async def test_a_register_and_who_sees_its_titles(api: Api) -> None:
    made = (await post(api, LIST, BOOK, "clerk.snv")).json()
    assert [line["title"] for line in made["register"]] == ["Giao ban", None]
    assert made["numbers"] == {"entries": 2}
    assert made["declared_by"].startswith("token ")
    seen = (await api.get(f"{LIST}/{made['id']}", "auditor")).json()
    assert ([line["title"] for line in seen["register"]], seen["declared_by"]) == ([None, None], None)
    secret = {**BOOK, "agency": "stc"}
    secret["register"] = [
        {"document_class": "TB", "issued_on": "2026-10-09", "exempt": "secret", "title": "x"}
    ]
    refused = await post(api, LIST, secret)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:mailgov:problem:invalid")


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": {**PEOPLE, "can_bo": "4"}},
        {"numbers": {**PEOPLE, "can_bo": 4.0}},
        {"numbers": {**PEOPLE, "can_bo": True}},
        {"numbers": {**PEOPLE, "can_bo": None}},
        {"numbers": {**PEOPLE, "can_bo": -1}},
        {"numbers": {**PEOPLE, "can_bo": 10**30}},
        {"numbers": {"can_bo": 1}},
        {"numbers": []},
        {"numbers": {str(n): 1 for n in range(21)}},
        {"kind": "votes"},
        {"period": "2026-13"},
        {"period": "2026-11"},
        {"period": "2030"},
        {"calendar": "lunar"},
        {"agency": ""},
        {"agency": "a\nb"},
        {"subject": "pt.lan"},
        {"reason": ""},
        {"revision": 7},
        {"sample": True},
        {"correct": True},
        {"register": [{"issued_on": "2026-10-02"}]},
        {"kind": "register", "numbers": {}},
        {"kind": "register", "numbers": {}, "register": [{"issued_on": "hôm qua"}]},
        {"kind": "register", "numbers": {}, "register": [{"issued_on": "2026-10-02", "line": 3}]},
        {"kind": "indicator", "subject": "pt.lan", "numbers": {"numerator": 2, "denominator": 1}},
        {"kind": "indicator", "subject": "pt.lan", "numbers": {"count": 1}},
        {"kind": "indicator", "subject": "bn.accounts", "numbers": {"numerator": 1, "denominator": 1}},
    ],
)
async def test_what_cannot_be_is_422_and_leaves_nothing(api: Api, change: dict[str, Any]) -> None:
    answer = await post(api, LIST, {**HEADS, **change})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get(LIST)).json()["items"] == []


async def test_indicators_are_what_the_documents_ask_to_declare(api: Api) -> None:
    shares = {
        **HEADS,
        "kind": "indicator",
        "subject": "pt.lan",
        "numbers": {"numerator": 0, "denominator": 0},
    }
    assert (await post(api, LIST, shares)).json()["subject"] == "pt.lan"
    counted = {**shares, "subject": "bd.shared-databases", "numbers": {"count": 3}}
    assert (await post(api, LIST, counted)).status_code == 201
    whole = (await post(api, LIST, {**counted, "agency": None})).json()
    assert (whole["agency"], whole["numbers"]) == (None, {"count": 3})
    assert (
        await post(api, LIST, {key: counted[key] for key in counted if key != "agency"})
    ).status_code == 422
    assert (await post(api, LIST, {**counted, "agency": ""})).status_code == 422
    assert (await post(api, LIST, {**shares, "subject": "pt.nothing"})).status_code == 404
    found = (await api.get(LIST, kind="indicator", subject="pt.lan")).json()["items"]
    assert [one["subject"] for one in found] == ["pt.lan"]


async def test_pages_of_the_list(api: Api) -> None:
    for month in ("2026-07", "2026-08", "2026-09"):
        await post(api, LIST, {**HEADS, "period": month})
    page = (await api.get(LIST, limit=1, agency="snv")).json()
    seen = [one["from"] for one in page["items"]]
    while page["next"]:
        page = (await api.get(LIST, limit=1, agency="snv", cursor=page["next"])).json()
        seen += [one["from"] for one in page["items"]]
    assert seen == ["2026-09-01", "2026-08-01", "2026-07-01"]
    inside = (await api.get(LIST, period="2026-09", calendar="civil")).json()["items"]
    assert [one["from"] for one in inside] == ["2026-09-01"]
    assert (await api.get(LIST, cursor="nonsense")).status_code == 422


@pytest.mark.parametrize("seat", SEATS)
async def test_who_may_declare_correct_and_read(api: Api, seat: str) -> None:
    role, _, agency = seat.partition(".")

    def expected(act: Act, done: int) -> int:
        reach = scope(Role(role), act)
        if reach is Scope.NONE:
            return 403
        return done if reach is Scope.ALL or agency == "snv" else 404

    made = await post(api, LIST, HEADS, seat)
    assert made.status_code == expected(Act.DECLARATION_ADD, 201)
    if made.status_code != 201:
        made = await post(api, LIST, HEADS)
    path = f"{LIST}/{made.json()['id']}"
    for read in (path, f"{path}/history"):
        assert (await api.get(read, seat)).status_code == expected(Act.DECLARATION_READ, 200)
    fixed = {"numbers": {**PEOPLE, "can_bo": 5}, "reason": "x"}
    corrected = await post(api, f"{path}/correct", fixed, seat, If_Match="*")
    assert corrected.status_code == expected(Act.DECLARATION_CORRECT, 200)
    listed = await api.get(LIST, seat)
    if scope(Role(role), Act.DECLARATION_READ) is Scope.NONE:
        assert listed.status_code == 403
    else:
        assert len(listed.json()["items"]) == (agency != "stc")


async def test_anothers_agency_and_none_look_the_same(api: Api) -> None:
    theirs = await post(api, LIST, {**HEADS, "agency": "stc"}, "clerk.snv")
    none = await post(api, LIST, {**HEADS, "agency": "xyz"}, "clerk.snv")
    assert theirs.status_code == none.status_code == 404
    assert theirs.json()["detail"].replace("stc", "") == none.json()["detail"].replace("xyz", "")


async def test_exemptions(api: Api) -> None:
    made = await post(api, "/api/v1/exemptions", {**EXEMPT, "valid_from": "2026-01-01"})
    assert made.status_code == 201, made.text
    everyone = await post(api, "/api/v1/exemptions", {**EXEMPT, "agency": None})
    assert everyone.json()["agency"] is None
    theirs = await post(api, "/api/v1/exemptions", {**EXEMPT, "agency": "stc"})
    listed = (await api.get("/api/v1/exemptions", "head.snv", limit=1)).json()
    following = (await api.get("/api/v1/exemptions", "head.snv", limit=1, cursor=listed["next"])).json()
    assert [one["id"] for one in listed["items"] + following["items"]] == [
        made.json()["id"],
        everyone.json()["id"],
    ]
    assert (await api.get(theirs.headers["location"], "head.snv")).status_code == 404
    shown = await api.get(made.headers["location"], "auditor")
    path = made.headers["location"] + "/end"
    assert (await post(api, path, None)).status_code == 428
    ended = await post(api, path, {"on": "2026-07-01"}, If_Match=shown.headers["etag"])
    assert (ended.status_code, ended.json()["valid_until"]) == (200, "2026-07-01")
    assert (await post(api, path, None, If_Match=shown.headers["etag"])).status_code == 412
    for seat in SEATS:
        if seat != "operator":
            assert (await post(api, "/api/v1/exemptions", EXEMPT, seat)).status_code == 403
            assert (await post(api, path, None, seat, If_Match="*")).status_code == 403


async def test_examples_are_answers_and_questions_of_their_kind(api: Api) -> None:
    schemas = (await api.get("/openapi.json")).json()["components"]["schemas"]
    bodies = {**vars(declarations), **vars(exemptions)}
    for name, example in EXAMPLES.items():
        assert schemas[name]["example"] == example
        assert bodies[name].model_validate(example), name
    made = (await post(api, LIST, EXAMPLES["DeclarationAsked"])).json()
    assert made.keys() == EXAMPLES["DeclarationBody"].keys()
