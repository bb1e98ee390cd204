"""Passwords: real argon2, constant work, a bounded queue, a cache bound to the hash."""

from __future__ import annotations

import asyncio
import hmac
import os
import unicodedata
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from mailgov.identity.passwords import (
    Busy,
    PasswordChecker,
    first_password_hash,
    generate_password,
    hash_password,
    is_first_hash,
    matches_first,
)

PASSWORD = "mật khẩu đủ dài"
STORED = hash_password(PASSWORD)
ACCOUNT = "annv@caobang.gov.vn"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checker(clock: Clock) -> Iterator[PasswordChecker]:
    checker = PasswordChecker(os.urandom(32), clock)
    yield checker
    checker.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of every argon2 computation, which still takes place."""
    seen: list[str] = []
    real = PasswordHasher.verify

    def counting(self: PasswordHasher, stored: str, octets: bytes) -> bool:
        seen.append(stored.rsplit("$", 2)[0])
        return real(self, stored, octets)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    return seen


def test_parameters_are_owasps_minimum() -> None:
    parameters = extract_parameters(STORED)
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
    assert STORED.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_right_and_wrong(checker: PasswordChecker) -> None:
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert not await checker.verify(STORED, ACCOUNT, PASSWORD + "x")
    assert not await checker.verify(STORED, ACCOUNT, "")


async def test_decomposed_input_is_the_same_password(checker: PasswordChecker) -> None:
    import unicodedata

    assert await checker.verify(STORED, ACCOUNT, unicodedata.normalize("NFD", PASSWORD))


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        (STORED, "wrong"),  # known account
        (None, PASSWORD),  # unknown or suspended
        (STORED, "x" * 1025),  # over long
        (STORED, "ắ" * 400),  # over long in octets alone
        (STORED, "\ud800"),  # not Unicode
        (None, ""),
    ],
    ids=["known", "unknown", "over long", "over long in octets", "not Unicode", "empty"],
)
async def test_every_refusal_costs_the_same_work(
    checker: PasswordChecker, work: list[str], stored: str | None, password: str
) -> None:
    assert not await checker.verify(stored, ACCOUNT, password)
    assert work == ["$argon2id$v=19$m=19456,t=2,p=1"]


async def test_damaged_hash_is_no_way_in_and_costs_the_same(
    checker: PasswordChecker, work: list[str]
) -> None:
    assert not await checker.verify("$argon2id$rubbish", ACCOUNT, PASSWORD)
    assert work[1:] == ["$argon2id$v=19$m=19456,t=2,p=1"]


async def test_success_is_cached_for_a_while(checker: PasswordChecker, work: list[str], clock: Clock) -> None:
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert len(work) == 1
    clock.now += 60
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert len(work) == 2


async def test_failure_is_not_cached(checker: PasswordChecker, work: list[str]) -> None:
    for _ in range(2):
        assert not await checker.verify(STORED, ACCOUNT, "wrong")
    assert len(work) == 2


async def test_cache_ends_with_the_stored_hash_and_never_crosses_accounts(
    checker: PasswordChecker, work: list[str]
) -> None:
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert not await checker.verify(hash_password("another one"), ACCOUNT, PASSWORD)
    assert not await checker.verify(None, ACCOUNT, PASSWORD)
    assert await checker.verify(STORED, "binhtt@caobang.gov.vn", PASSWORD)
    assert len(work) == 4


async def test_cache_is_bounded(clock: Clock, work: list[str]) -> None:
    checker = PasswordChecker(os.urandom(32), clock, cache_size=2)
    for account in ("a@x.vn", "b@x.vn", "c@x.vn", "a@x.vn"):
        assert await checker.verify(STORED, account, PASSWORD)
    checker.close()
    assert len(work) == 4


async def test_full_queue_is_a_temporary_refusal(clock: Clock) -> None:
    checker = PasswordChecker(os.urandom(32), clock, threads=1, queue_limit=2)
    results = await asyncio.gather(
        *(checker.verify(STORED, ACCOUNT, f"wrong {n}") for n in range(8)), return_exceptions=True
    )
    busy = [result for result in results if isinstance(result, Busy)]
    assert len(busy) == 5
    assert busy[0].reply.line().startswith("454 4.7.0 ")
    assert await checker.verify(STORED, ACCOUNT, PASSWORD), "the queue has emptied"
    checker.close()


async def test_a_caller_that_leaves_keeps_its_place_until_the_work_ends(
    clock: Clock, work: list[str]
) -> None:
    checker = PasswordChecker(os.urandom(32), clock, threads=1)
    tasks = [asyncio.create_task(checker.verify(STORED, ACCOUNT, f"wrong {n}")) for n in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert len(work) == 4
    checker.close()


async def test_clients_take_turns(clock: Clock) -> None:
    checker = PasswordChecker(os.urandom(32), clock, threads=1)
    ended: list[str] = []

    async def check(client: str, known: bool) -> None:
        assert not await checker.verify(STORED, ACCOUNT, "wrong", client=client, known=known)
        ended.append(client)

    asked = [("flood", False)] * 4 + [("stranger", False), ("office", True), ("office", True), ("home", True)]
    await asyncio.gather(*(check(*one) for one in asked))
    assert ended == ["flood", "office", "home", "office", "flood", "stranger", "flood", "flood"]
    checker.close()


async def test_a_flood_of_strangers_leaves_known_clients_their_line(clock: Clock) -> None:
    checker = PasswordChecker(os.urandom(32), clock, threads=1, queue_limit=2)
    tasks = [asyncio.create_task(checker.verify(None, ACCOUNT, "x", client=f"{n}")) for n in range(9)]
    await asyncio.sleep(0)
    assert await checker.verify(STORED, ACCOUNT, PASSWORD, client="office", known=True)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Busy) for result in results) == 6
    checker.close()


async def test_what_waits_when_the_checker_closes_is_dropped(clock: Clock, work: list[str]) -> None:
    checker = PasswordChecker(os.urandom(32), clock, threads=1)
    tasks = [asyncio.create_task(checker.verify(STORED, ACCOUNT, f"wrong {n}")) for n in range(5)]
    await asyncio.sleep(0)
    checker.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 4
    with pytest.raises(Busy):
        await checker.verify(STORED, ACCOUNT, PASSWORD)


async def test_what_is_remembered_needs_no_work(checker: PasswordChecker, work: list[str]) -> None:
    assert not checker.remembers(STORED, ACCOUNT, PASSWORD)
    assert await checker.verify(STORED, ACCOUNT, PASSWORD)
    assert checker.remembers(STORED, ACCOUNT, PASSWORD)
    assert not checker.remembers(STORED, ACCOUNT, PASSWORD + "x")
    assert not checker.remembers(None, ACCOUNT, PASSWORD)
    assert len(work) == 1


def test_over_long_password_is_not_hashed() -> None:
    with pytest.raises(ValueError, match="1024"):
        hash_password("x" * 1025)


def test_generated_passwords_are_readable_and_differ() -> None:
    password = generate_password(os.urandom)
    groups = password.split("-")
    assert [len(group) for group in groups] == [4] * 5
    assert not set("ilou") & set(password)
    assert len({generate_password(os.urandom) for _ in range(100)}) == 100
    assert generate_password(bytes) == "0000-0000-0000-0000-0000"


KEY = bytes(range(32))


def test_a_first_passwords_hash_is_keyed_and_fast() -> None:
    password = generate_password(os.urandom)
    stored = first_password_hash(KEY, password)
    assert stored == "first$" + hmac.new(KEY, password.encode(), "sha256").hexdigest()
    assert is_first_hash(stored)
    assert not is_first_hash(STORED)
    assert not is_first_hash(None)
    assert matches_first(KEY, stored, password)
    for key, kept, tried in (
        (KEY, stored, password + "x"),
        (KEY[::-1], stored, password),
        (KEY, STORED, PASSWORD),
        (KEY, None, password),
        (KEY, first_password_hash(KEY, ""), "x" * 2000),
    ):
        assert not matches_first(key, kept, tried)
    with pytest.raises(ValueError, match="1024"):
        first_password_hash(KEY, "x" * 1025)


def test_a_first_password_is_one_password_however_it_was_typed() -> None:
    composed, apart = unicodedata.normalize("NFC", "mật"), unicodedata.normalize("NFD", "mật")
    assert first_password_hash(KEY, composed) == first_password_hash(KEY, apart)


async def test_the_checker_of_sign_ins_takes_no_first_password(
    checker: PasswordChecker, work: list[str]
) -> None:
    password = generate_password(os.urandom)
    assert not await checker.verify(first_password_hash(KEY, password), ACCOUNT, password)
    assert work[-1].startswith("$argon2id$v=19$m=19456"), "the work of any wrong password"
