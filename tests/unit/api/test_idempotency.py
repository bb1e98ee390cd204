"""A request with an `Idempotency-Key`, repeated: done once, answered alike."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from mailgov.api import idempotency
from tests.unit.api.conftest import Api
from tests.unit.api.test_app import check_problem
from tests.unit.api.world import NOW_MS

HOUR_MS = 3_600_000
NEW = {"name": "caobang.gov.vn", "postmaster": "quantri@caobang.gov.vn"}
OTHER = {"name": "b.gov.vn", "postmaster": "quantri@b.gov.vn"}


async def post(api: Api, key: str | None, body: object = NEW, seat: str = "operator") -> httpx2.Response:
    headers = api.auth(seat) | ({} if key is None else {"Idempotency-Key": key})
    return await api.ask.post("/api/v1/domains", json=body, headers=headers)


async def acts(api: Api) -> list[str]:
    """Objects of the acts in the audit log."""
    path = str(api.services.db._file)
    with closing(sqlite3.connect(path)) as ledger:
        return [row[0] for row in ledger.execute("SELECT object FROM audit ORDER BY id")]


def kept(api: Api) -> list[tuple[str, str, int, bytes]]:
    with closing(sqlite3.connect(str(api.services.db._file))) as ledger:
        return list(ledger.execute("SELECT caller, key, status, answer FROM idempotency_key"))


async def test_a_repeated_request_gets_the_same_answer_and_does_nothing(api: Api) -> None:
    first = await post(api, "k1")
    assert (first.status_code, first.json()["name"]) == (201, "caobang.gov.vn")
    again = await post(api, "k1")
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert await acts(api) == ["caobang.gov.vn"]


async def test_without_a_key_the_repeated_request_is_a_new_one(api: Api) -> None:
    assert (await post(api, None)).status_code == 201
    check_problem(await post(api, None), 409)
    assert kept(api) == []


async def test_a_key_that_comes_quoted_is_the_same_key(api: Api) -> None:
    await post(api, '"k1"')
    assert (await post(api, "k1")).headers["idempotency-replayed"] == "true"


async def test_the_key_of_another_request_is_a_mistake(api: Api) -> None:
    await post(api, "k1")
    for again in (
        await post(api, "k1", OTHER),
        await api.ask.post(
            "/api/v1/domains?x=1", json=NEW, headers=api.auth("operator") | {"Idempotency-Key": "k1"}
        ),
    ):
        body = check_problem(again, 422)
        assert "caobang" not in str(body)
    assert (await post(api, "k1", OTHER)).json()["type"] == "urn:mailgov:problem:key-reused"
    assert await acts(api) == ["caobang.gov.vn"]


async def test_keys_belong_to_their_caller(api: Api) -> None:
    await post(api, "k1")
    check_problem(await post(api, "k1", seat="auditor"), 403)
    check_problem(await post(api, "k1", seat="agency_admin.snv"), 403)


async def test_a_refusal_is_not_kept(api: Api) -> None:
    check_problem(await post(api, "k1", {**NEW, "postmaster": "x@elsewhere.vn"}), 404)
    assert kept(api) == []
    assert (await post(api, "k1")).status_code == 201


async def test_a_request_that_failed_half_way_left_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no room for the answer")

    with monkeypatch.context() as patch:
        patch.setattr("mailgov.api.idempotency.idempotency.keep", fail)
        check_problem(await post(api, "k1"), 500)
    assert (kept(api), await acts(api)) == ([], [])
    assert (await post(api, "k1")).status_code == 201


async def test_requests_that_come_at_once_are_one(api: Api) -> None:
    answers = await asyncio.gather(*(post(api, "k1") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
    assert await acts(api) == ["caobang.gov.vn"]


async def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    await post(api, "k1")
    api.clock.now_ms = NOW_MS + 24 * HOUR_MS
    assert (await post(api, "k1")).status_code == 201
    api.clock.now_ms += 1
    assert (await post(api, "k2", OTHER)).status_code == 201
    assert [key for _, key, _, _ in kept(api)] == ["k2"]
    check_problem(await post(api, "k1"), 409)


async def test_keys_are_bounded_in_number(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "KEYS_PER_CALLER", 1)
    await post(api, "k1")
    refused = await post(api, "k2", OTHER)
    assert check_problem(refused, 429)["type"] == "urn:mailgov:problem:too-many-keys"
    assert refused.headers["retry-after"] == "3600"
    assert (await post(api, "k1")).status_code == 201
    assert await acts(api) == ["caobang.gov.vn"]


async def test_an_answer_too_large_to_keep_is_told_as_done(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "ANSWER_BYTES", 10)
    assert (await post(api, "k1")).status_code == 201
    assert check_problem(await post(api, "k1"), 409)["type"] == "urn:mailgov:problem:already-done"


@pytest.mark.parametrize("key", ["", '""', "k" * 201, "k\x7f", "ké"])
async def test_a_malformed_key_is_refused(api: Api, key: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in api.auth("operator").items()]
    answer = await api.ask.post(
        "/api/v1/domains", json=NEW, headers=[*headers, (b"Idempotency-Key", key.encode())]
    )
    check_problem(answer, 422)
    assert await acts(api) == []


async def test_what_is_kept_cannot_be_read_without_the_callers_secret(api: Api, tmp_path: Path) -> None:
    await post(api, "k1")
    ((caller, _, status, answer),) = kept(api)
    assert (status, "operator" in caller) == (201, True)
    assert b"caobang" not in answer
    assert len(answer) < 1000
