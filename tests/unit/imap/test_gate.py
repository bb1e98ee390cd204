"""The gate as Dovecot asks it, over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker, first_password_hash
from mailgov.identity.protection import SignInProtection
from mailgov.imap import gate
from mailgov.imap.gate import BODY_LIMIT_BYTES, Gate
from mailgov.relay.node import Counters, DirectoryView
from mailgov.settings import SignInSettings
from mailgov.store.guard import Guard
from mailgov.store.snapshot import Snapshot
from mailgov.store.tallies import SignInTally
from tests.support.plain_logs import plain_logs
from tests.support.relay_node import AN, BINH, PASSWORD, SUSPENDED, province

SECRET = "only-dovecot-knows"
NOW_MS = 1_793_700_000_000
CLIENT = "203.0.113.9"
GUESSES = 5
"""That one client is borne with for one account."""


class World:
    """A gate on a directory of its own, and what it has counted."""

    def __init__(self, folder: Path, snapshot: Snapshot | None) -> None:
        self.counters, self.tally = Counters(), SignInTally()
        self.directory = DirectoryView(snapshot, lambda: 0.0)
        self.passwords = PasswordChecker(b"key", lambda: 0.0)
        self.guard, self.threads = Guard.open(folder / "guard.sqlite"), ThreadPoolExecutor(2)
        protection = SignInProtection(self.guard, SignInSettings(pair_limit=GUESSES))
        guesses = SignInGate(protection, self.threads, lambda: NOW_MS)
        self.gate = Gate(
            self.directory, self.passwords, guesses, self.counters, self.tally,
            data_dir=folder, secret=SECRET, now_ms=lambda: NOW_MS,
        )  # fmt: skip
        transport = httpx2.ASGITransport(app=self.gate.app)
        self.ask = httpx2.AsyncClient(transport=transport, base_url="http://gate")

    async def close(self) -> None:
        await self.ask.aclose()
        self.passwords.close()
        self.threads.shutdown()
        self.guard.close()

    async def grant(
        self, name: str, password: str, *, client: str = CLIENT, line: str = "TLS", **more: str
    ) -> httpx2.Response:
        fields = {
            "username": f"{name}|{client}|{line}",
            "password": password,
            "client_secret": SECRET,
            **more,
        }
        return await self.ask.post("/grant", data={"grant_type": "password", **fields})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, province())
    with plain_logs():
        yield made
    await made.close()


async def test_who_signs_in_is_told_where_the_mailbox_is(world: World, tmp_path: Path) -> None:
    answer = await world.grant("annv", PASSWORD)
    assert answer.status_code == 200
    told = answer.json()
    assert told["username"] == f"annv|{CLIENT}|TLS", "Dovecot compares it with what it asked"
    assert told["account"] == AN
    assert told["mailbox"] == str(tmp_path / "mail/caobang.gov.vn/annv")
    ((key, signed),) = world.tally.take().items()
    assert (key.account, key.protocol, signed) == (AN, "imap", (1, NOW_MS))


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (AN, "x"),
        (AN, ""),
        ("nobody@caobang.gov.vn", PASSWORD),
        (SUSPENDED, PASSWORD),
        ("", ""),
        (AN, "x" * 2000),
    ],
)
async def test_everybody_else_is_nobody(world: World, name: str, password: str) -> None:
    answer = await world.grant(name, password)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert world.tally.take() == {}
    ((_, listener, address, reason),) = world.counters.take_door()
    assert (listener, address, reason) == ("imap", CLIENT, "bad_sign_in")


@pytest.mark.parametrize(
    "entry", [{"must_change": True}, {"password_hash": first_password_hash(b"k", PASSWORD)}]
)
async def test_a_first_password_opens_nothing(world: World, entry: dict[str, Any]) -> None:
    accounts = world.directory.snapshot.accounts
    accounts[AN] = replace(accounts[AN], **entry)
    assert (await world.grant(AN, PASSWORD)).status_code == 400


@pytest.mark.parametrize("line", ["secured", "", "tls"])
async def test_no_sign_in_over_an_open_line_not_even_from_here(world: World, line: str) -> None:
    assert (await world.grant(AN, PASSWORD, line=line)).status_code == 400
    ((_, _, address, reason),) = world.counters.take_door()
    assert (address, reason) == (CLIENT, "auth_without_tls")


@pytest.mark.parametrize(
    "claimed", ["", AN, f"{AN}|{CLIENT}", f"{AN}|{CLIENT}|TLS|TLS", f"x|{AN}|{CLIENT}|TLS"]
)
async def test_a_name_that_dovecot_would_not_send(world: World, claimed: str) -> None:
    assert (await world.grant(AN, PASSWORD, username=claimed)).status_code == 400


@pytest.mark.parametrize("secret", ["", "x", SECRET + "x", "ố"])
async def test_nobody_but_dovecot_is_answered(world: World, secret: str) -> None:
    answer = await world.grant(AN, PASSWORD, client_secret=secret)
    assert (answer.status_code, answer.content) == (401, b"")
    assert world.tally.take() == {}
    assert world.counters.take_door() == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"username=%ff&password=x&client_secret=" + SECRET.encode(),
        b"&".join([b"a=b"] * 1000) + b"&client_secret=" + SECRET.encode(),
        b"client_secret=" + SECRET.encode() + b"&password=" + b"x" * BODY_LIMIT_BYTES,
        json.dumps({"client_secret": SECRET}).encode(),
    ],
)
async def test_what_is_no_form_is_a_strangers(world: World, body: bytes) -> None:
    answer = await world.ask.post("/grant", content=body)
    assert answer.status_code == 401


async def test_what_cannot_be_judged_now_is_no_refusal(tmp_path: Path) -> None:
    world = World(tmp_path, None)  # a first start without the ledger
    try:
        answer = await world.grant(AN, PASSWORD)
    finally:
        await world.close()
    assert (answer.status_code, answer.json()) == (503, {"error": "temporarily_unavailable"})
    assert world.counters.take_door() == {}


async def test_a_flood_of_guesses_does_not_fill_the_log_nor_show_passwords(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "REFUSALS_LOGGED", 2)
    for _ in range(4):
        await world.grant(AN, "Bí-mật-của-tôi")
    said = capsys.readouterr().out
    assert said.count("sign-in refused") == 2
    assert "wrong password" in said
    assert "Bí-mật" not in said
    assert world.counters.values["refused_bad_sign_in"] == 4


async def test_who_guesses_waits_and_nobody_else_does(world: World) -> None:
    for number in range(GUESSES):
        assert (await world.grant(AN, f"x{number}")).status_code == 400
    assert (await world.grant(AN, PASSWORD)).status_code == 503, "put off unlooked, right or wrong"
    assert (await world.grant("annv", PASSWORD)).status_code == 503, "the same account by its short name"
    assert (await world.grant(BINH, PASSWORD)).status_code == 200
    assert (await world.grant(AN, PASSWORD, client="2001:db8::7")).status_code == 200
