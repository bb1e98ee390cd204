"""STARTTLS (RFC 3207): nothing that was said in clear counts inside."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.support.relay_node import AN, PASSWORD
from tests.wire.client import eventually
from tests.wire.conftest import OpenWorld, World


@pytest.mark.parametrize(
    "injected",
    [
        b"EHLO attacker.test\r\n",
        b"EHLO attacker.test\r\nMAIL FROM:<attacker@example.org>\r\nRCPT TO:<annv@caobang.gov.vn>\r\n",
        b"RSET\r\n" * 500,
        b"NOOP half a command without its end",
    ],
    ids=["one", "several", "many", "unfinished"],
)
async def test_commands_behind_starttls_in_clear_are_not_run_inside(world: World, injected: bytes) -> None:
    wire = await world.outside()
    await wire.send(b"STARTTLS\r\n" + injected)
    assert (await wire.reply()).code == 220
    await wire.handshake(world.client_tls)
    # Had anything been run, its reply would come before this one, or the session would know a name.
    said = await wire.say("MAIL FROM:<x@example.org>")
    assert said.short == "503 5.5.1"
    assert "first" in said.text
    assert (await wire.say("EHLO client.test")).code == 250
    assert (await wire.say("MAIL FROM:<x@example.org>")).short == "250 2.1.0"


async def test_an_open_transaction_does_not_survive(world: World) -> None:
    wire = await world.outside()
    await wire.say("MAIL FROM:<x@example.org>")
    await wire.starttls(world.client_tls)
    await wire.ehlo()
    assert (await wire.say(f"RCPT TO:<{AN}>")).short == "503 5.5.1"


@pytest.mark.parametrize("kind", ["mx", "submission", "submissions"])
async def test_no_second_starttls(world: World, kind: str) -> None:
    wire = await world.connect(kind)
    await wire.ehlo()
    if kind != "submissions":
        await wire.starttls(world.client_tls)
        await wire.ehlo()
    assert (await wire.say("STARTTLS")).short == "503 5.5.1"
    assert await wire.alive()


async def test_where_there_is_no_certificate_there_is_no_starttls(world: World) -> None:
    wire = await world.connect("trusted")
    await wire.ehlo()
    assert (await wire.say("STARTTLS")).short == "502 5.5.1"


async def test_a_handshake_that_fails_ends_the_session_and_is_counted(world: World) -> None:
    wire = await world.outside()
    await wire.say("STARTTLS")
    await wire.send(b"this is no ClientHello at all\r\n" * 20)
    assert b"250" not in await wire.reader.read(), "an alert of TLS, then the end"
    assert world.count("refused_tls_handshake") == 1
    assert world.count("internal_errors") == 0


async def test_a_client_that_leaves_during_the_handshake_leaves_no_session(world: World) -> None:
    wire = await world.outside()
    await wire.say("STARTTLS")
    await wire.close()
    other = await world.outside()
    assert await other.alive()
    while world.node.sessions > 1:
        await other.alive()


async def test_an_old_version_of_tls_is_refused(world: World) -> None:
    wire = await world.outside()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    await wire.say("STARTTLS")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await wire.handshake(old)


async def test_submission_asks_for_tls_before_anything_that_matters(world: World) -> None:
    wire = await world.connect("submission")
    await wire.ehlo()
    assert (await wire.say(f"MAIL FROM:<{AN}>")).short == "530 5.7.0"
    assert (await wire.sign_in(AN, PASSWORD)).short == "538 5.7.11"
    await wire.starttls(world.client_tls)
    await wire.ehlo()
    assert (await wire.say(f"MAIL FROM:<{AN}>")).short == "530 5.7.0"
    assert (await wire.sign_in(AN, PASSWORD)).short == "235 2.7.0"
    assert (await wire.say(f"MAIL FROM:<{AN}>")).short == "250 2.1.0"


async def test_a_plain_client_on_the_tls_port_gets_no_session(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.ports["submissions"])
    writer.write(b"EHLO client.test\r\n")
    async with asyncio.timeout(20):
        said = await reader.read()
    assert b"250" not in said
    assert b"220" not in said
    writer.close()


async def test_a_handshake_that_comes_at_once_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read before the TLS side is there is thrown away (RFC 3207 4.2): nothing may be."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda s: sleep(max(s, 0.05)))  # a loop that is slow to turn
    wire = await world.connect("submission")
    await wire.ehlo()
    await wire.starttls(world.client_tls)
    assert await wire.alive()


async def test_the_end_of_a_session_is_no_trouble(world: World) -> None:
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    wire = await world.connect("submission")
    await wire.ehlo()
    await wire.starttls(world.client_tls)
    assert (await wire.say("QUIT")).code == 221
    assert await wire.closed()
    await wire.close()
    await eventually(lambda: not world.node.connections, "the session's end")
    await asyncio.sleep(0)
    assert troubles == []


@pytest.mark.parametrize("said", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b""])
async def test_a_handshake_that_fails_or_stalls_gives_the_place_back(
    open_world: OpenWorld, said: bytes
) -> None:
    """The TLS layer tells nobody of a connection that it loses before it has one."""
    world = await open_world(smtp={"idle_timeout_s": 0.3})
    wire = await world.connect("submission")
    await wire.ehlo()
    assert (await wire.say("STARTTLS")).code == 220
    await wire.send(said)
    if not said:
        await wire.close()
    await eventually(lambda: world.node.sessions == 0 and not world.node.connections, "the place")


async def test_a_handshake_that_is_under_way_does_not_stop_a_worker_from_stopping(world: World) -> None:
    wire = await world.connect("submission")
    await wire.ehlo()
    assert (await wire.say("STARTTLS")).code == 220
    for session in list(world.node.connections):
        session.drain_session()
    assert await wire.closed()
    assert world.node.sessions == 0
