"""Traffic records found by who wrote, by what was found in them, by rule; and by nobody else's secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgov.mail.events import DecisionRecord, MessageEvent, OutcomeEvent
from mailgov.store.ledger import apply_events
from tests.unit.api.conftest import Api
from tests.unit.api.world import NOW_MS, SECRET, SNV_SENT, STC_SENT, message, own, to
from tests.unit.usage.traffic import address, at_ms


def decided(number: int, rule: str, outcome: str, mode: str, **more: object) -> DecisionRecord:
    values = {"facts": {}, "position": None, **more}
    return DecisionRecord(
        f"{number:032x}", "data", outcome, rule, "cao-bang", "mục 1c", mode, "p1", **values  # type: ignore[arg-type]  # fields by name
    )  # fmt: skip


def inbound(queue_id: str, hour: int, **more: object) -> MessageEvent:
    values = {
        "source": "mx",
        "reverse_path": "dan@dan.test",
        "author": "dan@dan.test",
        "spf": "pass",
        "dkim": "pass",
        "dmarc": "pass",
        "malware": "clean",
        "spam": "ham",
        "client": "203.0.113.9",
        "recipients": (to(0, "an", "snv", direction="inbound"),),
    }
    return message(queue_id, hour, **{**values, **more})


LETTERS: list[MessageEvent | OutcomeEvent] = [
    inbound("PLAIN", 1, message_id="<tin.1@dan.test>"),
    inbound("FORGED", 2, reverse_path="Bounce+9@mail.other.test", spf="fail", dkim="none", dmarc="fail"),
    inbound(
        "RISKY", 3, risks=("macro", "encrypted"), author="x@dan.test, Y@two.test",
        decisions=(decided(1, "risky-attachment", "accept", "monitor", watched=("risky-attachment",)),),
    ),
    inbound(
        "WORM", 4, verdict="rejected", malware="found Win.Test.EICAR", client="2001:db8::7",
        decisions=(decided(2, "malware-found", "reject", "enforce", watched=("risky-attachment",)),),
    ),
    inbound("LIST", 5, recipients=(to(0, "binh", "stc", direction="inbound", original="all@caobang.gov.vn")
    ,)),
    inbound("SPAM", 6, spam="likely", recipients=(
        to(0, "an", "snv", direction="inbound"), to(1, "binh", "stc", direction="inbound"),
    )),
    message("OUT", 7, **own("binh", "stc"), message_id="<out@caobang.gov.vn>", client="192.0.2.99",
        recipients=(to(0, "an", "snv"), to(1, "x@gmail.com", decision_id=f"{3:032x}"),
    ), decisions=(decided(3, "reply-to-citizen", "accept", "enforce", position=1),)),
    OutcomeEvent(
        "OUT", 1, at_ms("2026-11-22", 9), "bounced", "550 5.7.1 no", 1,
        decision=decided(4, "cold-free-mail", "reject", "enforce"),
    ),
]  # fmt: skip


@pytest.fixture
async def letters(filled: Api) -> Api:
    moved = [replace(one, at_ms=at_ms("2026-11-21", n)) for n, one in enumerate(LETTERS, start=1)]
    await apply_events(filled.services.db, "spool-s", "node", list(enumerate(moved, start=1)), NOW_MS)
    return filled


async def found(api: Api, seat: str = "operator", **asked: object) -> list[str]:
    answer = await api.get("/api/v1/messages", seat, **asked)
    assert answer.status_code == 200, answer.text
    return [one["queue_id"] for one in answer.json()["items"]]


FROM_DAN = ["SPAM", "LIST", "WORM", "RISKY", "FORGED", "PLAIN"]


FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({"sender": "dan@dan.test"}, FROM_DAN),
    ({"sender": "<DAN@Dan.Test>"}, FROM_DAN),
    ({"sender": "dan.test", "to": "2026-11-21T03:00:00+07:00"}, ["FORGED", "PLAIN"]),
    ({"sender": "@two.test"}, ["RISKY"]),
    ({"sender": "y@two.test"}, ["RISKY"]),
    ({"sender": "mail.other.test"}, ["FORGED"]),
    ({"sender": "other.test"}, []),
    ({"sender": "dan"}, []),
    ({"sender": "binh@caobang.gov.vn"}, []),
    ({"recipient": "All@caobang.gov.vn"}, ["LIST"]),
    ({"recipient": "binh@caobang.gov.vn", "direction": "inbound", "sender": "dan.test"}, ["SPAM", "LIST"]),
    ({"recipient": "x@gmail.com", "state": "bounced"}, ["OUT"]),
    ({"recipient": address("an"), "state": "bounced"}, []),
    ({"message_id": "tin.1@dan.test"}, ["PLAIN"]),
    ({"message_id": "<tin.1@dan.test>", "sender": "dan.test"}, ["PLAIN"]),
    ({"message_id": "TIN.1@dan.test"}, []),
    ({"rule": "risky-attachment"}, ["WORM", "RISKY"]),
    ({"rule": "risky-attachment", "decision": "would-reject", "from": "2026-11-21"}, ["WORM", "RISKY"]),
    ({"rule": "risky-attachment", "decision": "reject"}, []),
    ({"rule": "malware-found", "decision": "reject"}, ["WORM"]),
    ({"rule": "malware-found", "decision": "accept"}, []),
    ({"decision": "would-reject", "verdict": "accepted"}, ["RISKY"]),
    ({"decision": "reject", "from": "2026-11-21"}, ["OUT", "WORM"]),
    ({"rule": "reply-to-citizen"}, ["OUT"]),
    ({"spf": "fail"}, ["FORGED"]),
    ({"dmarc": "pass", "dkim": "pass", "spf": "pass"}, ["SPAM", "LIST", "WORM", "RISKY", "PLAIN"]),
    ({"dkim": "none", "dmarc": "fail"}, ["FORGED"]),
    ({"malware": "found"}, ["WORM"]),
    ({"malware": "clean", "spam": "likely"}, ["SPAM"]),
    ({"risk": "macro"}, ["RISKY"]),
    ({"risk": "encrypted", "sender": "two.test", "rule": "risky-attachment"}, ["RISKY"]),
    ({"risk": "nested"}, []),
    ({"client": "2001:0DB8::7"}, ["WORM"]),
    ({"client": "203.0.113.9", "spf": "fail"}, ["FORGED"]),
    ({"client": "192.0.2.7"}, [SNV_SENT]),
]  # fmt: skip


async def test_a_letter_is_found_by_what_is_known_of_it(letters: Api) -> None:
    for asked, expected in FOUND:
        assert await found(letters, **asked) == expected, asked


PAGED: list[dict[str, str]] = [
    {"sender": "dan@dan.test"},
    {"rule": "risky-attachment"},
    {"spf": "pass"},
    {"client": "203.0.113.9"},
]


async def test_what_was_found_is_paged_like_any_list(letters: Api) -> None:
    for asked in PAGED:
        whole = await found(letters, **asked)
        seen: list[str] = []
        following: dict[str, str] = {}
        while len(seen) <= len(whole):
            body = (await letters.get("/api/v1/messages", limit=1, **asked, **following)).json()
            seen += [one["queue_id"] for one in body["items"]]
            if body["next"] is None:
                break
            following = {"cursor": body["next"]}
        assert seen == whole, asked
        assert len(whole) > 1
        other = await letters.get("/api/v1/messages", limit=1, sender="two.test", **following)
        assert "query cursor: a cursor goes on only with the filters" in other.json()["detail"]


async def test_a_record_that_was_found_shows_why(letters: Api) -> None:
    (body,) = (await letters.get("/api/v1/messages", malware="found")).json()["items"]
    assert (body["malware"], body["decision"]["rule"]) == ("found Win.Test.EICAR", "malware-found")
    assert body["decision"]["watched"] == ["risky-attachment"]


IN_SIGHT: list[tuple[dict[str, str], list[str], list[str]]] = [
    # A decision on, and the address of, a recipient that the seat does not see.
    ({"rule": "reply-to-citizen"}, ["OUT"], []),
    ({"rule": "cold-free-mail", "decision": "reject", "from": "2026-11-21"}, ["OUT"], []),
    ({"recipient": "x@gmail.com", "from": "2026-11-21"}, ["OUT"], []),
    ({"recipient": "binh@caobang.gov.vn", "sender": "dan.test"}, ["SPAM", "LIST"], []),
    # The desk of another agency that a message came from.
    ({"client": "192.0.2.99"}, ["OUT"], []),
    ({"client": "192.0.2.7"}, [], [SNV_SENT]),
    # What is about the whole message.
    ({"rule": "risky-attachment"}, [], ["WORM", "RISKY"]),
    ({"rule": "malware-found", "decision": "reject"}, [], ["WORM"]),
    ({"sender": "dan@dan.test", "spam": "likely"}, ["SPAM"], ["SPAM"]),
    ({"message_id": "<out@caobang.gov.vn>"}, ["OUT"], ["OUT"]),
]


async def test_no_filter_tells_a_seat_more_than_the_record_would(letters: Api) -> None:
    """Of each: what clerks of stc find, and what snv's administrator does; nor does `next` tell."""
    for asked, of_stc, of_snv in IN_SIGHT:
        for seat, expected in (("clerk.stc", of_stc), ("agency_admin.snv", of_snv)):
            answer = (await letters.get("/api/v1/messages", seat, limit=1, **asked)).json()
            assert [one["queue_id"] for one in answer["items"]] == expected[:1], (seat, asked)
            assert (answer["next"] is not None) is (len(expected) > 1), (seat, asked)


async def test_a_state_secret_is_found_by_what_its_record_shows_alone(letters: Api) -> None:
    assert SECRET in await found(letters, rule="secrecy-mark", decision="reject")
    assert SECRET in await found(letters, account=address("an"), verdict="rejected")
    outside = MessageEvent(
        "rejected", "SECRET02", NOW_MS, None, "p1", reverse_path="dan.test", secrecy="MẬT",
        decisions=(decided(9, "secrecy-mark", "reject", "enforce"),),
    )  # fmt: skip
    await apply_events(letters.services.db, "spool-x", "node", [(1, outside)], NOW_MS)
    assert "SECRET02" not in await found(letters, sender="dan.test", limit=500)
    assert "SECRET02" in await found(letters, rule="secrecy-mark")


MALFORMED = [
    ("spf", "maybe"),
    ("dkim", "PASS"),
    ("dmarc", ""),
    ("malware", "found Win.Test"),
    ("spam", "yes"),
    ("risk", "virus"),
    ("decision", "refuse"),
    ("client", "pc-an"),
    ("client", "203.0.113.0/24"),
    ("sender", "a\x00b"),
    ("message_id", "x" * 1001),
    ("from", "yesterday"),
    ("to", "2026-02-30"),
]


async def test_a_malformed_parameter_is_named(letters: Api) -> None:
    for name, value in MALFORMED:
        answer = await letters.get("/api/v1/messages", **{name: value})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), name
        assert answer.json()["detail"].startswith(f"query {name}: ")


async def test_long_and_odd_values_of_strangers_keep_no_record_away(letters: Api) -> None:
    odd = [
        inbound("ODD1", 1, author="a" * 900 + "@dan.test", message_id="<" + "🙈" * 990 + ">"),
        inbound(
            "ODD2", 1, reverse_path='"a, b"@dan.test', author="@, x@, @y, " + "é@dan.test", message_id="<>"
        ),
        inbound("ODD3", 1, reverse_path="", author=None, message_id="\x00", risks=("of a later version",)),
    ]
    await apply_events(letters.services.db, "spool-o", "node", list(enumerate(odd, start=1)), NOW_MS)
    assert await found(letters, queue_id="ODD1") == ["ODD1"]
    assert await found(letters, message_id="🙈" * 990) == ["ODD1"]
    assert await found(letters, sender="é@dan.test") == ["ODD2"]
    assert await found(letters, queue_id="ODD3") == ["ODD3"]
    assert await found(letters, queue_id=STC_SENT) == [STC_SENT]
