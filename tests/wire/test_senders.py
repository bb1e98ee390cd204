"""Who writes in: what a stranger's mail proves, what is written above it, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mailgov.mail.events import MessageEvent
from tests.support import messages
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN, BINH, DOMAIN, RSA_SELECTOR, alias, private_keys, province
from tests.unit.relay.senders.dkim_keys import ed25519_record, rsa_key, rsa_record, signed, signed_ed25519
from tests.wire.client import Said, eventually
from tests.wire.conftest import OpenWorld, World

KHACH = "khach@co.test"
FROM_KHACH = messages.plain(KHACH, BINH, subject=messages.encoded_word(messages.VIETNAMESE_SUBJECT))
PASSES = "v=spf1 ip4:127.0.0.1 -all"
FAILS = "v=spf1 -all"


@pytest.fixture(autouse=True)
def zones(dns_server: DnsServer) -> None:
    """co.test sends from here and signs; bank.test asks that forgeries are refused."""
    dns_server.txt("co.test", PASSES)
    dns_server.txt("_dmarc.co.test", "v=DMARC1; p=quarantine")
    dns_server.txt("s._domainkey.co.test", rsa_record(rsa_key()))
    dns_server.txt("e._domainkey.co.test", ed25519_record())
    dns_server.txt("_dmarc.bank.test", "v=DMARC1; p=reject")
    dns_server.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=quarantine")


async def outside(world: World, message: bytes, path: str = KHACH, parameters: str = "") -> Said:
    wire = await world.outside()
    return await wire.mail(path, BINH, message=message, parameters=parameters)


async def last_event(world: World) -> MessageEvent:
    return (await world.events())[-1]


async def results_of(world: World) -> str:
    """The Authentication-Results above the last message, unfolded; nothing stands before it."""
    head = (await world.leaving(world.offered[-1])).partition(b"\r\n\r\n")[0].decode()
    field = re.match(r"Authentication-Results: (.*?)\r\n(?![\t ])", head, re.DOTALL)
    assert field, head
    assert all(len(line) <= 998 for line in field[1].split("\r\n"))
    return " ".join(field[1].split())


async def test_what_a_sender_proves_stands_above_his_message_and_in_the_record(world: World) -> None:
    message = signed(signed_ed25519(FROM_KHACH, "co.test"), "co.test")
    assert (await outside(world, message)).code == 250
    told = await results_of(world)
    assert told.startswith(
        f"mail.{DOMAIN}; spf=pass smtp.mailfrom=co.test; dkim=pass header.d=co.test header.s=s"
    )
    assert "header.a=rsa-sha256 header.b=" in told
    assert "dkim=pass header.d=co.test header.s=e header.a=ed25519-sha256" in told
    assert told.endswith("dmarc=pass (p=quarantine) header.from=co.test; arc=none")
    event = await last_event(world)
    assert (event.spf, event.dkim, event.dmarc, event.arc) == ("pass", "pass", "pass", "none")
    assert world.count("sender_dmarc_pass") == world.count("sender_spf_pass") == 1
    assert (await world.leaving(world.offered[-1])).endswith(message), "the bytes stay as they came"


async def test_spf_is_begun_before_the_message_comes(world: World, dns_server: DnsServer) -> None:
    wire = await world.outside()
    await wire.envelope(KHACH, "nobody@" + DOMAIN)
    assert dns_server.asked("co.test", "TXT") == 0, "not for a recipient that is none"
    assert (await wire.say(f"RCPT TO:<{BINH}>")).code == 250
    await eventually(lambda: dns_server.asked("co.test", "TXT") == 1, "the question of SPF")
    assert (await wire.data(FROM_KHACH)).code == 250
    assert dns_server.asked("co.test", "TXT") == 1


async def test_a_null_reverse_path_is_checked_by_helo(world: World, dns_server: DnsServer) -> None:
    dns_server.txt("client.test", PASSES)
    assert (await outside(world, FROM_KHACH, path="")).code == 250
    assert "spf=pass smtp.helo=client.test;" in await results_of(world)


async def test_a_sender_in_vietnamese(world: World, dns_server: DnsServer) -> None:
    domain = "xn--thnh-ph-9ya0720b.test"
    dns_server.txt(domain, PASSES)
    dns_server.txt(f"_dmarc.{domain}", "v=DMARC1; p=reject")
    dns_server.txt(f"s._domainkey.{domain}", rsa_record(rsa_key()))
    author = "nguyễn.an@" + domain.encode().decode("idna")
    message = messages.crlf(f"From: Nguyễn Văn An <{author}>\nTo: <{BINH}>\nSubject: Giấy mời\n\nKính gửi")
    said = await outside(world, signed(message, domain), author, "SMTPUTF8 BODY=8BITMIME")
    assert said.code == 250, said
    told = await results_of(world)
    assert f"spf=pass smtp.mailfrom={domain}; dkim=pass header.d={domain}" in told
    assert f"dmarc=pass (p=reject) header.from={domain};" in told


async def test_our_own_name_from_outside_proves_itself_or_is_refused(
    world: World, dns_server: DnsServer
) -> None:
    ours = messages.plain(AN, BINH)
    for path in ("bounce@lists.test", ""):
        said = await outside(world, ours, path)
        assert said.short == "550 5.7.26"
        assert "rule own-author-from-outside;" in said.text
    assert await world.events() == []
    dns_server.txt(f"s._domainkey.{DOMAIN}", rsa_record(rsa_key()))
    assert (await outside(world, signed(ours, DOMAIN), "bounce@lists.test")).code == 250
    assert "dmarc=pass (p=quarantine)" in await results_of(world)
    assert (await last_event(world)).issuer == f"@{DOMAIN}"
    broken = signed(ours, DOMAIN).replace(b"Subject: ", b"Subject: [list] ")
    assert (await outside(world, broken, "bounce@lists.test")).short == "550 5.7.26"


@pytest.mark.parametrize("name", ["Subject", "Content-Type", "Date"])
async def test_a_second_field_on_top_of_the_signed_one_proves_nothing(
    world: World, dns_server: DnsServer, name: str
) -> None:
    bank = messages.plain("ceo@bank.test", BINH)
    dns_server.txt("s._domainkey.bank.test", rsa_record(rsa_key()))
    include = [b"From", b"Subject", b"Content-Type", b"Date"]
    whole = signed(bank, "bank.test", include_headers=include)
    assert (await outside(world, whole)).code == 250
    assert (await outside(world, f"{name}: text/html\r\n".encode() + whole)).short == "550 5.7.26"


GATEWAY = {"gateway_networks": ["127.0.0.0/8"]}
BY_GATEWAY = b"Received: from mx.co.test (mx.co.test [198.51.100.7])\r\n\tby gw.bo.example (Postfix); now\r\n"


async def test_behind_a_gateway_the_client_is_whom_its_received_field_names(
    open_world: OpenWorld, dns_server: DnsServer
) -> None:
    dns_server.txt("co.test", "v=spf1 ip4:198.51.100.7 -all")
    dns_server.a("1.0.0.127.bl.test", "127.0.0.2")
    world = await open_world(
        smtp={**GATEWAY, "greeting_delay_s": 60, "client_session_limit": 1},
        dnsbl={"zones": ["bl.test"], "exempt_networks": []},
        greylisting={"enabled": True},
    )
    for message, said in (
        (BY_GATEWAY + FROM_KHACH, "spf=pass smtp.mailfrom=co.test"),
        (BY_GATEWAY.replace(b"100.7", b"100.8") + FROM_KHACH, "spf=fail smtp.mailfrom=co.test"),
        (FROM_KHACH, "spf=none smtp.mailfrom=co.test"),
    ):
        assert (await outside(world, message)).code == 250
        assert said in await results_of(world)
    assert (await last_event(world)).client == "127.0.0.1"


async def test_a_gateway_in_our_own_spf_record_proves_nothing(
    open_world: OpenWorld, dns_server: DnsServer
) -> None:
    dns_server.txt(DOMAIN, "v=spf1 ip4:127.0.0.1 -all")
    dns_server.txt(f"s._domainkey.{DOMAIN}", rsa_record(rsa_key()))
    world = await open_world(smtp=GATEWAY)
    ours = messages.plain(AN, BINH)
    for forged in (ours, BY_GATEWAY + ours, b"Received: by gw.bo.example; now\r\n" + ours):
        assert (await outside(world, forged, "")).short == "550 5.7.26"
    assert (await outside(world, BY_GATEWAY + signed(ours, DOMAIN), "bounce@lists.test")).code == 250


async def test_while_the_dns_has_trouble_our_own_name_is_to_come_again(
    world: World, dns_server: DnsServer
) -> None:
    ours = signed(messages.plain(AN, BINH), DOMAIN)
    dns_server.servfail(f"_dmarc.{DOMAIN}")
    assert (await outside(world, messages.plain(AN, BINH), "bounce@lists.test")).short == "451 4.7.0"
    dns_server.forget(f"_dmarc.{DOMAIN}")
    dns_server.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=quarantine")
    dns_server.servfail(f"s._domainkey.{DOMAIN}")
    said = await outside(world, ours, "bounce@lists.test")
    assert said.short == "451 4.7.0"
    assert "rule own-author-not-known-now;" in said.text
    assert world.count("sender_dmarc_temperror") == 2


@pytest.mark.parametrize(
    "author",
    [
        f"From: <{AN}> (never ends",
        f"From: <a@co.test>\r\nFrom: <{AN}>",
        f'From: "Giám đốc" <{AN}>, <a@co.test>',
        f"From: {AN} <a@co.test>",
        f"From: <{AN.upper()}>",
        f"From : <{AN}>",
    ],
)
async def test_our_own_name_in_a_from_that_is_hard_to_read(world: World, author: str) -> None:
    said = await outside(world, f"{author}\r\nSubject: x\r\n\r\nx\r\n".encode())
    assert said.short == "550 5.7.26"


BANK = "ceo@bank.test"


@pytest.mark.parametrize("address", [AN, BANK])
@pytest.mark.parametrize(
    "form", ["<{0}@(x){1}>", "<{0}(x)@{1}>", "\r\n <{0}\r\n @{1}>", '< "{0}" @ {1} (x)>']
)
async def test_comments_and_folds_within_an_address_change_nothing(
    world: World, address: str, form: str
) -> None:
    local, _, domain = address.partition("@")
    author = form.format(local, domain)
    said = await outside(world, f"From: {author}\r\nSubject: x\r\n\r\nx\r\n".encode())
    assert said.short == "550 5.7.26"


@pytest.mark.parametrize("path", [KHACH, ""])
@pytest.mark.parametrize(
    "header",
    [
        b"Sender: <ceo@bank.test>",
        b"From:",
        b'From: "' + (b"x" * 900 + b"\r\n ") * 10 + b'" <ceo@bank.test>',
        b"From: <ceo\0@bank.test>",
        b"From: ceo@bank.test, a@b1.test, a@b2.test, a@b3.test",
        b"From: <ceo@bank.test.>",
        b"From: <ceo@bank.test\xff>",
        b"From: <ceo@bank .test x>",
        b"From: <ceo@bank.test",
        b'From: "x <ceo@bank.test>',
        b"From: (x <ceo@bank.test>",
        b"From: =?utf-8?q?ceo=40bank.test?=",
        b'From: "ceo@bank.test" :;',
        "From: <ceo＠bank.test>".encode(),
        b",\r\n ".join([b"From: a@co.test", *(b"u%d@co.test" % n for n in range(250)), b"ceo@bank.test"]),
    ],
    ids=range(15),
)
async def test_an_author_that_cannot_be_read_is_refused_and_told_why(
    world: World, header: bytes, path: str
) -> None:
    said = await outside(world, header + b"\r\nSubject: x\r\n\r\nx\r\n", path)
    assert said.short == "550 5.6.0", said
    assert "rule author-cannot-be-read;" in said.text
    assert await world.events() == []


@pytest.mark.parametrize("path", [KHACH, ""])
@pytest.mark.parametrize(
    ("records", "result"),
    [
        (["v=DMARC1; p=junk"], "none"),
        (["v=DMARC1"], "fail"),  # as if it asked for nothing (RFC 9989 4.7)
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], "none"),
        (["p=reject; v=DMARC1"], "none"),
        (["v=DMARC1; p=reject; sp=\xff"], "none"),
    ],
)
async def test_a_broken_record_of_a_domain_refuses_nobody(
    world: World, dns_server: DnsServer, records: list[str], result: str, path: str
) -> None:
    dns_server.txt("_dmarc.so.test", *records)
    assert (await outside(world, messages.plain("an@so.test", BINH), path)).code == 250
    assert (await last_event(world)).dmarc == result


@pytest.mark.parametrize(
    ("asked", "code", "result"),
    [("reject", "550 5.7.26", None), ("quarantine", "250 2.0.0", "fail"), ("none", "250 2.0.0", "fail")],
)
async def test_what_the_authors_domain_asks_for(
    world: World, dns_server: DnsServer, asked: str, code: str, result: str | None
) -> None:
    dns_server.txt("_dmarc.bank.test", f"v=DMARC1; p={asked}")
    said = await outside(world, messages.plain("thongbao@bank.test", BINH))
    assert said.short == code
    if result is not None:
        assert (await last_event(world)).dmarc == result
        assert f"dmarc=fail (p={asked}) header.from=bank.test" in await results_of(world)


async def test_dns_trouble_never_refuses_a_stranger(world: World, dns_server: DnsServer) -> None:
    for name in ("co.test", "s._domainkey.bank.test", "_dmarc.bank.test"):
        dns_server.servfail(name)
    message = signed(messages.plain("thongbao@bank.test", BINH), "bank.test")
    assert (await outside(world, message)).code == 250
    event = await last_event(world)
    assert (event.spf, event.dkim, event.dmarc) == ("temperror", "temperror", "temperror")


async def test_results_in_our_name_that_a_stranger_wrote_are_gone(world: World) -> None:
    forged = f"Authentication-Results: mail.{DOMAIN}; dmarc=pass\r\n".encode()
    other = b"Authentication-Results: mx.other.test; dmarc=pass\r\n"
    assert (await outside(world, forged + other + FROM_KHACH)).code == 250
    leaving = await world.leaving(world.offered[-1])
    assert leaving.count(f"Authentication-Results: mail.{DOMAIN}".encode()) == 1
    assert forged not in leaving
    assert other in leaving


async def test_results_in_our_name_behind_a_long_comment_are_gone(world: World) -> None:
    forged = f"Authentication-Results: ({'x' * 900}\r\n {'x' * 200}) mail.{DOMAIN}; dmarc=pass FORGED\r\n"
    assert (await outside(world, forged.encode() + FROM_KHACH)).code == 250
    assert b"FORGED" not in await world.leaving(world.offered[-1])


@pytest.mark.parametrize(
    ("field", "path"),
    [
        (b'DKIM-Signature: v=1; a=rsa-sha256; d=x"y; s=s; h=from; bh=AA==; b=AA==', KHACH),
        (b"DKIM-Signature: v=1; a=rsa-sha256; d=co.test; s=a(b;c); h=from; bh=AA==; b=AA==", KHACH),
        (b'DKIM-Signature: v=1; a=rsa-sha256; d=co.test; s=none; h=from; bh=AA==; b="\\(;AA', KHACH),
        (b"ARC-Seal: i=1; cv=none; dmarc=pass", KHACH),
        (b"X: y", '"a;dmarc=pass"@co.test'),
        (b"X: y", "a{dkim=pass}b@co.test"),
        (b"X: y", "x@[127.0.0.1]"),
    ],
)
async def test_hostile_values_are_inert(world: World, field: bytes, path: str) -> None:
    assert (await outside(world, field + b"\r\n" + FROM_KHACH, path)).code == 250
    told = await results_of(world)
    assert told.isascii()
    assert told.count("dmarc=") == 1
    assert "dkim=pass" not in told
    assert told.count('"') % 2 == 0


async def test_a_large_message_is_checked_as_it_lies_on_disk(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"memory_body_bytes": 65_536})
    large = FROM_KHACH + b"Kinh  gui \t\r\n\r\n" * 40_000 + b"\r\n" * 3
    message = signed(large, "co.test", canonicalize=(b"relaxed", b"relaxed"))
    assert (await outside(world, message)).code == 250
    assert (await last_event(world)).dkim == "pass"
    assert (await outside(world, message + b"x\r\n")).code == 250
    assert (await last_event(world)).dkim == "fail"


async def test_who_has_signed_in_is_not_checked(world: World, dns_server: DnsServer) -> None:
    asked = sum(dns_server.questions.values())
    wire = await world.inside()
    assert (await wire.mail(AN, BINH, message=signed(messages.plain(AN, BINH), DOMAIN))).code == 250
    event = await last_event(world)
    assert (event.spf, event.dkim, event.dmarc, event.arc) == (None, None, None, None)
    assert b"Authentication-Results" not in await world.leaving(world.offered[-1])
    assert sum(dns_server.questions.values()) == asked, "nothing was asked"


async def test_what_an_address_of_ours_leads_outside_is_sealed(
    open_world: OpenWorld, dns_server: DnsServer
) -> None:
    base = province()
    forward = alias("rangoai", "ban@ngoai.test", "binhtt", kind="forward")
    world = await open_world(snapshot=replace(base, aliases={**base.aliases, forward.address: forward}))
    dns_server.mx("ngoai.test", "mx.ngoai.test")
    key = private_keys()[RSA_SELECTOR]
    assert isinstance(key, rsa.RSAPrivateKey)
    dns_server.txt(f"{RSA_SELECTOR}._domainkey.{DOMAIN}", rsa_record(key))
    wire = await world.outside()
    message = signed(FROM_KHACH, "co.test")
    assert (await wire.mail(KHACH, f"rangoai@{DOMAIN}", message=message)).code == 250
    queued = world.offered[-1]
    variants = {r.address: queued.variants[r.variant] for r in queued.recipients}
    inside, out = (variants[address].head(message) for address in (BINH, "ban@ngoai.test"))
    assert b"ARC-Seal" not in inside
    assert out.endswith(inside)
    assert b"ARC-Authentication-Results: i=1; mail.caobang.gov.vn;\r\n\tspf=pass" in out
    assert (await outside(world, out, "bounce@ngoai.test")).code == 250
    assert (await last_event(world)).arc == "pass"
    assert f"arc=pass header.d={DOMAIN}" in await results_of(world)
    changed = out.replace(b"\r\nSubject: ", b"\r\nSubject: [x] ")
    assert (await outside(world, changed, "bounce@ngoai.test")).code == 250
    assert (await last_event(world)).arc == "fail"


async def test_mail_that_stays_inside_is_not_sealed(world: World) -> None:
    assert (await outside(world, FROM_KHACH)).code == 250
    assert len(world.offered[-1].variants) == 1
