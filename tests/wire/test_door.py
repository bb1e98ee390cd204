"""Who gets a session: each listener has its own room, and no client may fill it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN, PASSWORD
from tests.wire.client import eventually
from tests.wire.conftest import OpenWorld, World

ELSEWHERE = "127.0.0.2"
MESSAGE = plain("khach@example.org", AN)


async def test_a_full_listener_turns_away_and_the_others_serve(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"session_limit": 2})
    first, _ = await world.outside(), await world.outside()
    turned_away = await world.connect("mx", greeted=False, source=ELSEWHERE)
    assert (await turned_away.reply()).short == "421 4.3.2"
    assert await turned_away.closed()
    assert world.count("refused_sessions") == 1
    for kind in ("submission", "submissions", "trusted"):
        assert await (await world.connect(kind)).alive()
    await first.say("QUIT")
    await eventually(lambda: world.node.sessions == 4)
    assert await (await world.outside()).alive()


async def test_in_a_full_room_who_brings_nothing_makes_way(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By silence between commands, or by a message that does not come."""
    world = await open_world(smtp={"session_limit": 3})
    silent, withheld, honest = [await world.outside(f"127.0.0.{host}") for host in (2, 3, 4)]
    for wire in (withheld, honest):
        assert [said.code for said in await wire.envelope("khach@example.org", AN)] == [250, 250]
        assert (await wire.say("DATA")).code == 354
    await honest.send(MESSAGE[:-2])
    await world.taken_in(honest)
    for module in ("door.STALE_S", "data.SETTLING_S"):
        monkeypatch.setattr(f"mailgov.relay.{module}", 0.0)
    monkeypatch.setattr("mailgov.relay.data.PACE_OCTETS_S", 0.01)
    for goes in (silent, withheld):
        assert await (await world.outside()).alive()
        assert [said.short for said in await goes.to_the_end()] == ["421 4.3.2"]
    await honest.send(MESSAGE[-2:] + b".\r\n")
    assert (await honest.reply()).code == 250
    assert world.count("refused_made_way") == 2


async def test_so_does_who_never_begins_a_handshake_and_never_who_signed_in(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world(smtp={"session_limit": 2})
    mine = await world.inside()
    mute = await world.connect("submissions", silent=True, source=ELSEWHERE)
    await eventually(lambda: world.node.sessions == 2)
    monkeypatch.setattr("mailgov.relay.door.STALE_S", 0.0)
    other = await world.inside()
    assert await mute.closed()
    assert await (await world.connect("submissions", silent=True)).closed(), "nobody is left to make way"
    assert await mine.alive()
    assert await other.alive()


@pytest.mark.parametrize("kind", ["mx", "submission"])
async def test_one_client_cannot_fill_a_listener(open_world: OpenWorld, kind: str) -> None:
    world = await open_world(smtp={"client_session_limit": 2})
    first, _ = await world.connect(kind), await world.connect(kind)
    turned_away = await world.connect(kind, greeted=False)
    assert (await turned_away.reply()).short == "421 4.7.0"
    assert await turned_away.closed()
    assert world.count("refused_client_sessions") == 1
    assert await (await world.connect(kind, source=ELSEWHERE)).alive()
    assert await (await world.connect("submissions")).alive()
    await first.close()
    await eventually(lambda: world.node.sessions == 3)
    assert await (await world.connect(kind)).alive()


async def test_where_tls_is_first_who_is_turned_away_costs_no_handshake(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"client_session_limit": 2})
    await world.connect("submissions")
    silent = await world.connect("submissions", silent=True)
    await eventually(lambda: world.node.sessions == 2)
    assert await (await world.connect("submissions", silent=True)).closed()
    assert world.count("refused_client_sessions") == 1
    assert await (await world.connect("submissions", source=ELSEWHERE)).alive()
    await silent.close()
    await eventually(lambda: world.node.sessions == 2)
    assert await (await world.connect("submissions")).alive()


async def test_who_signed_in_counts_for_the_account(open_world: OpenWorld) -> None:
    """An office behind one address is many people."""
    world = await open_world(smtp={"client_session_limit": 2})
    for account in (AN, "binhtt@caobang.gov.vn"):
        await world.inside(account)
        await world.inside(account)
    wire = await world.connect("submissions")
    await wire.ehlo()
    assert (await wire.sign_in(AN, PASSWORD)).short == "421 4.7.0"
    assert await wire.closed()
    assert world.count("refused_account_sessions") == 1
    await eventually(lambda: world.node.sessions == 4)


async def test_a_gateway_has_no_limit_of_a_client(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"client_session_limit": 1, "unlimited_networks": ["127.0.0.2/32"]})
    for _ in range(3):
        assert await (await world.outside(ELSEWHERE)).alive()
        assert await (await world.connect("trusted")).alive()
    await world.outside()
    assert (await (await world.connect("mx", greeted=False)).reply()).short == "421 4.7.0"


async def test_a_handshake_that_never_ends_is_ended(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"tls_handshake_timeout_s": 0.2})
    wire = await world.connect("submissions", silent=True)
    await wire.send(b"\x16\x03\x01")
    assert await wire.closed()
    await eventually(lambda: world.node.sessions == 0)
    assert world.count("refused_tls_handshake") == 1


@pytest.mark.parametrize("said", [b"EHLO x\r\n" * 9, b"", b"\x16\x03\x01\x02\x00" + b"\x00" * 600])
async def test_what_is_no_handshake_leaves_nothing(world: World, said: bytes) -> None:
    for reset in (False, True):
        wire = await world.connect("submissions", silent=True)
        await wire.send(said)
        if reset:
            wire.reset()
        else:
            wire.writer.write_eof()
    await eventually(lambda: world.node.sessions == 0)
    assert world.count("internal_errors") == 0
    assert await (await world.connect("submissions")).alive()


async def test_many_handshakes_at_once(world: World) -> None:
    wires = await asyncio.gather(*(world.connect("submissions") for _ in range(40)))
    assert all(await asyncio.gather(*(wire.alive() for wire in wires)))
