"""Nobody's mail is carried from outside to outside, however the address is dressed up."""

from __future__ import annotations

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN, DOMAIN
from tests.wire.conftest import OpenWorld

THERE = "x@example.org"
RECIPIENTS = [
    "<x@example.org>",
    "<X@EXAMPLE.ORG>",
    "<postmaster@example.org>",
    "<x@localhost>",
    f"<x@mail.{DOMAIN}>",
    f"<x@{DOMAIN}.example.org>",
    f"<x@example.org.{DOMAIN}>",
    f"<x@{DOMAIN}.>",
    "<x@example.org.>",
    # Addresses in addresses.
    f"<x%example.org@{DOMAIN}>",
    f"<x%example.org%{DOMAIN}>",
    f"<x%example.org@mail.{DOMAIN}>",
    "<x%example.org@[127.0.0.1]>",
    "<x%example.org@localhost>",
    "<x%example.org>",
    f"<x%{DOMAIN}@example.org>",
    f"<x%40example.org@{DOMAIN}>",
    f"<x@example.org@{DOMAIN}>",
    f"<x@{DOMAIN}@example.org>",
    f'<"x@example.org"@{DOMAIN}>',
    f'<"x\\@example.org"@{DOMAIN}>',
    f"<x\\@example.org@{DOMAIN}>",
    '<"x@example.org">',
    '<"x%example.org">',
    '<"x"@example.org>',
    f"<x=example.org@{DOMAIN}>",
    f"<SRS0=HHH=TT=example.org=x@{DOMAIN}>",
    f"<prvs=1234abcdef=x@{DOMAIN}@example.org>",
    # Bangs and routes.
    "<example.org!x>",
    f"<example.org!x@{DOMAIN}>",
    f"<{DOMAIN}!x@example.org>",
    f"<{DOMAIN}!example.org!x>",
    f"<@{DOMAIN}:x@example.org>",
    f"<@a.example,@{DOMAIN}:x@example.org>",
    "<@[127.0.0.1]:x@example.org>",
    f"<@example.org:x%example.org@{DOMAIN}>",
    f"<@{DOMAIN}:@example.org:x>",
    # Literals.
    "<x@[127.0.0.1]>",
    "<x@[192.0.2.1]>",
    "<x@[IPv6:::1]>",
    "<x@[example.org]>",
    "<x@127.0.0.1>",
    # Two of them, comments, odd ends.
    f"<x@example.org,{AN}>",
    f"<x@example.org> <{AN}>",
    f"<x@example.org><{AN}>",
    f"<{AN}>,<x@example.org>",
    f"<x@example.org({DOMAIN})>",
    f"<x({AN})@example.org>",
    f"<x@example.org:{DOMAIN}>",
    f"<x@{DOMAIN}:25>",
    f"<x@{DOMAIN}#example.org>",
    f"<x@example.org?{DOMAIN}>",
    f"<x@example.org/{DOMAIN}>",
    f"<x@example.org\0@{DOMAIN}>",
    f"<x@example.org\t@{DOMAIN}>",
    f"<x@example.org @{DOMAIN}>",
    f"<x@example.org\r@{DOMAIN}>",
    f'<"x@example.org\r"@{DOMAIN}>',
    "x@example.org",
    f"x@example.org <{AN}",
    # Letters that look like others.
    "<x@ｅxample.org>",
    f"<x@{DOMAIN}。example.org>",
    "<x@xn--example-9ua.org>",
    # Programs and files.
    f"<|/bin/sh@{DOMAIN}>",
    f'<"|/bin/sh"@{DOMAIN}>',
    f"<:include:/etc/passwd@{DOMAIN}>",
    f"</etc/passwd@{DOMAIN}>",
    f"<../../etc/passwd@{DOMAIN}>",
]
REVERSE_PATHS = [
    "<khach@example.org>",
    "<>",
    "<x@localhost>",
    "<x@[127.0.0.1]>",
    f"<@{DOMAIN}:khach@example.org>",
    f"<khach%example.org@a.{DOMAIN}>",
    f"<postmaster@mail.{DOMAIN}>",
    f"<{AN}>",
    f"<postmaster@{DOMAIN}>",
]


@pytest.mark.parametrize("reverse_path", REVERSE_PATHS)
async def test_nothing_opens_the_way_out(open_world: OpenWorld, reverse_path: str) -> None:
    world = await open_world(smtp={"error_limit": 10_000})
    assert len(RECIPIENTS) > 40
    some = RECIPIENTS if reverse_path == REVERSE_PATHS[0] else RECIPIENTS[:10]
    for hello in (f"EHLO {DOMAIN}", "HELO localhost"):
        for smtputf8 in ("", " SMTPUTF8") if hello[0] == "E" else ("",):
            wire = await world.connect("mx")
            await wire.say(hello)
            await wire.say(f"MAIL FROM:{reverse_path}{smtputf8}")
            for recipient in some:
                said = await wire.say(f"RCPT TO:{recipient}")
                assert said.code >= 500, (reverse_path, recipient, said)
            assert (await wire.say("DATA")).short == "503 5.5.1"
            assert (await wire.bdat(plain("khach@example.org", THERE), last=True)).short == "503 5.5.1"
            await wire.close()
    assert world.offered == []
    assert await world.kept() == []


@pytest.mark.parametrize("kind", ["submission", "submissions"])
async def test_submission_carries_nothing_for_who_has_not_signed_in(open_world: OpenWorld, kind: str) -> None:
    world = await open_world()
    for path in (AN, "khach@example.org", ""):
        wire = await world.connect(kind)
        await wire.ehlo()
        assert [s.code for s in await wire.envelope(path, THERE, AN)] == [530, 503, 503]


async def test_a_trusted_listener_carries_nothing_for_strangers(open_world: OpenWorld) -> None:
    world = await open_world(networks=("10.0.0.0/8",))
    wire = await world.connect("trusted", greeted=False)
    assert (await wire.reply()).short == "554 5.7.1"
    assert await wire.closed()
