"""The greeting comes first (RFC 5321 4.3.1): who cannot wait for it is no mail server."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN
from tests.wire.client import eventually, stuffed
from tests.wire.conftest import OpenWorld, World

MESSAGE = plain("khach@example.org", AN)


async def test_who_talks_before_the_greeting_is_refused(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"greeting_delay_s": 20.0})
    for said in (b"EHLO x\r\n", b"x", b"GET / HTTP/1.1\r\n\r\n"):
        wire = await world.connect("mx", greeted=False)
        await wire.send(said + b"MAIL FROM:<x@example.org>\r\n")
        assert [reply.short for reply in await wire.to_the_end()] == ["554 5.5.1"]
    await eventually(lambda: world.node.sessions == 0)
    assert world.count("refused_early_talker") == 3


async def test_who_waits_is_greeted_and_served(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"greeting_delay_s": 0.3})
    start = asyncio.get_running_loop().time()
    wire = await world.outside()
    assert asyncio.get_running_loop().time() - start >= 0.3
    assert (await wire.mail("khach@example.org", AN, message=MESSAGE)).code == 250


@pytest.mark.parametrize("kind", ["submission", "submissions", "trusted"])
async def test_our_own_do_not_wait(open_world: OpenWorld, kind: str) -> None:
    world = await open_world(smtp={"greeting_delay_s": 60.0})
    assert await (await world.connect(kind)).alive()


async def test_nor_does_a_gateway(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"greeting_delay_s": 60.0, "unlimited_networks": ["127.0.0.1/32"]})
    assert await (await world.outside()).alive()


async def test_who_leaves_meanwhile_leaves_nothing(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"greeting_delay_s": 20.0})
    wire = await world.connect("mx", greeted=False)
    await eventually(lambda: world.node.sessions == 1)
    await wire.close()
    await eventually(lambda: world.node.sessions == 0)


async def test_without_the_option_a_pipelined_session_is_served(world: World) -> None:
    wire = await world.connect("mx", greeted=False)
    await wire.send(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<annv@caobang.gov.vn>\r\nDATA\r\n")
    await wire.send(stuffed(MESSAGE) + b"QUIT\r\n")
    codes = [(await wire.reply(plain=at < 2)).code for at in range(7)]
    assert codes == [220, 250, 250, 250, 354, 250, 221]
