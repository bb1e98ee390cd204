"""The made-up people and their month: the same every time, marked as sample, and real to nobody."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from mailgov.mail.address import Address
from mailgov.mail.events import FINAL_STATES, MessageEvent, OutcomeEvent
from mailgov.ops.demo import people, traffic
from mailgov.ops.demo.traffic import Mailbox, RuleNames

DOMAIN = "caobang.gov.vn"
ZONE = "Asia/Ho_Chi_Minh"
TODAY = date(2026, 11, 22)
POLICY = RuleNames(
    "f" * 32, {traffic.COLD_FREE_MAIL: ("cao-bang", "mục 1b"), traffic.SECRECY_STOP: ("x", "y")}
)
PLACES = people.agencies(DOMAIN)
PERSONS = people.people(PLACES)
DESK = f"motcua@{DOMAIN}"
MAILBOXES = [Mailbox(DESK, "vpubnd", personal=False, symbol="VP")]
MAILBOXES += [
    Mailbox(f"{place.local_part}@{DOMAIN}", place.span.code, personal=False, symbol="X")
    for place in PLACES
    if place.current
]
MAILBOXES += [
    Mailbox(f"{person.local_part}@{DOMAIN}", person.agency, personal=True, symbol="X") for person in PERSONS
]


def month() -> list[MessageEvent | OutcomeEvent]:
    events = traffic.month(MAILBOXES, TODAY, desk=DESK, policy=POLICY, timezone=ZONE)
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    return [event for _, event in events if isinstance(event, (MessageEvent, OutcomeEvent))]


def test_people_are_the_same_every_time_and_serve_where_there_is_an_agency() -> None:
    assert people.people(people.agencies(DOMAIN)) == PERSONS
    assert len(PERSONS) == 150
    assert PERSONS[0].name == people.READY
    assert PERSONS[0].local_part == "annv"
    current = {place.span.code for place in PLACES if place.current}
    assert {person.agency for person in PERSONS} == current
    addresses = [f"{person.local_part}@{DOMAIN}" for person in PERSONS]
    assert len(set(addresses) | {place.local_part for place in PLACES}) == 150 + len(PLACES)
    assert all(Address.parse(address).ascii for address in addresses)


def test_vietnamese_names_make_ascii_addresses() -> None:
    assert people.local_part("Đoàn Thị Đường") == "duongdt"
    assert people.local_part("Nguyễn Văn Ấn") == "annv"
    assert people.local_part("An") == "an"


def test_agencies_end_on_the_day_after_their_last() -> None:
    ended = {place.span.code: place for place in PLACES if not place.current}
    assert ended["stttt"].span.valid_until == date(2025, 3, 1)
    assert ended["stttt"].merged_into == "skhcn"
    assert ended["haquang"].merged_into is None


@pytest.mark.parametrize(
    ("today", "first"),
    [((2026, 11, 22), (2026, 10, 1)), ((2026, 12, 1), (2026, 11, 1)), ((2026, 3, 1), (2026, 1, 1))],
)
def test_the_traffic_covers_a_whole_civil_month(
    today: tuple[int, int, int], first: tuple[int, int, int]
) -> None:
    assert traffic.first_day(date(*today)) == date(*first)


def test_the_traffic_ends_yesterday_and_all_of_it_is_sample() -> None:
    events = month()
    assert events == month()
    assert all(event.sample for event in events)
    days = {datetime.fromtimestamp(event.at_ms / 1000, ZoneInfo(ZONE)).date() for event in events}
    assert min(days) == traffic.first_day(TODAY)
    assert max(days) < TODAY
    assert len(days) >= 40


def test_every_recipient_comes_to_an_end_after_its_message() -> None:
    accepted: dict[str, MessageEvent] = {}
    last: dict[tuple[str, int], str] = {}
    for event in month():
        if isinstance(event, OutcomeEvent):
            assert event.at_ms > accepted[event.queue_id].at_ms
            last[event.queue_id, event.position] = event.state
        elif event.verdict == "accepted":
            assert event.queue_id not in accepted
            accepted[event.queue_id] = event
    wanted = {(message.queue_id, one.position) for message in accepted.values() for one in message.recipients}
    assert set(last) == wanted
    assert set(last.values()) <= FINAL_STATES
    assert Counter(last.values())["delivered"] > 1000


def test_no_real_person_outside_is_written_to() -> None:
    for event in month():
        if isinstance(event, MessageEvent):
            for one in event.recipients:
                local, _, domain = (one.address or "").rpartition("@")
                assert domain in (DOMAIN, "bo-mau.example") or (domain == "gmail.com" and "-" in local)


def test_a_stop_for_secrecy_keeps_nothing_but_the_fact() -> None:
    stops = [event for event in month() if isinstance(event, MessageEvent) and event.secrecy]
    for stop in stops:
        assert (stop.subject, stop.source, stop.recipients, stop.message_id) == (None, None, (), None)
