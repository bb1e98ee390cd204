"""Places: given, given back once, counted by client."""

from __future__ import annotations

import pytest

from mailgov.relay.door import Door, Full
from mailgov.settings import SmtpSettings


def test_a_place_is_given_back_once() -> None:
    door = Door(SmtpSettings(client_session_limit=1, session_limit=2))
    place = door.enter("mx", "192.0.2.7")
    assert door.sessions == 1
    place.leave()
    place.leave()
    assert door.sessions == 0
    door.enter("mx", "192.0.2.7")
    with pytest.raises(Full):
        door.enter("mx", "192.0.2.7")


def test_nothing_is_kept_of_who_left() -> None:
    door = Door(SmtpSettings())
    for number in range(256):
        place = door.enter("submission", f"2001:db8:{number:x}::1")
        place.sign_in("annv@caobang.gov.vn")
        place.leave()
    assert not door._held


def test_a_refused_sign_in_keeps_the_place_where_it_was() -> None:
    door = Door(SmtpSettings(client_session_limit=1))
    door.enter("submission", "192.0.2.1").sign_in("annv@caobang.gov.vn")
    place = door.enter("submission", "192.0.2.2")
    with pytest.raises(Full, match="account_sessions"):
        place.sign_in("annv@caobang.gov.vn")
    place.leave()
    assert door.sessions == 1
    door.enter("submission", "192.0.2.2")


def test_a_gateways_clients_are_many() -> None:
    door = Door(SmtpSettings(client_session_limit=1, unlimited_networks=["10.0.0.0/8", "2001:db8::/32"]))
    for address in ("10.1.2.3", "2001:db8::1"):
        assert door.unlimited(address)
        for _ in range(3):
            door.enter("mx", address)
    assert not door.unlimited("local")
