"""Block lists and greylisting, as a stranger's server meets them."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN, BINH, DOMAIN, OFFICE
from tests.wire.conftest import OpenWorld, World

STRANGER = "la@example.org"
OK, LATER, NO = "250 2.1.5", "451 4.7.1", "550 5.7.1"
ZONE = "bl.example.net"


async def rcpt(
    world: World, *recipients: str, sender: str = STRANGER, source: str = "127.0.0.1"
) -> list[str]:
    wire = await world.outside(source)
    said = await wire.envelope(sender, *recipients)
    return [reply.short for reply in said[1:]]


async def test_a_client_that_is_listed_reaches_the_postmaster_alone(
    open_world: OpenWorld, dns_server: DnsServer
) -> None:
    dns_server.a(f"2.0.0.127.{ZONE}", "127.0.0.4")
    world = await open_world(dnsbl={"zones": [ZONE], "exempt_networks": []})
    assert await rcpt(world, AN, "postmaster", f"POSTMASTER@{DOMAIN}", source="127.0.0.2") == [NO, OK, OK]
    assert await rcpt(world, AN, source="127.0.0.3") == [OK]
    assert world.count("refused_policy_listed-client") == 1
    stranger = await world.outside("127.0.0.2")
    with capture_logs() as logs:
        said = (await stranger.envelope(STRANGER, AN))[1]
    assert f"[127.0.0.2] is listed by {ZONE}" in said.text
    (told,) = (line for line in logs if line["event"] == "refused")
    assert (told["client"], told["listed"], told["rule"]) == ("127.0.0.2", ZONE, "listed-client")
    wire = await world.inside()
    assert (await wire.envelope(AN, BINH))[1].short == OK


async def test_lists_are_nobodys_business_unless_they_are_chosen(
    open_world: OpenWorld, dns_server: DnsServer
) -> None:
    dns_server.a(f"2.0.0.127.{ZONE}", "127.0.0.4")
    world = await open_world()
    assert await rcpt(world, AN, source="127.0.0.2") == [OK]


class Time:
    """The node's wall clock, which goes on when it is told to."""

    def __init__(self, world: World) -> None:
        self.now_ms = world.node.clock.now_ms()
        object.__setattr__(world.node.clock, "now_ms", lambda: self.now_ms)

    def passes(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


async def grey(open_world: OpenWorld, **more: Any) -> tuple[World, Time]:
    settings = {"enabled": True, "delay_s": 300, "back_within_s": 3600, "remember_days": 7, **more}
    world = await open_world(greylisting=settings)
    return world, Time(world)


async def test_a_clock_that_is_set_back_makes_a_stranger_wait_no_longer(open_world: OpenWorld) -> None:
    world, time = await grey(open_world)
    assert await rcpt(world, AN) == [LATER]
    time.passes(-86_400)
    assert await rcpt(world, AN) == [LATER]
    time.passes(300)
    assert await rcpt(world, AN) == [OK]
    time.passes(-7200)
    assert await rcpt(world, AN) == [OK], "who was let through stays so"


async def test_a_stranger_comes_back_and_is_known_from_then_on(open_world: OpenWorld) -> None:
    world, time = await grey(open_world)
    assert await rcpt(world, AN, BINH) == [LATER, LATER]
    time.passes(299)
    assert await rcpt(world, AN, source="127.0.0.9") == [LATER], "the same network"
    time.passes(1)
    assert await rcpt(world, AN, BINH, OFFICE, source="127.0.0.9") == [OK, OK, LATER]
    assert await rcpt(world, AN, sender="khac@example.org") == [LATER]
    assert await rcpt(world, AN, source="127.0.1.1") == [LATER], "another network"
    for _ in range(4):
        time.passes(2 * 86_400)
        assert await rcpt(world, AN) == [OK], "remembered anew each time"
    time.passes(7 * 86_400 + 1)
    assert await rcpt(world, AN) == [LATER]
    assert world.count("refused_greylisted") == 7


async def test_who_comes_back_too_late_begins_again(open_world: OpenWorld) -> None:
    world, time = await grey(open_world)
    assert await rcpt(world, AN) == [LATER]
    time.passes(3601)
    assert await rcpt(world, AN) == [LATER]
    time.passes(300)
    assert await rcpt(world, AN) == [OK]


async def test_the_reply_says_how_long(open_world: OpenWorld) -> None:
    world, time = await grey(open_world)
    await rcpt(world, AN)
    time.passes(100.5)
    wire = await world.outside()
    said = await wire.envelope(STRANGER, AN)
    assert said[1].text == "Lan dau nhan thu tu day, hay gui lai sau 200 s / Greylisted, try again in 200 s"


async def test_who_never_waits(open_world: OpenWorld) -> None:
    world, _ = await grey(open_world)
    assert await rcpt(world, AN, sender="") == [OK], "bounces and address checks"
    assert await rcpt(world, "postmaster", f"postmaster@{DOMAIN}", "khong@caobang.gov.vn") == [
        OK, OK, "550 5.1.1",
    ]  # fmt: skip
    world.node.guard.note_writer(STRANGER, 1)
    assert await rcpt(world, AN) == [OK], "who wrote before"
    wire = await world.inside()
    await wire.mail(AN, "ban@example.org", message=f"From: <{AN}>\r\n\r\nx\r\n".encode())
    assert await rcpt(world, BINH, sender="ban@example.org") == [OK], "whom the agency wrote to"
    assert await rcpt(world, BINH, sender="ban2@example.org") == [LATER]


async def test_networks_that_are_exempt(open_world: OpenWorld) -> None:
    world, _ = await grey(open_world, exempt_networks=["127.0.0.4/30"])
    assert await rcpt(world, AN, source="127.0.0.5") == [OK]
    assert await rcpt(world, AN, source="127.0.0.8") == [LATER]


async def test_a_guard_at_fault_lets_everybody_through(open_world: OpenWorld) -> None:
    world, _ = await grey(open_world)
    world.node.guard.close()
    assert await rcpt(world, AN) == [OK]
