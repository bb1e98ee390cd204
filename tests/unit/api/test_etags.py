"""Changes are made to the state that their caller has seen, or not at all."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.unit.api.conftest import Api
from tests.unit.api.test_app import check_problem
from tests.unit.api.test_idempotency import NEW, acts, post

PATH = "/api/v1/domains/caobang.gov.vn"


async def act(api: Api, name: str, seat: str = "operator", **headers: str) -> httpx2.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await api.ask.post(f"{PATH}/{name}", headers=api.auth(seat) | named)


async def tag(api: Api) -> str:
    return (await api.get(PATH)).headers["etag"]


@pytest.fixture(autouse=True)
async def _there(api: Api) -> None:
    await post(api, None)


async def test_a_tag_stays_while_the_object_does_and_moves_with_it(api: Api) -> None:
    made = await post(api, None, {**NEW, "name": "b.vn", "postmaster": "quantri@caobang.gov.vn"})
    assert made.headers["location"] == "/api/v1/domains/b.vn"
    assert (await api.get(made.headers["location"])).headers["etag"] == made.headers["etag"]
    first = await tag(api)
    assert await tag(api) == first
    disabled = await act(api, "disable", If_Match=first)
    assert (disabled.status_code, disabled.json()["state"]) == (200, "disabled")
    assert disabled.headers["etag"] == await tag(api) != first


async def test_a_change_needs_the_state_that_it_is_meant_for(api: Api) -> None:
    assert check_problem(await act(api, "disable"), 428)["type"].endswith(":precondition-required")  # type: ignore[attr-defined] # text
    old = await tag(api)
    await act(api, "disable", If_Match=old)
    for stale in (old, "W/" + await tag(api), '"x"', "nonsense", ""):
        body = check_problem(await act(api, "enable", If_Match=stale), 412)
        assert body["type"] == "urn:mailgov:problem:precondition-failed"
    assert (await api.get(PATH)).json()["state"] == "disabled"
    assert (await act(api, "enable", If_Match=f'"x", {await tag(api)}')).status_code == 200
    assert (await act(api, "disable", If_Match="*")).status_code == 200


async def test_of_two_who_saw_the_same_state_one_is_refused(api: Api) -> None:
    seen = await tag(api)
    answers = await asyncio.gather(*(act(api, "disable", If_Match=seen) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    assert (await acts(api)).count("caobang.gov.vn") == 2


async def test_a_seat_that_may_not_is_told_so_before_anything_else(api: Api) -> None:
    for headers in ({}, {"If_Match": "*"}):
        check_problem(await act(api, "disable", "auditor", **headers), 403)


async def test_what_is_not_there_matches_nothing(api: Api) -> None:
    answer = await api.ask.post(
        "/api/v1/domains/nowhere.vn/disable", headers=api.auth("operator") | {"If-Match": "*"}
    )
    check_problem(answer, 404)


async def test_a_reader_that_has_it_already_is_told_so(api: Api) -> None:
    seen = await tag(api)
    for known in (seen, "W/" + seen, "*", f'"x", {seen}'):
        answer = await api.ask.get(PATH, headers=api.auth("operator") | {"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", seen)
    answer = await api.ask.get(PATH, headers=api.auth("operator") | {"If-None-Match": '"x"'})
    assert answer.status_code == 200


async def test_with_a_key_the_answer_is_repeated_though_the_state_has_moved(api: Api) -> None:
    seen = await tag(api)
    first = await act(api, "disable", If_Match=seen, Idempotency_Key="k1")
    again = await act(api, "disable", If_Match=seen, Idempotency_Key="k1")
    assert (again.status_code, again.content) == (200, first.content)
