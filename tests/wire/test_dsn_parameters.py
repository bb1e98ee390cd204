"""RET, ENVID, NOTIFY, ORCPT (RFC 3461): taken, checked, kept in their case."""

from __future__ import annotations

from mailgov.store.spool.spool import LEASE_MS
from tests.support.messages import plain
from tests.support.relay_node import AN, BINH, DOMAIN
from tests.wire.conftest import World

STRANGER = "khach@example.org"
MESSAGE = plain(STRANGER, AN)
MAIL_PARAMETERS = [
    ("RET=FULL", {"ret": "FULL", "envid": None}),
    ("ret=hdrs", {"ret": "HDRS", "envid": None}),
    ("ENVID=QQ314159+2BaB", {"ret": None, "envid": "QQ314159+2BaB"}),
    ("RET=HDRS ENVID=" + "x" * 100, {"ret": "HDRS", "envid": "x" * 100}),
    ("SIZE=100 AUTH=<> RET=FULL BODY=8BITMIME ENVID=a", {"ret": "FULL", "envid": "a"}),
    ("AUTH=khach+3Dx@example.org", None),
    ("", None),
    ("RET", "501 5.5.4"),
    ("RET=", "501 5.5.4"),
    ("RET=BODY", "501 5.5.4"),
    ("RET=FULL RET=FULL", "501 5.5.4"),
    ("ENVID", "501 5.5.4"),
    ("ENVID=" + "x" * 101, "501 5.5.4"),
    ("ENVID=a=b", "501 5.5.4"),
    ("ENVID=a+2b", "501 5.5.4"),
    ("ENVID=a+", "501 5.5.4"),
    ("ENVID=a+0A", "501 5.5.4"),
    ("ENVID=á", "501 5.5.4"),
    ("AUTH", "501 5.5.4"),
    ("NOTIFY=NEVER", "555 5.5.4"),
    ("REQUIRETLS", "530 5.7.10"),
    ("REQUIRETLS=1", "555 5.5.4"),
    ("XYZZY=1", "555 5.5.4"),
]
RCPT_PARAMETERS = [
    ("NOTIFY=NEVER", {"notify": ["NEVER"], "orcpt": None}),
    ("notify=Success,delay", {"notify": ["SUCCESS", "DELAY"], "orcpt": None}),
    ("NOTIFY=SUCCESS,FAILURE,DELAY", {"notify": ["SUCCESS", "FAILURE", "DELAY"], "orcpt": None}),
    ("ORCPT=rfc822;Bob+2Bx@Example.ORG", {"notify": None, "orcpt": "rfc822;Bob+2Bx@Example.ORG"}),
    ("ORCPT=X-y;" + "z" * 496, {"notify": None, "orcpt": "X-y;" + "z" * 496}),
    ("", None),
    ("NOTIFY", "501 5.5.4"),
    ("NOTIFY=", "501 5.5.4"),
    ("NOTIFY=NEVER,SUCCESS", "501 5.5.4"),
    ("NOTIFY=SUCCESS,", "501 5.5.4"),
    ("NOTIFY=SUCCESS,SUCCESS", "501 5.5.4"),
    ("NOTIFY=ALWAYS", "501 5.5.4"),
    ("ORCPT=bob@example.org", "501 5.5.4"),
    ("ORCPT=rfc822;", "501 5.5.4"),
    ("ORCPT=;bob@example.org", "501 5.5.4"),
    ("ORCPT=rfc 822;x", "501 5.5.4"),
    ("ORCPT=rfc822;a=b", "501 5.5.4"),
    ("ORCPT=rfc822;a+zz", "501 5.5.4"),
    ("ORCPT=rfc822;a+0D+0A", "501 5.5.4"),
    ("ORCPT=rfc822;" + "z" * 494, "501 5.5.4"),
    ("ORCPT=utf-8;ánn@example.org", "501 5.5.4"),
    ("RET=FULL", "555 5.5.4"),
    ("XYZZY", "555 5.5.4"),
]


async def test_what_mail_says_is_kept_with_the_message(world: World) -> None:
    for parameters, expected in MAIL_PARAMETERS:
        wire = await world.outside()
        said = await wire.say(f"MAIL FROM:<{STRANGER}> {parameters}")
        if isinstance(expected, str):
            assert said.short == expected, parameters
        else:
            assert said.code == 250, parameters
            await wire.say(f"RCPT TO:<{AN}>")
            await wire.data(MESSAGE)
            assert world.offered[-1].context.get("dsn") == expected
        await wire.close()
    later_ms = world.node.clock.now_ms() + LEASE_MS + 60_000
    on_disk = {m.queue_id: m.context.get("dsn") for m in await world.node.spool.claim(later_ms, 100)}
    assert on_disk == {m.queue_id: m.context.get("dsn") for m in world.offered}


async def test_what_rcpt_says_is_kept_with_the_recipient(world: World) -> None:
    for parameters, expected in RCPT_PARAMETERS:
        wire = await world.outside()
        await wire.say(f"MAIL FROM:<{STRANGER}>")
        said = await wire.say(f"RCPT TO:<{AN}> {parameters}")
        if isinstance(expected, str):
            assert said.short == expected, parameters
        else:
            assert said.code == 250, parameters
            await wire.data(MESSAGE)
            assert world.offered[-1].recipients[0].context.get("dsn") == expected
        await wire.close()


async def test_each_recipient_has_its_own(world: World) -> None:
    wire = await world.outside()
    await wire.say(f"MAIL FROM:<{STRANGER}> SMTPUTF8")
    await wire.say(f"RCPT TO:<{BINH}> NOTIFY=FAILURE")
    await wire.say(f"RCPT TO:<ld@{DOMAIN}> NOTIFY=NEVER ORCPT=utf-8;lãnh-đạo@example.vn")
    assert (await wire.data(MESSAGE)).code == 250
    assert [(r.address, r.context["dsn"]["notify"]) for r in world.offered[0].recipients] == [
        (BINH, ["FAILURE"]),
        (AN, ["NEVER"]),
    ]
    assert world.offered[0].recipients[1].context["dsn"]["orcpt"] == "utf-8;lãnh-đạo@example.vn"
