"""Places: given, given back once, counted by client."""

from __future__ import annotations

import pytest

from mailgov.relay.door import STALE_S, Door, Full, Place, sessions_for
from mailgov.settings import SmtpSettings


def opened(settings: SmtpSettings) -> Door:
    return Door(settings, lambda: 0.0)


def test_a_place_is_given_back_once() -> None:
    door = opened(SmtpSettings(client_session_limit=1, session_limit=2))
    place = door.enter("mx", "192.0.2.7")
    assert door.sessions == 1
    place.leave()
    place.leave()
    assert door.sessions == 0
    door.enter("mx", "192.0.2.7")
    with pytest.raises(Full):
        door.enter("mx", "192.0.2.7")


def test_nothing_is_kept_of_who_left() -> None:
    door = opened(SmtpSettings())
    for number in range(256):
        place = door.enter("submission", f"2001:db8:{number:x}::1")
        place.sign_in("annv@caobang.gov.vn")
        place.leave()
    assert not door._held


def test_a_refused_sign_in_keeps_the_place_where_it_was() -> None:
    door = opened(SmtpSettings(client_session_limit=1))
    door.enter("submission", "192.0.2.1").sign_in("annv@caobang.gov.vn")
    place = door.enter("submission", "192.0.2.2")
    with pytest.raises(Full, match="account_sessions"):
        place.sign_in("annv@caobang.gov.vn")
    place.leave()
    assert door.sessions == 1
    door.enter("submission", "192.0.2.2")


def test_a_sign_in_that_ends_after_its_session_takes_nothing() -> None:
    door = opened(SmtpSettings(client_session_limit=1))
    place = door.enter("submission", "192.0.2.1")
    place.leave()
    place.sign_in("annv@caobang.gov.vn")
    place.leave()
    assert not door._held
    door.enter("submission", "192.0.2.1").sign_in("annv@caobang.gov.vn")


def test_a_gateways_clients_are_many() -> None:
    door = opened(SmtpSettings(client_session_limit=1, unlimited_networks=["10.0.0.0/8", "2001:db8::/32"]))
    for address in ("10.1.2.3", "2001:db8::1"):
        assert door.unlimited(address)
        for _ in range(3):
            door.enter("mx", address)
    assert not door.unlimited("local")


def test_in_a_full_room_who_brought_nothing_for_the_longest_makes_way() -> None:
    now = 0.0
    door = Door(SmtpSettings(session_limit=3), lambda: now)
    asked: list[str] = []

    def enters(name: str, *, goes: bool) -> Place:
        def make_way() -> bool:
            asked.append(name)
            return goes

        place = door.enter("mx", f"192.0.2.{door.sessions}")
        place.make_way = make_way
        return place

    busy, _, silent = enters("busy", goes=True), enters("stays", goes=False), enters("silent", goes=True)
    now = STALE_S - 1
    with pytest.raises(Full, match="sessions"):
        door.enter("mx", "192.0.2.7")
    assert asked == [], "nobody who came a moment ago is asked"
    busy.progress()
    now = STALE_S + 1
    door.enter("mx", "192.0.2.7")
    assert asked == ["stays", "silent"]
    silent.leave()
    assert door.sessions == 3, "it has left already"
    with pytest.raises(Full):
        door.enter("mx", "192.0.2.8")
    door.enter("submission", "192.0.2.8")


def test_few_descriptors_are_few_sessions_on_all_listeners_together() -> None:
    door = Door(SmtpSettings(), lambda: 0.0, descriptors=64 + 2 * 10)
    places = [door.enter(("mx", "submission")[n % 2], f"192.0.2.{n}") for n in range(10)]
    with pytest.raises(Full, match="descriptors") as full:
        door.enter("submissions", "192.0.2.99")
    assert full.value.reply.line().startswith("421 4.3.2")
    places[0].leave()
    door.enter("submissions", "192.0.2.99")


def test_a_worker_serves_a_few_with_any_limit() -> None:
    assert [sessions_for(count) for count in (0, 64, 128, 1024, 20_000)] == [8, 8, 32, 480, 9968]
