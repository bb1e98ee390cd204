"""MAIL, RCPT, DATA in order and in one write; parameters; what may stand in a path."""

from __future__ import annotations

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN, BINH, SCANNER
from tests.wire.client import stuffed
from tests.wire.conftest import World

STRANGER = "khach@example.org"
MESSAGE = plain(STRANGER, AN)


async def test_a_message_from_outside_is_kept_as_it_came_and_offered(world: World) -> None:
    wire = await world.outside()
    said = await wire.mail(STRANGER, AN, message=MESSAGE)
    assert said.short == "250 2.0.0"
    (offered,) = world.offered
    assert said.text.endswith(offered.queue_id)
    assert offered.reverse_path == STRANGER
    assert [r.address for r in offered.recipients] == [AN]
    assert await world.bytes_of(offered) == MESSAGE
    assert (await world.leaving(offered)).endswith(MESSAGE)
    (event,) = await world.events()
    assert (event.verdict, event.queue_id, event.size_bytes) == ("accepted", offered.queue_id, len(MESSAGE))
    assert world.reserved == 0


@pytest.mark.parametrize("kind", ["submission", "submissions"])
async def test_a_submitted_message_is_signed(world: World, kind: str) -> None:
    wire = await world.inside(kind=kind)
    assert (await wire.mail(AN, BINH, message=plain(AN, BINH))).code == 250
    leaving = await world.leaving(world.offered[0])
    assert leaving.startswith(b"DKIM-Signature: ")
    assert leaving.count(b"DKIM-Signature: ") == 2
    assert b" with ESMTPSA id " in leaving
    assert b"TLSv1.3" in leaving


async def test_the_trusted_listener_sends_as_its_account(world: World) -> None:
    wire = await world.connect("trusted")
    await wire.ehlo()
    assert (await wire.mail(SCANNER, BINH, message=plain(SCANNER, BINH))).code == 250
    (event,) = await world.events()
    assert (event.account, event.source) == (SCANNER, "trusted")


async def test_all_in_one_write(world: World) -> None:
    wire = await world.connect("mx")
    await wire.send(
        b"EHLO client.test\r\n"
        + b"MAIL FROM:<khach@example.org>\r\nRCPT TO:<annv@caobang.gov.vn>\r\nDATA\r\n"
        + stuffed(MESSAGE)
        + b"MAIL FROM:<>\r\nRCPT TO:<binhtt@caobang.gov.vn>\r\nDATA\r\n"
        + stuffed(MESSAGE)
        + b"QUIT\r\n"
    )
    assert (await wire.reply(plain=True)).code == 250
    codes = [(await wire.reply()).code for _ in range(9)]
    assert codes == [250, 250, 354, 250, 250, 250, 354, 250, 221]
    assert await wire.closed()
    assert [(m.reverse_path, m.recipients[0].address) for m in world.offered] == [(STRANGER, AN), ("", BINH)]
    for message in world.offered:
        assert await world.bytes_of(message) == MESSAGE


async def test_a_pipelined_group_with_refused_recipients(world: World) -> None:
    wire = await world.outside()
    said = await wire.pipeline(
        f"MAIL FROM:<{STRANGER}>",
        "RCPT TO:<nobody@caobang.gov.vn>",
        f"RCPT TO:<{AN}>",
        "RCPT TO:<x@elsewhere.example>",
        "DATA",
    )
    assert [s.short for s in said] == ["250 2.1.0", "550 5.1.1", "250 2.1.5", "554 5.7.1", "354"]
    await wire.send(stuffed(MESSAGE))
    assert (await wire.reply()).code == 250


async def test_data_without_an_accepted_recipient(world: World) -> None:
    wire = await world.outside()
    said = await wire.pipeline(f"MAIL FROM:<{STRANGER}>", "RCPT TO:<nobody@caobang.gov.vn>", "DATA")
    assert [s.code for s in said] == [250, 550, 503]
    assert (await wire.say("RCPT TO:<annv@caobang.gov.vn>")).code == 250, "the transaction is still open"


@pytest.mark.parametrize("word", ["RSET", "EHLO client.test", "HELO client.test"])
async def test_what_ends_a_transaction(world: World, word: str) -> None:
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    assert (await wire.say(word)).code == 250
    assert (await wire.say(f"RCPT TO:<{AN}>")).short == "503 5.5.1"
    assert (await wire.say("DATA")).short == "503 5.5.1"
    assert (await wire.say(f"MAIL FROM:<{STRANGER}>")).code == 250


@pytest.mark.parametrize("word", ["NOOP", "VRFY annv", "HELP", "EXPN ld", "XYZZY"])
async def test_what_leaves_a_transaction_alone(world: World, word: str) -> None:
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.say(word)
    assert (await wire.data(MESSAGE)).code == 250


async def test_mail_twice(world: World) -> None:
    wire = await world.outside()
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    assert (await wire.say("MAIL FROM:<other@example.org>")).short == "503 5.5.1"
    await wire.say(f"RCPT TO:<{AN}>")
    await wire.data(MESSAGE)
    assert world.offered[0].reverse_path == STRANGER


async def test_a_message_ends_the_transaction(world: World) -> None:
    wire = await world.outside()
    await wire.mail(STRANGER, AN, message=MESSAGE)
    assert (await wire.say(f"RCPT TO:<{AN}>")).short == "503 5.5.1"
    assert (await wire.say("DATA")).short == "503 5.5.1"


@pytest.mark.parametrize(
    ("argument", "short"),
    [
        ("FROM:<> SIZE=1000", "250 2.1.0"),
        ("FROM:<khach@example.org> BODY=8BITMIME SMTPUTF8 SIZE=0", "250 2.1.0"),
        ("FROM:<khach@example.org> body=7bit", "250 2.1.0"),
        ("FROM:<khach@example.org> AUTH=<>", "250 2.1.0"),
        ("FROM: <khach@example.org>", "250 2.1.0"),
        ("from:<@a.example,@b.example:khach@example.org>", "250 2.1.0"),
        ("FROM:<khach@example.org> SIZE=52428800", "250 2.1.0"),
        ("FROM:<khach@example.org> SIZE=52428801", "552 5.3.4"),
        ("FROM:<khach@example.org> SIZE=99999999999999999999", "552 5.3.4"),
        ("FROM:<khach@example.org> SIZE=999999999999999999999", "501 5.5.4"),
        ("FROM:<khach@example.org> SIZE=-1", "501 5.5.4"),
        ("FROM:<khach@example.org> SIZE=²", "501 5.5.4"),
        ("FROM:<khach@example.org> SIZE=٣", "501 5.5.4"),
        ("FROM:<khach@example.org> BODY=BINARYMIME", "555 5.5.4"),
        ("FROM:<khach@example.org> RET=HDRS", "250 2.1.0"),
        ("FROM:<khach@example.org> SMTPUTF8=yes", "555 5.5.4"),
        ("FROM:<khach@example.org> SIZE=1 SIZE=2", "501 5.5.4"),
        ("FROM:<khach@example.org>SIZE=1", "501 5.5.4"),
        ("FROM:khach@example.org", "501 5.5.4"),
        ("FROM:<khach@example.org", "501 5.5.4"),
        ("FROM:<khach>", "553 5.1.7"),
        ("FROM:<a b@example.org>", "553 5.1.7"),
        ("FROM:<khách@example.org>", "550 5.6.7"),
        ("FROM:<khách@example.org> SMTPUTF8", "250 2.1.0"),
        ("TO:<khach@example.org>", "501 5.5.4"),
        ("", "501 5.5.4"),
    ],
)
async def test_mail(world: World, argument: str, short: str) -> None:
    wire = await world.outside()
    assert (await wire.say(f"MAIL {argument}")).short == short
    assert (await wire.say(f"RCPT TO:<{AN}>")).code == (250 if short.startswith("250") else 503)
    assert world.count("internal_errors") == 0


@pytest.mark.parametrize(
    ("argument", "short"),
    [
        ("TO:<annv@caobang.gov.vn>", "250 2.1.5"),
        ("TO: <ANNV@CaoBang.gov.vn>", "250 2.1.5"),
        ('TO:<"annv"@caobang.gov.vn>', "250 2.1.5"),
        ("TO:<annv@caobang.gov.vn> NOTIFY=NEVER", "250 2.1.5"),
        ("TO:<>", "553 5.1.3"),
        ("TO:<annv>", "553 5.1.3"),
        ("TO:annv@caobang.gov.vn", "501 5.5.4"),
        ("FROM:<annv@caobang.gov.vn>", "501 5.5.4"),
        ("TO:<x@[127.0.0.1]>", "554 5.7.1"),
        ("TO:<annv%example.org@caobang.gov.vn>", "550 5.1.1"),
        ("TO:<@caobang.gov.vn:x@example.org>", "554 5.7.1"),
        ("TO:<annv@caobang.gov.vn.>", "553 5.1.3"),
        ("TO:<ánnv@caobang.gov.vn>", "553 5.6.7"),
        (f"TO:<{'a' * 65}@caobang.gov.vn>", "553 5.1.3"),
        (f"TO:<{'a' * 300}@caobang.gov.vn>", "501 5.5.4"),
        ("", "501 5.5.4"),
    ],
)
async def test_rcpt(world: World, argument: str, short: str) -> None:
    wire = await world.outside()
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    assert (await wire.say(f"RCPT {argument}")).short == short
    assert (await wire.say(f"RCPT TO:<{BINH}>")).code == 250, "the transaction goes on"
    assert world.count("internal_errors") == 0


async def test_size_is_held_against_what_comes_not_against_what_was_said(world: World) -> None:
    wire = await world.outside()
    assert (await wire.mail(STRANGER, AN, message=MESSAGE, parameters="SIZE=1")).code == 250
