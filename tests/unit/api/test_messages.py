"""Traffic records: fields, filters, pages that stay whole while records arrive, hostile values."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import Counter
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgov.api.cursor import CursorError, decode, encode
from mailgov.api.times import TimeError, iso, moment_ms
from mailgov.store.ledger import apply_events
from tests.unit.api.conftest import Api
from tests.unit.api.world import (
    DECISION,
    INTO_BOTH,
    INTO_STC,
    NOW_MS,
    REJECTED,
    SECRET,
    SNV_SENT,
    STC_SENT,
    message,
    own,
    to,
)
from tests.unit.usage.traffic import at_ms


async def found(api: Api, seat: str = "operator", **asked: object) -> list[str]:
    answer = await api.get("/api/v1/messages", seat, **asked)
    assert answer.status_code == 200, answer.text
    return [one["queue_id"] for one in answer.json()["items"]]


async def test_a_record_tells_what_the_interface_promises(filled: Api) -> None:
    body = (await filled.get(f"/api/v1/messages/{SNV_SENT}")).json()
    expected = {
        "queue_id": SNV_SENT,
        "time": "2026-11-20T08:00:00.000+07:00",
        "verdict": "accepted",
        "account": "an@caobang.gov.vn",
        "agency": "snv",
        "reverse_path": "an@caobang.gov.vn",
        "document_class": "GM",
        "symbol": "12/GM-SNV",
        "size_bytes": 2048,
        "tls": "TLSv1.3",
        "client": "192.0.2.7",
        "helo": "pc-an",
        "spf": None,
        "dkim": None,
        "dmarc": None,
        "arc": None,
        "malware": None,
        "spam": None,
        "spam_score": None,
        "risks": [],
        "signatures": ["smime"],
        "decision": None,
    }
    assert {key: body[key] for key in expected} == expected
    assert "subject" not in body
    inside, outside = body["recipients"]
    kept = {"direction": "internal", "agency": "stc", "state": "delivered", "last_reply": "250 2.0.0 kept"}
    assert {key: inside[key] for key in kept} == kept
    assert inside["delivered_at"] == "2026-11-20T08:01:00.000+07:00"
    assert (outside["direction"], outside["state"], outside["agency"]) == ("outbound", "deferred", None)
    assert (outside["last_reply"], outside["mx_provider"]) == ("451 4.7.1 later", "domestic")


async def test_the_desk_a_message_came_from_is_its_own_agencys_to_know(filled: Api) -> None:
    for seat, client in (
        ("operator", "192.0.2.7"),
        ("agency_admin.snv", "192.0.2.7"),
        ("agency_admin.stc", None),
    ):
        body = (await filled.get(f"/api/v1/messages/{SNV_SENT}", seat)).json()
        assert (body["client"], body["helo"]) == (client, "pc-an" if client else None), seat


async def test_a_rejection_names_its_decision(filled: Api) -> None:
    body = (await filled.get(f"/api/v1/messages/{REJECTED}")).json()
    assert body["verdict"] == "rejected"
    assert body["decision"] == {
        "id": DECISION,
        "stage": "rcpt",
        "outcome": "reject",
        "rule": "cold-free-mail",
        "document": "cao-bang",
        "article": "mục 1b",
        "mode": "enforce",
        "position": 0,
        "policy_hash": "p1",
        "attachments": [],
        "watched": [],
        "why": f"http://127.0.0.1:8025/why/{DECISION}",
    }
    assert body["recipients"][0]["decision_id"] == DECISION


async def test_filters_hold_together(filled: Api) -> None:
    everything = [SECRET, REJECTED, INTO_STC, INTO_BOTH, STC_SENT, SNV_SENT]
    assert await found(filled) == everything
    assert await found(filled, agency="snv") == [REJECTED, INTO_BOTH, SNV_SENT]
    assert await found(filled, account="BINH@caobang.gov.vn") == [INTO_STC, INTO_BOTH, STC_SENT, SNV_SENT]
    assert await found(filled, verdict="rejected") == [SECRET, REJECTED]
    assert await found(filled, direction="inbound") == [INTO_STC, INTO_BOTH]
    assert await found(filled, direction="inbound", state="held") == [INTO_BOTH]
    assert await found(filled, state="deferred", direction="internal") == []
    assert await found(filled, queue_id=STC_SENT) == [STC_SENT]
    assert await found(filled, agency="snv", verdict="accepted", state="delivered") == [SNV_SENT]
    assert await found(filled, from_="2026-11-20", to="2026-11-21") == everything
    assert await found(filled, from_="2026-11-21") == []
    assert await found(filled, from_="2026-11-20T09:00:00+07:00", to="2026-11-20T04:00:00Z") == [
        INTO_BOTH,
        STC_SENT,
    ]


HOSTILE = [
    "' OR 1=1 --",
    '"; DROP TABLE message; --',
    "%",
    "_",
    "an@caobang.gov.vn' UNION SELECT hash FROM token --",
    "\\",
    "*",
    "<script>alert(1)</script>",
    "[object Object]",
    "🙈" * 40,
    "NaN",
    "-1",
    "9" * 300,
]
REFUSED = ["", "\x00", "a\x00b", "a\r\nSet-Cookie: x=1", "\x1b[31m", "a\u202eb", "a\u2028b", "x" * 321]
FILTERS = [
    "agency",
    "account",
    "sender",
    "recipient",
    "message_id",
    "rule",
    "risk",
    "client",
    "from",
    "to",
    "direction",
    "state",
    "verdict",
    "queue_id",
    "limit",
    "cursor",
]
TYPED = {"risk", "client", "from", "to", "direction", "state", "verdict", "limit", "cursor"}


@pytest.mark.parametrize("name", FILTERS)
async def test_hostile_values_find_nothing_and_break_nothing(filled: Api, name: str) -> None:
    for value in HOSTILE + REFUSED:
        if name == "message_id" and value == REFUSED[-1]:
            continue  # a Message-ID may be longer than an address
        for path in ("/api/v1/messages", "/api/v1/queue", "/api/v1/usage"):
            answer = await filled.ask.get(path, params={name: value}, headers=filled.auth("operator"))
            if value in REFUSED:
                # Before the ledger: PostgreSQL holds no NUL and would fail.
                assert answer.status_code == 422, (path, value)
            fits = path == "/api/v1/messages" and name not in TYPED and value not in REFUSED
            if fits:
                assert (answer.status_code, answer.json()["items"]) == (200, [])
            elif answer.status_code == 200:  # the queue's own filters
                assert (path, name in {"agency", "queue_id", "recipient"}) == ("/api/v1/queue", True)
                assert answer.json()["items"] == []
            else:
                assert answer.status_code in (404, 422), (path, value)
                assert answer.headers["content-type"] == "application/problem+json"
                assert "set-cookie" not in answer.headers
    assert len(await found(filled)) == 6


@pytest.mark.parametrize("value", [*HOSTILE, *REFUSED[1:], "../../etc/passwd", "%2e%2e", "a/b"])
async def test_hostile_queue_ids_are_not_found(filled: Api, value: str) -> None:
    for path in (f"/api/v1/messages/{quote(value, safe='')}", f"/api/v1/queue/{quote(value, safe='')}/retry"):
        ask = filled.ask.post if path.endswith("retry") else filled.ask.get
        answer = await ask(path, headers=filled.auth("operator"))
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["instance"].isascii()


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1000000000", "1e3", "ten", "1.5"])
async def test_a_limit_is_between_1_and_500(filled: Api, limit: str) -> None:
    for path in ("/api/v1/messages", "/api/v1/queue"):
        assert (await filled.get(path, limit=limit)).status_code == 422


@pytest.mark.parametrize(
    "query",
    ["subject=x", "limit=1&limit=2", "Agency=snv", "from=2026-02-30", "from=2026-11-20T08:00:00", "to=now"],
)
async def test_what_is_not_a_parameter_is_refused_in_a_clear_line(filled: Api, query: str) -> None:
    answer = await filled.ask.get(f"/api/v1/messages?{query}", headers=filled.auth("operator"))
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert detail.startswith("query ")
    assert detail.isprintable()


async def crowd(api: Api, first: int, count: int, minute: int) -> set[str]:
    """Tell of `count` messages of snv as events `first`… of one spool, three in each minute."""
    told = []
    for n in range(first, first + count):
        one = message(f"CROWD{n:05d}", 0, **own("an", "snv"), recipients=(to(0, "dan@vnn.vn"),))
        told.append((n, replace(one, at_ms=at_ms("2026-11-18", 8, minute + (n - first) // 3))))
    await apply_events(api.services.db, "spool-c", "node", told, NOW_MS)
    return {one.queue_id for _, one in told}


@pytest.mark.parametrize(("seat", "limit"), [("operator", 7), ("agency_admin.snv", 10), ("operator", 500)])
async def test_pages_are_complete_while_rows_are_being_added(api: Api, seat: str, limit: int) -> None:
    """Between pages newer, older and equally old records arrive: none of the first is lost or doubled."""
    before = await crowd(api, 1, 100, minute=60)
    following: str | None = ""
    seen: list[str] = []
    pages, told = 0, 101
    while following is not None:
        answer = await api.get(
            "/api/v1/messages", seat, limit=limit, **({"cursor": following} if pages else {})
        )
        body = answer.json()
        seen += [one["queue_id"] for one in body["items"]]
        following = body["next"]
        pages += 1
        if pages <= 3:
            for minute in (0, 60, 75, 200):
                await crowd(api, told, 3, minute)
                told += 3
    assert Counter(seen)[max(seen)] == 1
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    assert pages > 100 // limit


async def test_the_last_page_says_so(filled: Api) -> None:
    body = (await filled.get("/api/v1/messages", limit=6)).json()
    assert (len(body["items"]), body["next"]) == (6, None)
    body = (await filled.get("/api/v1/messages", limit=5)).json()
    rest = (await filled.get("/api/v1/messages", limit=5, cursor=body["next"])).json()
    assert ([one["queue_id"] for one in rest["items"]], rest["next"]) == ([SNV_SENT], None)


async def test_the_queue_pages_too(filled: Api) -> None:
    whole = (await filled.get("/api/v1/queue")).json()["items"]
    seen, following = [], None
    while True:
        body = (
            await filled.get("/api/v1/queue", limit=2, **({"cursor": following} if following else {}))
        ).json()
        seen += body["items"]
        following = body["next"]
        if following is None:
            break
    assert seen == whole
    assert len(whole) == 5
    held = (await filled.get("/api/v1/queue", state="held")).json()["items"]
    assert [(one["queue_id"], one["position"]) for one in held] == [(INTO_BOTH, 1)]


async def test_a_cursor_belongs_to_its_question(filled: Api) -> None:
    following = (await filled.get("/api/v1/messages", limit=1)).json()["next"]
    other = await filled.get("/api/v1/messages", limit=1, cursor=following, agency="snv")
    assert (other.status_code, "filters" in other.json()["detail"]) == (422, True)
    queue = await filled.get("/api/v1/queue", limit=1, cursor=following)
    assert queue.status_code == 422


async def test_a_cursor_gives_no_right(filled: Api) -> None:
    """What the operator's cursor points behind is still cut down to the seat that uses it."""
    following = (await filled.get("/api/v1/messages", limit=1, agency="snv")).json()["next"]
    answer = await filled.get("/api/v1/messages", "clerk.snv", limit=50, cursor=following)
    assert {one["queue_id"] for one in answer.json()["items"]} == {INTO_BOTH, SNV_SENT}


async def test_many_recipients_are_cut_in_a_list_and_whole_alone(api: Api) -> None:
    recipients = (*(to(n, f"u{n}", "stc") for n in range(250)), to(250, "an", "snv"))
    event = message("MANY0001", 8, source="mx", reverse_path="dan@vnn.vn", recipients=recipients)
    await apply_events(api.services.db, "spool-m", "node", [(1, event)], NOW_MS)
    (listed,) = (await api.get("/api/v1/messages")).json()["items"]
    assert (len(listed["recipients"]), listed["recipients_total"]) == (100, 251)
    alone = (await api.get("/api/v1/messages/MANY0001")).json()
    assert len(alone["recipients"]) == 251
    (own_view,) = (await api.get("/api/v1/messages", "clerk.snv", state="queued")).json()["items"]
    assert [one["position"] for one in own_view["recipients"]] == [250]
    assert own_view["recipients_total"] == 1


async def test_reading_goes_on_while_records_are_written(filled: Api) -> None:
    answers, _ = await asyncio.gather(
        asyncio.gather(*(filled.get("/api/v1/messages", limit=3) for _ in range(20))),
        crowd(filled, 1, 200, minute=0),
    )
    assert {one.status_code for one in answers} == {200}


numbers = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.lists(numbers, min_size=1, max_size=3), st.dictionaries(st.text(max_size=5), st.text(max_size=9)))
def test_a_cursor_comes_back_as_it_went(place: list[int], filters: dict[str, str]) -> None:
    assert decode(encode(tuple(place), filters), filters, len(place)) == tuple(place)


@given(st.text(max_size=300))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(CursorError):
        decode(text, {}, 2)


@pytest.mark.parametrize("content", [None, {}, [], ["x"], [1, 2, 3], [{}, 1, 2], "text", 7, True])
def test_well_formed_nonsense_is_no_cursor(content: object) -> None:
    with pytest.raises(CursorError):
        decode(base64.urlsafe_b64encode(json.dumps(content).encode()).decode(), {}, 2)


@pytest.mark.parametrize("numbers", [[1.5, 2], [True, 2], ["1", 2], [2**70, 1], [None, 1], [1], [1, 2, 3]])
def test_a_cursor_holds_whole_numbers(numbers: list[object]) -> None:
    mark = json.loads(base64.urlsafe_b64decode(encode((1, 2), {}) + "=="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([mark, *numbers]).encode()).rstrip(b"=").decode()
    with pytest.raises(CursorError):
        decode(forged, {}, 2)


def test_times_are_said_and_read_with_their_offset() -> None:
    zone = "Asia/Ho_Chi_Minh"
    assert iso(at_ms("2026-11-21", 18) + 7, zone) == "2026-11-21T18:00:00.007+07:00"
    assert moment_ms("2026-11-21", zone) == at_ms("2026-11-21", 0)
    assert moment_ms("2026-11-20T17:00:00Z", zone) == at_ms("2026-11-21", 0)
    assert moment_ms(iso(1234567890123, zone), zone) == 1234567890123
    for wrong in ("2026-11-21T18:00:00", "2026-13-01", "0001-01-01", "9999-12-31", "now", "", "20261121"):
        with pytest.raises(TimeError):
            moment_ms(wrong, zone)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_time_error(text: str) -> None:
    with contextlib.suppress(TimeError):
        assert moment_ms(text, "Asia/Ho_Chi_Minh") > 0
