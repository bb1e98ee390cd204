"""Bounces as the world's mail servers write them reach who wrote: a lost one is a silent loss."""

from __future__ import annotations

import pytest

from tests.support.relay_node import AN, DOMAIN
from tests.wire.conftest import World

NAMELESS = [
    b"MAILER-DAEMON (Mail Delivery System)",  # Postfix without append_at_myorigin
    b"Mail Delivery Subsystem <MAILER-DAEMON>",  # sendmail from a host without a name
    b"<>",
    b"Mail Delivery Service <>",
    b'"Courier mail server at mx.co.test" <@>',
    b"Postmaster",
    b"=?UTF-8?B?SOG7hyB0aOG7kW5nIHRoxrA=?= <MAILER-DAEMON>",
]
NAMED = [
    b"MAILER-DAEMON@mx.co.test (Mail Delivery System)",  # Postfix, header_from_format = obsolete
    b"Mail Delivery System <MAILER-DAEMON@mx.co.test>",  # Postfix
    b"Mail Delivery System <Mailer-Daemon@mx.co.test>",  # Exim
    b"MAILER-DAEMON@mx.co.test",  # qmail
    b"Mail Delivery Subsystem <MAILER-DAEMON@mx.co.test>",  # sendmail
    b'"Microsoft Outlook" <MicrosoftExchange0123456789abcdef@co.test>',  # Exchange
    b"<postmaster@co.test>",
    b"Mail Delivery Subsystem <mailer-daemon@googlemail.test>",  # Gmail
    b"MDaemon at mx.co.test <MDaemon@mx.co.test>",
    b"postmaster@[192.0.2.7]",
]
HIDING = [
    f"{AN} <>".encode(),
    f'"{AN}" <MAILER-DAEMON>'.encode(),
    f"MAILER-DAEMON ({AN})".encode(),
    b"=?UTF-8?Q?annv=40caobang.gov.vn?= <>",
    "annv＠caobang.gov.vn <>".encode(),
    b"annv",
    b"<annv>",
    b"MAILER-DAEMON, annv",
    b"undisclosed:;",
    b"",
    b"(Mail Delivery System)",
]


def report(author: bytes) -> bytes:
    """A delivery status notification (RFC 3464) under this From."""
    return (
        b"From: "
        + author
        + b"\r\nTo: <annv@caobang.gov.vn>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        b"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n\r\n'
        b"--r\r\n\r\nThe address is unknown.\r\n"
        b"--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.co.test\r\n\r\n"
        b"Final-Recipient: rfc822; ai@co.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"--r--\r\n"
    )


@pytest.mark.parametrize("author", NAMED + NAMELESS)
async def test_a_bounce_is_taken(world: World, author: bytes) -> None:
    wire = await world.outside()
    assert (await wire.mail("", AN, message=report(author))).short == "250 2.0.0"
    (event,) = await world.events()
    assert (event.verdict, event.dmarc) == ("accepted", "none")
    assert [one.address for one in world.offered[0].recipients] == [AN]


@pytest.mark.parametrize("author", HIDING)
async def test_what_may_be_read_as_somebodys_address_is_not_taken_for_a_servers_name(
    world: World, author: bytes
) -> None:
    wire = await world.outside()
    said = await wire.mail("", AN, message=report(author))
    assert said.short in {"550 5.6.0", "550 5.7.26"}, author


async def test_who_names_no_address_has_to_send_as_nobody(world: World) -> None:
    wire = await world.outside()
    for author in NAMELESS:
        assert (await wire.mail("khach@co.test", AN, message=report(author))).short == "550 5.6.0"
    twice = report(NAMELESS[0]).replace(b"To: ", b"From: <x@%s>\r\nTo: " % DOMAIN.encode(), 1)
    assert (await wire.mail("", AN, message=twice)).code == 550


async def test_nobody_stands_in_sender_where_from_names_nobody(world: World) -> None:
    """Outlook shows Sender there, and nothing checks it."""
    wire = await world.outside()
    for author in NAMELESS:
        forged = report(author).replace(b"To: ", b"Sender: <%s>\r\nTo: " % AN.encode(), 1)
        assert (await wire.mail("", AN, message=forged)).short == "550 5.6.0"
