"""Who an address stands for, and what is said of those who are nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgov.relay.node import DirectoryView
from tests.support.dns_server import DnsServer
from tests.support.messages import plain
from tests.support.relay_node import (
    AN,
    BINH,
    DOMAIN,
    PASSWORD,
    SUSPENDED,
    account,
    alias,
    directory,
    province,
)
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
MESSAGE = plain(STRANGER, AN)
UNKNOWN = f"nobody@{DOMAIN}"


@pytest.mark.parametrize(
    ("given", "final"),
    [
        ([f"vanthu@{DOMAIN}"], [AN]),
        ([f"VanThu@{DOMAIN}"], [AN]),
        ([f"ld@{DOMAIN}"], [AN, BINH]),
        ([f"ld@{DOMAIN}", AN, f"vanthu@{DOMAIN}", f"ld@{DOMAIN}"], [AN, BINH]),
        ([AN, AN], [AN]),
        ([f"annv+hop-dong@{DOMAIN}"], [AN]),
        ([f"annv+@{DOMAIN}", f"annv+a+b@{DOMAIN}"], [AN]),
        ([f"vanthu+x@{DOMAIN}"], [AN]),
        (["postmaster"], [BINH]),
        (["POSTMASTER"], [BINH]),
        ([f"Postmaster@{DOMAIN}"], [BINH]),
    ],
)
async def test_final_recipients_each_once(world: World, given: list[str], final: list[str]) -> None:
    wire = await world.outside()
    assert (await wire.mail(STRANGER, *given, message=MESSAGE)).code == 250
    assert [r.address for r in world.offered[0].recipients] == final


@pytest.mark.parametrize("given", [UNKNOWN, f"vong1@{DOMAIN}", f"+x@{DOMAIN}", f"nobody+annv@{DOMAIN}"])
async def test_nobody_is_said_for_good_by_a_fresh_directory_alone(world: World, given: str) -> None:
    wire = await world.outside()
    said = await wire.envelope(STRANGER, given)
    assert said[1].short == "550 5.1.1"
    assert world.count("refused_unknown_recipient") == 1
    node = world.node
    node.directory = DirectoryView(node.directory.snapshot, node.clock.monotonic)  # never confirmed
    assert (await wire.say(f"RCPT TO:<{given}>")).short == "451 4.1.1"
    assert (await wire.say(f"RCPT TO:<{AN}>")).code == 250, "whom it knows, it knows"


async def test_who_brings_mail_is_not_put_off_for_a_few_names(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"unknown_recipient_limit": 1})
    for _ in range(2):
        wire = await world.outside()
        assert (
            await wire.mail(STRANGER, AN, message=b"From: <khach@example.org>\r\nSubject: x\r\n\r\nx\r\n")
        ).code == 250
    wire = await world.outside()
    said = await wire.envelope(STRANGER, UNKNOWN, UNKNOWN, AN, UNKNOWN, AN)
    assert [one.code for one in said] == [250, 550, 550, 250, 550, 451]


async def test_who_tries_names_learns_no_more(open_world: OpenWorld) -> None:
    """Over all sessions of a client; others and our own people are told as before."""
    world = await open_world(smtp={"unknown_recipient_limit": 3})
    for _ in range(3):
        wire = await world.outside()
        assert (await wire.envelope(STRANGER, UNKNOWN))[1].short == "550 5.1.1"
    wire = await world.outside()
    said = await wire.envelope(
        STRANGER, UNKNOWN, AN, f"Postmaster@{DOMAIN}", f"abuse@{DOMAIN}", "x@example.org"
    )
    assert [s.short for s in said[1:3]] == ["451 4.7.1"] * 2, "whoever exists, and whoever does not"
    assert said[3].code == 250, "trouble with us is still heard"
    assert world.count("refused_harvest") == 3
    elsewhere = await world.outside(source="127.0.0.2")
    assert [s.code for s in await elsewhere.envelope(STRANGER, AN, UNKNOWN)] == [250, 250, 550]
    inside = await world.inside()
    assert [s.code for s in await inside.envelope(AN, UNKNOWN, BINH)] == [250, 550, 250]


async def test_a_node_that_never_saw_a_directory_refuses_nothing_for_good(world: World) -> None:
    world.node.directory = DirectoryView(None, world.node.clock.monotonic)
    wire = await world.outside()
    said = await wire.envelope(STRANGER, AN, "postmaster")
    assert [s.code // 100 for s in said[1:]] == [4, 4]


async def test_a_suspended_account_still_receives(world: World) -> None:
    wire = await world.outside()
    assert (await wire.mail(STRANGER, SUSPENDED, message=MESSAGE)).code == 250


async def test_a_domain_that_is_disabled_is_nobodys(open_world: OpenWorld) -> None:
    snapshot = directory(
        [account(AN), account("cu@cu.gov.vn")],
        [alias("ds", "annv", "cu@cu.gov.vn", kind="list"), alias("cu", "cu@cu.gov.vn")],
    )
    world = await open_world(snapshot=replace(snapshot, disabled_domains=frozenset({"cu.gov.vn"})))
    outside = await world.outside()
    said = await outside.envelope(STRANGER, "cu@cu.gov.vn", f"cu@{DOMAIN}", f"ds@{DOMAIN}")
    assert [s.short for s in said[1:]] == ["550 5.1.2", "550 5.1.1", "250 2.1.5"]
    assert (await outside.data(MESSAGE)).code == 250
    assert [r.address for r in world.offered[0].recipients] == [AN]
    inside = await world.inside()
    assert (await inside.envelope(AN, "cu@cu.gov.vn"))[1].short == "550 5.1.2"
    other = await world.connect("submissions")
    await other.ehlo()
    assert (await other.sign_in("cu@cu.gov.vn", PASSWORD)).short == "535 5.7.8"


async def test_a_list_with_members_who_are_nobody_reaches_the_others(open_world: OpenWorld) -> None:
    members = [account(AN), account(SUSPENDED, suspended=True)]
    world = await open_world(
        snapshot=directory(members, [alias("ds", "annv", "cuchk", "la-ai", kind="list")])
    )
    wire = await world.outside()
    assert (await wire.mail(STRANGER, f"ds@{DOMAIN}", message=MESSAGE)).code == 250
    assert [r.address for r in world.offered[0].recipients] == [AN, SUSPENDED]


def crowd(count: int) -> list[str]:
    return [f"cb{number:04}@{DOMAIN}" for number in range(count)]


async def test_recipients_over_the_limit_wait_for_another_transaction(open_world: OpenWorld) -> None:
    members = crowd(101)
    world = await open_world(snapshot=directory([account(a) for a in members]), smtp={"recipient_limit": 100})
    wire = await world.outside()
    said = await wire.envelope(STRANGER, *members)
    assert [s.code for s in said[1:101]] == [250] * 100
    assert said[101].short == "452 4.5.3"
    assert (await wire.data(MESSAGE)).code == 250
    assert len(world.offered[0].recipients) == 100


async def test_a_list_over_the_recipient_limit_goes_alone(open_world: OpenWorld) -> None:
    members = crowd(120)
    snapshot = directory([account(a) for a in [*members, AN]], [alias("toan-tinh", *members, kind="list")])
    world = await open_world(snapshot=snapshot, smtp={"recipient_limit": 100})
    wire = await world.outside()
    said = await wire.envelope(STRANGER, AN, f"toan-tinh@{DOMAIN}")
    assert [s.code for s in said[1:]] == [250, 452]
    await wire.say("RSET")
    said = await wire.envelope(STRANGER, f"toan-tinh@{DOMAIN}", AN)
    assert [s.code for s in said[1:]] == [250, 452]
    assert (await wire.data(MESSAGE)).code == 250
    assert len(world.offered[0].recipients) == 120


async def test_a_big_list_does_not_hold_up_the_others(open_world: OpenWorld) -> None:
    members = crowd(1000)
    snapshot = directory([account(a) for a in members], [alias("toan-tinh", *members, kind="list")])
    world = await open_world(snapshot=snapshot)
    wire = await world.outside()
    start = world.node.clock.monotonic()
    assert [s.code for s in await wire.envelope(STRANGER, f"toan-tinh@{DOMAIN}")] == [250, 250]
    assert world.node.clock.monotonic() - start < 1.0, "a list of a thousand, judged one by one"
    assert (await wire.data(MESSAGE)).code == 250
    assert len(world.offered[0].recipients) == 1000


async def test_a_list_of_members_whose_dns_is_silent_takes_as_long_as_one(
    open_world: OpenWorld, dns_server: DnsServer
) -> None:
    members = [f"x@cham{number}.example" for number in range(30)]
    for member in members:
        dns_server.silence(member.partition("@")[2])
    snapshot = directory([account(AN)], [alias("ds", *members, kind="list")])
    dns = {"nameservers": [dns_server.address], "timeout_s": 0.5}
    world = await open_world(snapshot=snapshot, dns=dns)
    wire = await world.inside()
    start = world.node.clock.monotonic()
    assert [s.code for s in await wire.envelope(AN, f"ds@{DOMAIN}")] == [250, 250]
    assert world.node.clock.monotonic() - start < 7.5, "half of one after the other"
    assert (await wire.data(plain(AN, f"ds@{DOMAIN}"))).code == 250
    assert [r.address for r in world.offered[0].recipients] == members


async def test_the_null_reverse_path_is_taken(world: World) -> None:
    wire = await world.outside()
    assert (await wire.mail("", AN, message=MESSAGE)).code == 250
    assert world.offered[0].reverse_path == ""


async def test_relaying_is_denied_to_strangers(world: World) -> None:
    wire = await world.outside()
    for recipient in ("x@example.org", "x@mail.caobang.gov.vn", f"x@{DOMAIN}.example.org"):
        assert (await wire.envelope(STRANGER, recipient))[1].short == "554 5.7.1"
        await wire.say("RSET")
    said = await wire.envelope(AN, "x@example.org")
    assert [one.short for one in said] == ["550 5.7.1", "503 5.5.1"], "our own name opens nothing"


async def test_one_of_a_list_who_may_not_be_written_to_does_not_stop_the_rest(open_world: OpenWorld) -> None:
    snapshot = directory(
        [account(AN), account(BINH)], [alias("ds", "binhtt", "ai.do@gmail.com", kind="list")]
    )
    world = await open_world(snapshot=snapshot)
    wire = await world.inside()
    assert (await wire.mail(AN, f"ds@{DOMAIN}", message=plain(AN, f"ds@{DOMAIN}"))).code == 250
    assert [r.address for r in world.offered[0].recipients] == [BINH]
    event, notice = await world.events()
    assert [(r.address, r.state) for r in event.recipients] == [
        (BINH, "queued"),
        ("ai.do@gmail.com", "rejected"),
    ]
    (decision,) = event.decisions
    assert (decision.rule, decision.position) == ("own-free-mail", 1)
    assert [(r.address, r.state) for r in notice.recipients] == [(AN, "queued")]
    (bounce,) = [m for m in await world.kept() if m.queue_id == notice.queue_id]
    assert b"rule own-free-mail" in b" ".join((await world.bytes_of(bounce)).split())


async def test_cold_mail_is_refused_in_words_that_fit_the_client(world: World) -> None:
    wire = await world.inside()
    said = await wire.envelope(AN, "ai.do@gmail.com", BINH)
    assert [s.short for s in said] == ["250 2.1.0", "550 5.7.1", "250 2.1.5"]
    assert said[1].text.isascii()
    assert "[rule cold-free-mail; " in said[1].text
    await wire.say("RSET")
    said = await wire.envelope(AN, "ai.do@gmail.com", parameters="SMTPUTF8")
    assert not said[1].text.isascii()


async def test_a_domain_that_the_dns_is_silent_about_is_not_refused(
    world: World, dns_server: DnsServer
) -> None:
    dns_server.servfail("congty.example")
    wire = await world.inside()
    assert (await wire.mail(AN, "x@congty.example", message=plain(AN, "x@congty.example"))).code == 250
    (event,) = await world.events()
    assert event.recipients[0].mx_provider == "unknown"


async def test_writing_as_somebody_else_is_refused_at_mail(world: World) -> None:
    wire = await world.inside()
    said = await wire.say(f"MAIL FROM:<{BINH}>")
    assert said.short == "550 5.7.1"
    assert "rule account-writes-as-itself;" in said.text
    for own in (AN, f"ubnd@{DOMAIN}", f"vanthu@{DOMAIN}", AN.upper(), ""):
        assert (await wire.say(f"MAIL FROM:<{own}>")).code == 250, own
        await wire.say("RSET")


@pytest.mark.parametrize("domain", ["ｇｍａｉｌ.com", "gmail。com", "ⓖmail.com", "g\u00admail.com"])
async def test_a_free_domain_is_refused_however_it_is_spelt(world: World, domain: str) -> None:
    wire = await world.inside()
    said = await wire.envelope(AN, f"ai@{domain}", parameters="SMTPUTF8")
    assert said[-1].short == "550 5.7.1"
    (event,) = await world.events()
    assert [(r.address, r.mx_provider) for r in event.recipients] == [("ai@gmail.com", "free")]


# SMTPUTF8 (RFC 6531)


async def test_internationalized_addresses_need_the_keyword(open_world: OpenWorld) -> None:
    local = f"nguyễn@{DOMAIN}"
    world = await open_world(snapshot=directory([account(local), account(AN)]))
    wire = await world.outside()
    assert (await wire.say("MAIL FROM:<khách@ví-dụ.vn>")).short == "550 5.6.7"
    assert [s.short for s in await wire.envelope(STRANGER, local)] == ["250 2.1.0", "553 5.6.7"]
    await wire.say("RSET")
    said = await wire.mail("khách@ví-dụ.vn", local, message=MESSAGE, parameters="SMTPUTF8")
    assert said.code == 250
    message = world.offered[0]
    assert (message.reverse_path, message.recipients[0].address, message.smtputf8) == (
        "khách@ví-dụ.vn",
        local,
        True,
    )


async def test_the_keyword_for_nothing_is_not_handed_on(world: World) -> None:
    wire = await world.outside()
    assert (await wire.mail(STRANGER, AN, message=MESSAGE, parameters="SMTPUTF8")).code == 250
    assert world.offered[0].smtputf8 is False


async def test_octets_that_are_no_utf8_in_a_path_are_refused(world: World) -> None:
    wire = await world.outside()
    assert (await wire.say(b"MAIL FROM:<kh\xe1ch@example.org> SMTPUTF8")).short == "553 5.1.7"
    await wire.say(f"MAIL FROM:<{STRANGER}> SMTPUTF8")
    assert (await wire.say(b"RCPT TO:<\xff\xfe@caobang.gov.vn>")).short == "553 5.1.3"
    assert world.count("internal_errors") == 0


async def test_a_directory_of_its_own_changes_what_is_known_at_once(world: World) -> None:
    wire = await world.outside()
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    assert (await wire.say(f"RCPT TO:<{UNKNOWN}>")).code == 550
    snapshot = province()
    snapshot.accounts[UNKNOWN] = account(UNKNOWN)
    world.node.directory.confirm(snapshot)
    assert (await wire.say(f"RCPT TO:<{UNKNOWN}>")).code == 250
