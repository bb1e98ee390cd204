"""How much an account may send, and who is told when it is too much."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest

from mailgov.relay.sending_ahead import Ahead
from mailgov.store.guard import Guard
from mailgov.store.snapshot import Snapshot
from tests.support.relay_node import AN, BINH, OFFICE, SCANNER, account, province
from tests.wire.client import Said, Wire, eventually
from tests.wire.conftest import OpenWorld, World

OPERATOR = "quantri@caobang.gov.vn"
LIMITS = {
    "messages_per_hour": 0,
    "messages_per_day": 3,
    "recipients_per_day": 0,
    "new_recipients_per_day": 0,
    "agency_factor": 100,
}


def overseen() -> Snapshot:
    """The province with an operator, and an officer of the agency of all, who is An."""
    snapshot = province()
    snapshot.accounts[OPERATOR] = account(OPERATOR, agency=None)
    return replace(snapshot, overseers={"": (OPERATOR,), "SNV": (AN,)})


async def opened(open_world: OpenWorld, snapshot: Snapshot | None = None, **limits: Any) -> World:
    return await open_world(snapshot=snapshot or overseen(), limits={**LIMITS, **limits})


async def send(wire: Wire, *recipients: str, sender: str = AN) -> list[str]:
    """The reply to each RCPT, the message sent where one was taken."""
    said = await wire.envelope(sender, *recipients)
    if any(reply.code == 250 for reply in said[1:]):
        assert (await wire.data(f"From: <{sender}>\r\nSubject: x\r\n\r\nx\r\n".encode())).code == 250
    else:
        await wire.say("RSET")
    return [reply.short for reply in said[1:]]


OK, LATER, NO = "250 2.1.5", "452 4.7.1", "550 5.7.1"


async def test_so_many_messages_then_later_then_never(open_world: OpenWorld) -> None:
    world = await opened(open_world)
    wire = await world.inside()
    said = [(await send(wire, BINH))[0] for _ in range(11)]
    assert said == [OK] * 3 + [LATER] * 6 + [NO] * 2
    other = await world.inside(BINH)
    assert await send(other, AN, sender=BINH) == [OK], "nobody else pays for it"


async def test_the_reply_says_what_is_reached_and_until_when(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=1)
    wire = await world.inside()
    await send(wire, BINH)
    said: list[Said] = await wire.envelope(AN, BINH)
    assert said[1].text == (
        "Hop thu da dat gioi han 1 thu trong mot ngay, gui lai ngay mai hoac lien he quan tri vien"
        " / This account has reached its limit of 1 messages for today, try again tomorrow"
        " or ask your administrator"
    )


async def test_the_hour_and_the_day_end(open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await opened(open_world, messages_per_hour=1, messages_per_day=2)
    clock = world.node.clock
    base = 1_793_700_000_000 - 1_793_700_000_000 % 86_400_000  # 7:00 in Cao Bằng
    object.__setattr__(clock, "now_ms", lambda: base)
    wire = await world.inside()
    assert await send(wire, BINH) + await send(wire, BINH) == [OK, LATER]
    object.__setattr__(clock, "now_ms", lambda: base + 3_600_000)
    assert await send(wire, BINH) + await send(wire, BINH) == [OK, LATER]
    object.__setattr__(clock, "now_ms", lambda: base + 16 * 3_600_000)
    assert await send(wire, BINH) == [LATER]
    object.__setattr__(clock, "now_ms", lambda: base + 17 * 3_600_000)
    assert await send(wire, BINH) == [OK], "the province's midnight"


async def test_recipients_are_counted_as_they_are_named(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=0, recipients_per_day=3)
    wire = await world.inside()
    assert await send(wire, "ld@caobang.gov.vn", BINH, "khong@caobang.gov.vn") == [OK, OK, "550 5.1.1"]
    # Bình is on the list, and so was counted with it.
    assert await send(wire, "a@example.org", "b@example.org", "c@example.org") == [OK, OK, LATER]


async def test_new_recipients_are_those_that_the_agency_never_met(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=0, new_recipients_per_day=2)
    world.node.guard.note_writer("dan@example.org", 1)
    wire = await world.inside()
    assert await send(wire, "a@example.org", "dan@example.org", "b@example.org", "c@example.org") == [
        OK, OK, OK, LATER,
    ]  # fmt: skip
    assert await send(wire, "A@EXAMPLE.ORG", "b@example.org", BINH, "c@example.org") == [OK, OK, OK, LATER]
    colleague = await world.inside(BINH)
    assert await send(colleague, "a@example.org", sender=BINH) == [OK], "the agency knows it"


async def test_an_agency_has_limits_of_its_own(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=2, agency_factor=1, shared_factor=10)
    wire, desk = await world.inside(), await world.inside(OFFICE)
    assert await send(wire, BINH) + await send(desk, BINH, sender=OFFICE) == [OK, OK]
    said = await desk.envelope(OFFICE, BINH)
    assert said[1].short == LATER
    assert "Co quan" in said[1].text
    assert "agency" in said[1].text


async def test_an_administrator_s_word_comes_first(open_world: OpenWorld) -> None:
    snapshot = overseen()
    snapshot.accounts[AN] = replace(snapshot.accounts[AN], limits={"messages_per_day": 5})
    snapshot.accounts[SCANNER] = replace(snapshot.accounts[SCANNER], limits={"messages_per_day": 0})
    world = await opened(open_world, snapshot, agency_factor=1)
    wire, scanner = await world.inside(), await world.connect("trusted")
    assert [(await send(wire, BINH))[0] for _ in range(6)] == [OK] * 5 + [LATER]
    await scanner.ehlo()
    assert [(await send(scanner, BINH, sender=SCANNER))[0] for _ in range(20)] == [OK] * 20


async def test_sessions_at_once_are_no_way_round_and_a_restart_forgets_nothing(
    open_world: OpenWorld,
) -> None:
    world = await opened(open_world, messages_per_day=5)
    wires = [await world.inside() for _ in range(8)]
    said = await asyncio.gather(*(send(wire, BINH) for wire in wires))
    assert [one for (one,) in said].count(OK) == 5
    world.node.guard.close()
    node = world.node
    node.guard = Guard.open(world.data_dir / "guard.sqlite")
    node.ahead = Ahead(node.guard, node.executor, node.clock.now_ms)
    assert await send(wires[0], BINH) == [LATER]


async def test_those_who_run_the_service_are_told_once_a_day(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=1, burst_factor=9)
    wire = await world.inside(BINH)
    await send(wire, AN, sender=BINH)
    for _ in range(3):
        assert await send(wire, "la@example.org", sender=BINH) == [LATER]
    await eventually(lambda: not world.node.tasks, "the alarm")
    assert world.count("sending_limit_alarms") == 1
    assert world.count("refused_sending_limit") == 3
    alarm = next(m for m in await world.kept() if m.reverse_path.startswith("postmaster@"))
    assert [r.address for r in alarm.recipients] == [OPERATOR, AN]
    mail = message_from_bytes(await world.bytes_of(alarm), policy=policy.default)
    text = mail.get_body().get_content()  # type: ignore[union-attr]  # there is one
    assert f"mailgov account disable {BINH}" in text
    assert "limit: messages_per_day = 1 (account)" in text
    refused = [event for event in await world.events() if event.verdict == "rejected"]
    (record,) = refused
    assert (record.account, record.reverse_path, record.source) == (BINH, BINH, "submission")
    (recipient,) = record.recipients
    assert (recipient.address, recipient.direction, recipient.state) == (
        "la@example.org", "outbound", "rejected",
    )  # fmt: skip
    assert (recipient.last_reply or "").startswith("452 4.7.1 ")


async def test_mail_from_outside_is_not_counted(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=1, recipients_per_day=1)
    wire = await world.outside()
    for _ in range(3):
        assert await send(wire, AN, sender="la@example.org") == [OK]


async def test_a_guard_at_fault_stops_no_mail(open_world: OpenWorld) -> None:
    world = await opened(open_world, messages_per_day=1)
    wire = await world.inside()
    await send(wire, BINH)
    world.node.guard.close()
    assert await send(wire, BINH) == [OK]
