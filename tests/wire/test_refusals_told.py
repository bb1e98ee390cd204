"""Why was it refused? What the door refuses leaves a line in the log that answers."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.support.messages import plain
from tests.support.relay_node import AN, BINH, DOMAIN, PASSWORD
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
KNOWN = {
    "listener": "mx",
    "client": "127.0.0.1",
    "helo": "client.example",
    "reverse_path": STRANGER,
}


async def test_a_refusal_says_who_came_from_where_with_what(world: World) -> None:
    wire = await world.connect("mx")
    await wire.say("EHLO client.example")
    with capture_logs() as logs:
        await wire.say(f"MAIL FROM:<{STRANGER}>")
        await wire.say(f"RCPT TO:<nobody@{DOMAIN}>")
        await wire.say("RCPT TO:<x@example.net>")
        await wire.say("RCPT TO:<a b\u202e@@>")
        await wire.say(f"RCPT TO:<{AN}>")
        await wire.say("DATA")
        await wire.send(b"Subject: x\r\n\r\nbare\n.\r\n.\r\n")
        assert (await wire.reply()).code == 554
    told = [line for line in logs if line["event"] == "refused"]
    assert [(line["reason"], line.get("recipient")) for line in told] == [
        ("unknown_recipient", f"nobody@{DOMAIN}"),
        ("relaying", "x@example.net"),
        ("envelope", None),
        ("bare_line_end", AN),
    ]
    assert all(KNOWN.items() <= line.items() for line in told), told
    assert told[2]["said"].startswith("RCPT TO:<a b")
    assert told[2]["said"].isprintable()
    assert told[2]["reply"].startswith("5")


async def test_a_refusal_by_rule_tells_what_was_found(world: World) -> None:
    wire = await world.outside()
    forged = plain(AN, BINH)  # our own name from outside
    with capture_logs() as logs:
        assert (await wire.mail(STRANGER, BINH, message=forged)).code == 550
    (told,) = (line for line in logs if line["event"] == "refused")
    assert (told["rule"], told["recipient"]) == ("own-author-from-outside", BINH)
    assert told["spf"]
    assert told["dmarc"]


async def test_of_a_state_secret_and_of_a_password_no_line_is_left(world: World) -> None:
    wire = await world.outside()
    with capture_logs() as logs:
        secret = plain(STRANGER, AN).replace(b"Subject: ", "Subject: MẬT ".encode())
        assert (await wire.mail(STRANGER, AN, message=secret)).code == 550
        inside = await world.connect("submissions")
        await inside.ehlo()
        await inside.sign_in(AN, PASSWORD + "x")
        await inside.say("AUTH PLAIN !!!")
    said = repr(logs)
    assert STRANGER not in said
    assert PASSWORD not in said
    assert "!!!" not in said
    assert "sign-in refused" in said


async def test_a_sign_in_that_is_put_off_says_whose(open_world: OpenWorld) -> None:
    """An administrator hears that Outlook says "temporary failure"; the name tells him why."""
    world = await open_world(sign_in={"pair_limit": 1, "network_limit": 100, "account_limit": 50})
    name = "ai.do@caobang.gov.vn"
    for reply in ("535 5.7.8", "454 4.7.0"):
        wire = await world.connect("submissions")
        await wire.ehlo()
        with capture_logs() as logs:
            assert (await wire.sign_in(name, PASSWORD + "x")).short == reply
    (told,) = (line for line in logs if line["event"] == "refused")
    assert (told["reason"], told["name"]) == ("sign_in_put_off", name)
