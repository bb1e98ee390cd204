"""Greeting, EHLO and the small commands: what is advertised is what works."""

from __future__ import annotations

import pytest

from tests.support.relay_node import AN, HOSTNAME
from tests.wire.conftest import World

BASIC = {"PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES"}
BASIC |= {"LIMITS RCPTMAX=1000 MAILMAX=1000"}
AUTH = "AUTH PLAIN LOGIN"


@pytest.mark.parametrize(
    ("kind", "advertised"),
    [
        ("mx", BASIC | {"STARTTLS"}),
        ("submission", BASIC | {"STARTTLS"}),
        ("submissions", BASIC | {AUTH, "REQUIRETLS"}),
        ("trusted", BASIC),
    ],
)
async def test_each_listener_advertises_exactly_what_works(
    world: World, kind: str, advertised: set[str]
) -> None:
    wire = await world.connect(kind)
    assert wire.greeting is not None
    assert wire.greeting.text.startswith(f"{HOSTNAME} ESMTP")
    assert await wire.ehlo() == advertised
    if "STARTTLS" not in advertised:
        assert (await wire.say("STARTTLS")).code in {502, 503}
    if AUTH not in advertised:
        offered = "538 5.7.11" if kind == "submission" else "502 5.5.1"
        assert (await wire.sign_in(AN, "x")).short == offered


@pytest.mark.parametrize(("kind", "added"), [("mx", set()), ("submission", {AUTH})])
async def test_inside_tls_starttls_is_gone_and_auth_comes_on_submission_alone(
    world: World, kind: str, added: set[str]
) -> None:
    wire = await world.connect(kind)
    await wire.ehlo()
    await wire.starttls(world.client_tls)
    assert (await wire.say("MAIL FROM:<x@example.org>")).short == "503 5.5.1", "EHLO again (RFC 3207 4.2)"
    assert await wire.ehlo() == BASIC | {"REQUIRETLS"} | added


async def test_helo_gets_one_line_and_no_extension(world: World) -> None:
    wire = await world.connect("mx")
    said = await wire.say("HELO client.test")
    assert (said.code, said.lines) == (250, (HOSTNAME,))


@pytest.mark.parametrize("word", ["EHLO", "HELO"])
async def test_a_greeting_without_a_name_is_a_syntax_error(world: World, word: str) -> None:
    wire = await world.connect("mx")
    await wire.send(word.encode() + b"\r\n")
    assert (await wire.reply()).short == "501 5.5.4"


@pytest.mark.parametrize(
    "command", ["MAIL FROM:<x@example.org>", "RCPT TO:<x@example.org>", "DATA", "AUTH PLAIN"]
)
async def test_nothing_before_the_greeting(world: World, command: str) -> None:
    wire = await world.connect("submissions")
    assert (await wire.say(command)).short == "503 5.5.1"


@pytest.mark.parametrize(
    ("command", "short"),
    [
        ("NOOP", "250 2.0.0"),
        ("NOOP whatever it says", "250 2.0.0"),
        ("RSET", "250 2.0.0"),
        ("RSET now", "501 5.5.4"),
        ("VRFY annv", "252 2.5.0"),
        ("VRFY", "501 5.5.4"),
        ("EXPN ld", "502 5.5.1"),
        ("HELP", "214 2.0.0"),
        ("HELP MAIL", "214 2.0.0"),
        ("XYZZY", "500 5.5.2"),
        ("", "500 5.5.2"),
        ("   ", "500 5.5.2"),
        ("DATA now", "503 5.5.1"),
        ("STARTTLS now", "501 5.5.4"),
        ("ETRN example.org", "500 5.5.2"),
        ("QUIT now", "501 5.5.4"),
        ("QUIT", "221 2.0.0"),
    ],
)
async def test_small_commands(world: World, command: str, short: str) -> None:
    wire = await world.outside()
    assert (await wire.say(command)).short == short


async def test_case_does_not_matter_and_quit_closes(world: World) -> None:
    wire = await world.connect("mx")
    assert (await wire.say("eHlO client.test")).code == 250
    assert (await wire.say("nOoP")).code == 250
    assert (await wire.say("qUiT")).code == 221
    assert await wire.closed()
    assert world.node.connections == set()


async def test_a_name_of_any_octets_stops_no_mail(world: World) -> None:
    """It goes into the record and the fields in front: what is no text there must not break them."""
    wire = await world.connect("mx")
    assert (await wire.say(b"EHLO caf\xe9\xff.example")).code == 250
    message = b"From: <khach@example.org>\r\nSubject: x\r\n\r\nbody\r\n"
    assert (await wire.mail("khach@example.org", AN, message=message)).code == 250
    assert (await world.events())[-1].helo == "caf\ufffd\ufffd.example"
