"""What a sender asks of the way on (RFC 8689): REQUIRETLS at MAIL, or the field TLS-Required."""

from __future__ import annotations

import pytest

from mailgov.mail.reply import Reply
from mailgov.relay.outcome import Outcome, settle
from mailgov.relay.tls_out.wish import wish_of
from tests.support.messages import plain
from tests.support.relay_node import AN
from tests.wire.conftest import World

STRANGER = "khach@example.org"
MESSAGE = plain(AN, STRANGER)


async def test_it_is_kept_with_the_message(world: World) -> None:
    wire = await world.inside()
    assert (await wire.mail(AN, STRANGER, message=MESSAGE, parameters=" REQUIRETLS")).code == 250
    assert wish_of(world.offered[0]) == "required"


async def test_outside_tls_it_is_refused(world: World) -> None:
    wire = await world.outside()
    assert (await wire.say(f"MAIL FROM:<{STRANGER}> REQUIRETLS")).short == "530 5.7.10"
    await wire.starttls(world.client_tls)
    assert "REQUIRETLS" in await wire.ehlo()
    assert (await wire.say(f"MAIL FROM:<{STRANGER}> REQUIRETLS")).short == "250 2.1.0"


@pytest.mark.parametrize(
    ("fields", "parameters", "wish"),
    [
        (b"TLS-Required: No\r\n", "", "waived"),
        (b"tls-required:\tno \r\n", "", "waived"),
        (b"TLS-Required: No\r\n", " REQUIRETLS", "required"),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", "", None),
        (b"TLS-Required: Maybe\r\n", "", None),
        (b"", "", None),
    ],
)
async def test_the_field_says_that_tls_is_not_needed(
    world: World, fields: bytes, parameters: str, wish: str | None
) -> None:
    wire = await world.inside()
    said = await wire.mail(AN, STRANGER, message=fields + MESSAGE, parameters=parameters)
    assert said.code == 250
    assert wish_of(world.offered[0]) == wish


async def test_its_bounce_asks_for_it_too(world: World) -> None:
    """It returns the header: that is to be kept as the message was (RFC 8689 5)."""
    wire = await world.inside()
    await wire.mail(AN, STRANGER, message=MESSAGE, parameters=" REQUIRETLS")
    message = world.offered[0]
    reply = Reply(550, "5.7.30", "mx.example.org does not support REQUIRETLS, which is needed")
    await settle(world.node, world.node.spool, message, [Outcome(message.recipients[0], reply)])
    (bounce,) = await world.kept()
    assert wish_of(bounce) == "required"
    assert b"5.7.30" in await world.bytes_of(bounce)
