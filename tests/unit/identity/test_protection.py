"""Failed sign-ins: who has to wait, who is let through, whose address counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailgov.identity.origin import foreign
from mailgov.identity.protection import Attempt, SignInProtection, client_address, network_of
from mailgov.settings import SignInSettings
from mailgov.store.guard import Guard

LIMITS = SignInSettings(failure_window_s=60, pair_limit=3, network_limit=5, account_limit=4)
NOW_MS = 1_763_722_800_000
DAY_MS = 86_400_000


@pytest.fixture
def protection(tmp_path: Path) -> SignInProtection:
    return SignInProtection(Guard.open(tmp_path / "guard.sqlite"), LIMITS)


def fail(protection: SignInProtection, name: str, peer: str, times: int, now_ms: int = NOW_MS) -> None:
    for _ in range(times):
        protection.failed(Attempt.of(name, peer), now_ms)


def waits(protection: SignInProtection, name: str, peer: str, now_ms: int = NOW_MS) -> bool:
    return not protection.standing(Attempt.of(name, peer), now_ms).open


def test_a_pair_waits_and_the_wait_ends(protection: SignInProtection) -> None:
    fail(protection, "an@x.vn", "192.0.2.1", 2)
    assert not waits(protection, "an@x.vn", "192.0.2.1")
    fail(protection, " AN@x.vn ", "192.0.2.1", 1)
    assert protection.standing(Attempt.of("an@x.vn", "192.0.2.1"), NOW_MS + 1).wait_s == 30
    assert not waits(protection, "an@x.vn", "192.0.2.2")
    assert not waits(protection, "an@x.vn", "192.0.2.1", NOW_MS + 30_000)


def test_the_wait_grows_with_each_failure_and_everything_is_forgotten_in_the_end(
    tmp_path: Path,
) -> None:
    protection = SignInProtection(Guard.open(tmp_path / "guard.sqlite"), SignInSettings())
    attempt, now_ms, asked = Attempt.of("an@x.vn", "192.0.2.1"), NOW_MS, []
    for _ in range(12):
        protection.failed(attempt, now_ms)
        wait_s = protection.standing(attempt, now_ms).wait_s
        asked.append(wait_s)
        assert protection.standing(attempt, now_ms + wait_s * 1000).open
        now_ms += wait_s * 1000
    assert asked == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 0, 0]


def test_a_count_driven_up_by_strangers_is_no_number_without_end(protection: SignInProtection) -> None:
    fail(protection, "an@x.vn", "192.0.2.1", 80)
    assert protection.standing(Attempt.of("an@x.vn", "192.0.2.1"), NOW_MS).wait_s == 60


def test_a_network_that_tries_many_names_waits(protection: SignInProtection) -> None:
    for number in range(5):
        fail(protection, f"a{number}@x.vn", f"2001:db8::{number}", 1)
    assert waits(protection, "new@x.vn", "2001:db8::ffff")
    assert not waits(protection, "new@x.vn", "2001:db8:0:1::1")


def test_strangers_cannot_keep_the_holder_out(protection: SignInProtection) -> None:
    protection.succeeded(Attempt.of("an@x.vn", "192.0.2.1"), NOW_MS - DAY_MS)
    for number in range(4):
        fail(protection, "an@x.vn", f"198.51.100.{number}", 1)
    assert waits(protection, "an@x.vn", "203.0.113.9"), "a guess from many places is stopped"
    assert not waits(protection, "an@x.vn", "192.0.2.1"), "the holder's own desk is not"
    assert waits(protection, "an@x.vn", "192.0.2.1", NOW_MS + 29 * DAY_MS) is False
    late = NOW_MS + 30 * DAY_MS
    fail(protection, "an@x.vn", "198.51.100.9", 4, late)
    assert waits(protection, "an@x.vn", "192.0.2.1", late), "a desk of long ago is no longer known"


def test_a_success_forgets_the_pairs_failures_but_not_the_networks(protection: SignInProtection) -> None:
    fail(protection, "an@x.vn", "192.0.2.1", 2)
    protection.succeeded(Attempt.of("an@x.vn", "192.0.2.1"), NOW_MS)
    fail(protection, "an@x.vn", "192.0.2.1", 2)
    assert not waits(protection, "an@x.vn", "192.0.2.1")
    fail(protection, "binh@x.vn", "192.0.2.1", 1)
    assert waits(protection, "binh@x.vn", "192.0.2.1"), "five from one network, whoever signed in between"


def test_guesses_from_ever_new_networks_are_told(protection: SignInProtection) -> None:
    """At the account's limit, 4 here, and each time that they double."""
    with capture_logs() as logs:
        for number in range(12):
            protection.failed(Attempt.of("an@x.vn", f"198.51.{number}.7"), NOW_MS + number)
    told = [one["failures"] for one in logs if one["event"] == "an account is being guessed at"]
    assert told == [4, 8]
    assert {one["name"] for one in logs} == {"an@x.vn"}


def test_long_and_odd_names_are_counted_like_others(protection: SignInProtection) -> None:
    for name in ("x" * 10_000, "a\x00b", "\ud800", ""):
        fail(protection, name, "not an address", 3)
        assert waits(protection, name, "not an address") or name == "\ud800"


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_networks(peer: str, network: str) -> None:
    assert network_of(peer) == network


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "203.0.113.5", "192.0.2.1"),
        ("127.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("127.0.0.1", "junk", "junk"),
        (None, "203.0.113.5", ""),
    ],
)
def test_a_client_behind_proxies(peer: str | None, forwarded: str, client: str) -> None:
    assert client_address(peer, forwarded, ["127.0.0.0/8", "10.0.0.0/8"]) == client


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://thu.vn"}, True),
        ({"origin": "https://thu.vn"}, False),
        ({"origin": "HTTPS://THU.VN"}, False),
        ({"origin": "http://thu.vn"}, True),
        ({"origin": "https://thu.vn.evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "https://10.0.0.5", "host": "10.0.0.5"}, False),
    ],
)
def test_requests_of_pages_elsewhere(headers: dict[str, str], expected: bool) -> None:
    assert foreign(headers, "https://thu.vn") is expected
