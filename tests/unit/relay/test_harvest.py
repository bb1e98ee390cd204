"""Whose unknown recipients are counted, for how long, and in how much room."""

from __future__ import annotations

import pytest

from mailgov.relay import harvest
from mailgov.relay.harvest import SPAN_S, Harvest


def test_it_is_over_with_the_hour() -> None:
    seen = Harvest(2)
    for _ in range(2):
        assert not seen.suspects("192.0.2.1", 10.0)
        seen.note("192.0.2.1", 10.0)
    assert seen.suspects("192.0.2.1", SPAN_S - 1.0)
    assert not seen.suspects("192.0.2.1", SPAN_S + 1.0)


def test_a_network_of_ipv6_is_one_client() -> None:
    seen = Harvest(2)
    seen.note("2001:db8::1", 0.0)
    seen.note("2001:db8::2", 0.0)
    assert seen.suspects("2001:db8::3", 0.0)
    assert not seen.suspects("2001:db8:0:1::3", 0.0)


def test_no_limit() -> None:
    seen = Harvest(0)
    seen.note("192.0.2.1", 0.0)
    assert not seen.suspects("192.0.2.1", 0.0)


def test_ever_new_clients_push_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvest, "CLIENTS_LIMIT", 2)
    seen = Harvest(1)
    for last in range(3):
        seen.note(f"192.0.2.{last}", 0.0)
    assert [seen.suspects(f"192.0.2.{last}", 0.0) for last in range(3)] == [False, True, True]


def test_who_brings_more_than_he_tries_goes_on() -> None:
    """Else one customer of a large provider shuts out the others."""
    seen = Harvest(2)
    for _ in range(4):
        seen.note_taken("192.0.2.1", 10.0)
    for _ in range(4):
        seen.note("192.0.2.1", 10.0)
        assert not seen.suspects("192.0.2.1", 10.0)
    seen.note("192.0.2.1", 10.0)
    assert seen.suspects("192.0.2.1", 10.0)
    for tried in (2, 3):
        for _ in range(tried):
            seen.note("192.0.2.1", SPAN_S + 1.0)
        assert seen.suspects("192.0.2.1", SPAN_S + 1.0) == (tried > 2), "last hour's messages count half"
        seen.note("192.0.2.2", SPAN_S + 1.0)
    assert not seen.suspects("192.0.2.2", 3 * SPAN_S)
