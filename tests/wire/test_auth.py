"""AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import statistics
import time
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from mailgov.identity.passwords import first_password_hash
from tests.support.relay_node import AN, BINH, PASSWORD, SUSPENDED, account, province
from tests.wire.client import Said, Wire
from tests.wire.conftest import OpenWorld, World

GOOD = "235 2.7.0"
WRONG = "535 5.7.8"
NOT_NOW = "454 4.7.0"
MALFORMED = "501 5.5.2"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(name: str = AN, password: str = PASSWORD, acting_for: str = "") -> str:
    return b64(f"{acting_for}\0{name}\0{password}")


async def ready(world: World) -> Wire:
    wire = await world.connect("submissions")
    await wire.ehlo()
    return wire


async def exchange(wire: Wire, *lines: str) -> Said:
    """Say each line; all but the last one are answered 334."""
    for line in lines[:-1]:
        said = await wire.say(line)
        assert said.code == 334, said
    return await wire.say(lines[-1])


@pytest.mark.parametrize(
    "lines",
    [
        [f"AUTH PLAIN {plain()}"],
        ["AUTH PLAIN", plain()],
        [f"auth plain {plain()}"],
        [f"Auth Plain {plain()}"],
        [f"AUTH PLAIN {plain(acting_for=AN)}"],
        [f"AUTH PLAIN {plain(name=AN.upper())}"],
        [f"AUTH PLAIN {plain(name='annv')}"],
        ["AUTH LOGIN", b64(AN), b64(PASSWORD)],
        ["auth login", b64(AN), b64(PASSWORD)],
        [f"AUTH LOGIN {b64(AN)}", b64(PASSWORD)],
    ],
)
async def test_ways_in(world: World, lines: list[str]) -> None:
    wire = await ready(world)
    assert (await exchange(wire, *lines)).short == GOOD
    assert (await wire.say(f"MAIL FROM:<{AN}>")).code == 250
    assert world.count("sign_ins") == 1


async def test_what_login_asks(world: World) -> None:
    wire = await ready(world)
    assert (await wire.say("AUTH LOGIN")).lines == (b64("Username:"),)
    assert (await wire.say(b64(AN))).lines == (b64("Password:"),)
    assert (await wire.say(b64(PASSWORD))).short == GOOD


@pytest.mark.parametrize(
    ("lines", "short"),
    [
        ([f"AUTH PLAIN {plain(password='falsch')}"], WRONG),
        ([f"AUTH PLAIN {plain(password='')}"], WRONG),
        ([f"AUTH PLAIN {plain(name='nobody@caobang.gov.vn')}"], WRONG),
        ([f"AUTH PLAIN {plain(name=SUSPENDED)}"], WRONG),
        ([f"AUTH PLAIN {plain(acting_for=BINH)}"], WRONG),
        ([f"AUTH PLAIN {plain(password='x' * 2000)}"], WRONG),
        (["AUTH LOGIN", b64(AN), b64("falsch")], WRONG),
        (["AUTH LOGIN", b64(""), b64("")], WRONG),
        (["AUTH PLAIN *"], "501 5.0.0"),
        (["AUTH PLAIN", "*"], "501 5.0.0"),
        (["AUTH LOGIN", "*"], "501 5.0.0"),
        (["AUTH LOGIN", b64(AN), "*"], "501 5.0.0"),
        (["AUTH PLAIN ???"], MALFORMED),
        (["AUTH PLAIN", "not base64!"], MALFORMED),
        (["AUTH PLAIN", "đ"], MALFORMED),
        (["AUTH PLAIN", ""], MALFORMED),
        (["AUTH PLAIN ="], MALFORMED),
        ([f"AUTH PLAIN {plain()} {plain()}"], MALFORMED),
        ([f"AUTH PLAIN {plain()[:-1]}"], MALFORMED),
        ([f"AUTH PLAIN {b64('only one part')}"], MALFORMED),
        ([f"AUTH PLAIN {b64(bytes(10))}"], MALFORMED),
        ([f"AUTH PLAIN {b64(b'a' + bytes(1) + b'b' + bytes(1) + b'c' + bytes(1) + b'd')}"], MALFORMED),
        ([f"AUTH PLAIN {b64(bytes(1) + AN.encode() + bytes(1) + bytes([0xC3, 0x28]))}"], MALFORMED),
        (["AUTH LOGIN", b64(b"\xff\xfe"), b64("x")], MALFORMED),
        (["AUTH CRAM-MD5"], "504 5.5.4"),
        (["AUTH"], "501 5.5.4"),
    ],
)
async def test_no_way_in_and_the_session_goes_on(world: World, lines: list[str], short: str) -> None:
    wire = await ready(world)
    assert (await exchange(wire, *lines)).short == short
    assert (await wire.say(f"MAIL FROM:<{AN}>")).short == "530 5.7.0"
    assert (await exchange(wire, f"AUTH PLAIN {plain()}")).short == GOOD
    assert world.count("internal_errors") == 0


async def test_unknown_wrong_and_suspended_read_the_same(world: World) -> None:
    wire = await ready(world)
    said = {
        await wire.say(f"AUTH PLAIN {plain(name, password)}")
        for name, password in ((AN, "x"), ("nobody@caobang.gov.vn", "x"), (SUSPENDED, PASSWORD))
    }
    assert len(said) == 1
    assert world.count("refused_bad_sign_in") == 3


@pytest.mark.parametrize(
    "entry", [{"must_change": True}, {"password_hash": first_password_hash(b"k", PASSWORD)}]
)
async def test_a_first_password_reads_like_a_wrong_one(world: World, entry: dict[str, Any]) -> None:
    snapshot = province()
    snapshot.accounts[AN] = replace(snapshot.accounts[AN], **entry)
    world.node.directory.confirm(snapshot)
    wire = await ready(world)
    said = [await wire.say(f"AUTH PLAIN {plain(name)}") for name in (AN, "nobody@caobang.gov.vn")]
    assert said[0] == said[1]
    assert said[0].short == WRONG
    assert world.node.sign_ins.take() == {}


async def test_sign_ins_are_tallied_for_the_ledger(world: World) -> None:
    for name in (AN, AN, BINH):
        wire = await ready(world)
        assert (await wire.say(f"AUTH PLAIN {plain(name)}")).short == GOOD
    taken = world.node.sign_ins.take()
    assert {(key.account, key.protocol): signed.times for key, signed in taken.items()} == {
        (AN, "submission"): 2,
        (BINH, "submission"): 1,
    }
    assert world.node.sign_ins.take() == {}


async def test_an_over_long_line_is_refused_whole(world: World) -> None:
    wire = await ready(world)
    assert (await wire.say(f"AUTH PLAIN {'A' * 12_290}")).code == 500
    for size in (12_290, 200_000):  # within and beyond what the reader holds
        assert (await wire.say("AUTH PLAIN")).code == 334
        assert (await wire.say("A" * size)).short == "500 5.5.6"
        assert await wire.alive(), "one line, one reply"
    assert (await wire.say(f"AUTH PLAIN {plain()}")).short == GOOD


async def test_a_long_response_within_the_bound_is_read(world: World) -> None:
    wire = await ready(world)
    assert (await wire.say("AUTH PLAIN")).code == 334
    assert (await wire.say(plain(password="x" * 900))).short == WRONG


async def test_once_is_enough(world: World) -> None:
    wire = await world.inside()
    assert (await wire.sign_in(AN, PASSWORD)).short == "503 5.5.1"
    assert (await wire.say(f"MAIL FROM:<{AN}>")).code == 250


async def test_not_inside_a_transaction(world: World) -> None:
    wire = await world.connect("trusted")
    await wire.ehlo()
    await wire.say("MAIL FROM:<scanner@caobang.gov.vn>")
    assert (await wire.sign_in(AN, PASSWORD)).short == "502 5.5.1"
    wire = await world.inside()
    await wire.say(f"MAIL FROM:<{AN}>")
    assert (await wire.sign_in(AN, PASSWORD)).short == "503 5.5.1"
    assert (await wire.say(f"RCPT TO:<{BINH}>")).code == 250


async def test_never_on_mx_not_even_inside_tls(world: World) -> None:
    wire = await world.outside()
    await wire.starttls(world.client_tls)
    await wire.ehlo()
    assert (await wire.sign_in(AN, PASSWORD)).short == "502 5.5.1"
    assert world.count("sign_ins") == 0


async def test_the_account_does_not_survive_a_new_greeting_of_tls(world: World) -> None:
    first = await world.inside(kind="submission")
    assert (await first.say(f"MAIL FROM:<{AN}>")).code == 250
    second = await world.connect("submission")
    await second.ehlo()
    await second.starttls(world.client_tls)
    await second.ehlo()
    assert (await second.say(f"MAIL FROM:<{AN}>")).short == "530 5.7.0"


async def test_an_account_suspended_during_the_session_sends_no_more(world: World) -> None:
    wire = await world.inside()
    snapshot = province()
    snapshot.accounts[AN] = replace(snapshot.accounts[AN], suspended=True)
    world.node.directory.confirm(snapshot)
    assert (await wire.say(f"MAIL FROM:<{AN}>")).short == "535 5.7.8"


async def test_a_client_that_leaves_in_the_exchange_leaves_no_session(world: World) -> None:
    wire = await ready(world)
    await wire.say("AUTH LOGIN")
    await wire.close()
    other = await ready(world)
    while world.node.sessions > 1:
        assert await other.alive()
    assert world.count("internal_errors") == 0


async def test_guessing_ends_with_the_error_limit(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"error_limit": 3})
    wire = await ready(world)
    for _ in range(3):
        assert (await wire.sign_in(AN, "x")).short == WRONG
    assert (await wire.reply()).short == "421 4.7.0"
    assert await wire.closed()


# Guesses, whatever the connection


async def guess(world: World, *names: str, source: str = "127.0.0.1") -> list[str]:
    """A wrong password for each name, on a connection of its own."""
    said = []
    for name in names:
        wire = await world.connect("submissions", source=source)
        await wire.ehlo()
        said.append((await wire.sign_in(name, "falsch")).short)
        await wire.close()
    return said


async def signs_in(world: World, name: str, source: str = "127.0.0.1") -> str:
    wire = await world.connect("submissions", source=source)
    await wire.ehlo()
    return (await wire.sign_in(name, PASSWORD)).short


@pytest.fixture
def newcomer() -> str:
    """An account that has signed in nowhere yet."""
    return f"moi{secrets.token_hex(4)}@caobang.gov.vn"


@pytest.fixture
async def guarded(open_world: OpenWorld, newcomer: str) -> World:
    snapshot = province()
    snapshot.accounts[newcomer] = account(newcomer)
    limits = {"pair_limit": 3, "network_limit": 6, "account_limit": 3}
    return await open_world(snapshot=snapshot, sign_in=limits)


@pytest.mark.parametrize("known", [True, False])
async def test_guesses_are_counted_across_connections(guarded: World, newcomer: str, known: bool) -> None:
    name = newcomer if known else "ai@caobang.gov.vn"
    assert await guess(guarded, *[name] * 4) == [WRONG] * 3 + [NOT_NOW]
    assert await signs_in(guarded, name) == NOT_NOW
    assert guarded.count("refused_bad_sign_in") == 3
    assert guarded.count("refused_sign_in_put_off") == 2


async def test_a_password_that_is_remembered_cannot_be_guessed_past_the_wait(
    guarded: World, newcomer: str
) -> None:
    assert await signs_in(guarded, newcomer, source="127.0.0.2") == GOOD
    assert await guess(guarded, *[newcomer] * 3) == [WRONG] * 3
    assert await signs_in(guarded, newcomer) == NOT_NOW
    assert await signs_in(guarded, newcomer, source="127.0.0.2") == GOOD


async def test_many_guesses_at_once_are_no_way_round(guarded: World, newcomer: str) -> None:
    said = await asyncio.gather(*(guess(guarded, newcomer) for _ in range(20)))
    assert [one for (one,) in said].count(WRONG) == 3


async def test_nobody_is_locked_out_from_elsewhere(guarded: World, newcomer: str) -> None:
    for number in range(2, 6):
        await guess(guarded, *[newcomer] * 5, source=f"127.0.0.{number}")
    assert await signs_in(guarded, newcomer) == GOOD


async def test_who_signed_in_from_there_is_not_paid_for_by_others(guarded: World, newcomer: str) -> None:
    assert await signs_in(guarded, newcomer) == GOOD
    assert await guess(guarded, *(f"ai{n}@caobang.gov.vn" for n in range(8))) == [WRONG] * 6 + [NOT_NOW] * 2
    guarded.node.passwords._cache.clear()
    assert await signs_in(guarded, newcomer) == GOOD


async def test_in_a_network_that_waits_a_wrong_password_tells_nothing(
    guarded: World, newcomer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await signs_in(guarded, newcomer) == GOOD
    await guess(guarded, *(f"ai{n}@caobang.gov.vn" for n in range(6)))
    for name in (newcomer, BINH, "khong@caobang.gov.vn"):
        with monkeypatch.context() as patch:
            worked = count_work(patch)
            assert await guess(guarded, *[name] * 5) == [NOT_NOW] * 5
            assert len(worked) == 5, name
    guarded.node.passwords._cache.clear()
    assert await signs_in(guarded, newcomer) == NOT_NOW, "its own guesses are counted, here as elsewhere"
    assert await signs_in(guarded, newcomer, source="127.0.0.2") == GOOD


def count_work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords are held against from now on."""
    worked: list[str] = []
    real = PasswordHasher.verify

    def counting(self: PasswordHasher, stored: str, octets: bytes) -> bool:
        worked.append(stored)
        return real(self, stored, octets)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    return worked


async def test_ten_guesses_at_once_do_not_delay_a_greeting(world: World) -> None:
    guessing = [await ready(world) for _ in range(10)]
    guesses = [asyncio.ensure_future(wire.sign_in(f"g{n}", "falsch")) for n, wire in enumerate(guessing)]
    async with asyncio.timeout(1.0):
        await world.connect("mx")
    assert {said.short for said in await asyncio.gather(*guesses)} == {WRONG}


@pytest.mark.slow
async def test_the_time_of_a_refusal_does_not_tell_who_is_there(open_world: OpenWorld) -> None:
    limits = {"pair_limit": 1000, "network_limit": 1000}
    world = await open_world(sign_in=limits, smtp={"error_limit": 1000})
    wire = await ready(world)
    deltas: list[float] = []
    while len(deltas) < 4 and min(deltas, default=1.0) >= 0.1:  # other work on the machine spoils a round
        took: dict[str, list[float]] = {AN: [], "ai@caobang.gov.vn": []}
        for _ in range(50):
            for name, times in took.items():
                began = time.perf_counter()
                assert (await wire.sign_in(name, "falsch")).short == WRONG
                times.append(time.perf_counter() - began)
        there, nowhere = (statistics.median(times) for times in took.values())
        deltas.append(abs(there - nowhere) / there)
    assert min(deltas) < 0.1, deltas


async def test_a_right_password_forgives_the_wrong_ones(guarded: World, newcomer: str) -> None:
    for _ in range(2):
        assert await guess(guarded, newcomer, newcomer) == [WRONG] * 2
        guarded.node.passwords._cache.clear()
        assert await signs_in(guarded, newcomer) == GOOD


async def test_passwords_are_in_no_log(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    wire = await ready(world)
    secret = "Bí-mật-của-tôi"
    await wire.say(f"AUTH PLAIN {plain(password=secret)}")
    await exchange(wire, "auth plain", plain(password=secret))
    await exchange(wire, "AUTH LOGIN", b64(AN), b64(secret))
    await wire.say(f"auth  plain  {plain(password=secret)}")
    await wire.say(f"AUTH PLAIN {plain()}")
    captured = capsys.readouterr()
    logged = caplog.text + captured.out + captured.err
    for form in (secret, b64(secret), plain(password=secret), plain(), PASSWORD):
        assert form not in logged
