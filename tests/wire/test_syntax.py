"""What RFC 5321 allows in a command, and the code for what it does not."""

from __future__ import annotations

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
LABEL = "d" * 63
MAIL = [
    # (what MAIL says, the reply, the section of RFC 5321 unless another is named)
    ("FROM:<>", "250 2.1.0", "4.5.5"),
    ("FROM:<a@example.org>", "250 2.1.0", "4.1.1.2"),
    (f"FROM:<{'a' * 64}@example.org>", "250 2.1.0", "4.5.3.1.1"),
    (f"FROM:<{'a' * 65}@example.org>", "553 5.1.7", "4.5.3.1.1"),
    (f"FROM:<a@{'.'.join([LABEL] * 3)}.{'d' * 61}>", "501 5.5.4", "4.5.3.1.3: 256 octets with brackets"),
    (f"FROM:<a@{'.'.join([LABEL] * 3)}.{'d' * 60}>", "250 2.1.0", "4.5.3.1.3"),
    (f"FROM:<a@{'.'.join(['d' * 50] * 6)}>", "501 5.5.4", "4.5.3.1.2"),
    (f"FROM:<a@{LABEL}d.example>", "553 5.1.7", "RFC 1035 2.3.4"),
    ("FROM:<a@example.org", "501 5.5.4", "4.1.2: unclosed"),
    ("FROM:<a@example.org>>", "501 5.5.4", "4.1.2"),
    ("FROM:<<a@example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:a@example.org", "501 5.5.4", "4.1.2"),
    ("FROM:<@a.example,@b.example:a@example.org>", "250 2.1.0", "appendix C"),
    ("FROM:<@a.example:>", "501 5.5.4", "appendix C"),
    ("FROM:<@:a@example.org>", "501 5.5.4", "appendix C"),
    ("FROM:<@a.example,b.example:a@example.org>", "501 5.5.4", "appendix C"),
    ("FROM:<@a.example,:a@example.org>", "501 5.5.4", "appendix C"),
    ('FROM:<"a b"@example.org>', "250 2.1.0", "4.1.2"),
    ('FROM:<"a@b"@example.org>', "250 2.1.0", "4.1.2"),
    ('FROM:<"a>b"@example.org>', "250 2.1.0", "4.1.2"),
    ('FROM:<"a\\"b"@example.org>', "250 2.1.0", "4.1.2"),
    ('FROM:<""@example.org>', "250 2.1.0", "4.1.2"),
    ('FROM:<"a@example.org>', "501 5.5.4", "4.1.2: the quote hides the bracket"),
    ('FROM:<"a"b@example.org>', "553 5.1.7", "4.1.2"),
    ("FROM:<a b@example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<a..b@example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<.a@example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<a.@example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<a(x)@example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<@example.org>", "501 5.5.4", "4.1.2"),
    ("FROM:<a@>", "553 5.1.7", "4.1.2"),
    ("FROM:<a>", "553 5.1.7", "4.1.2"),
    ("FROM:<a@example.org.>", "553 5.1.7", "4.1.2: no dot at the end"),
    ("FROM:<a@.example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<a@example..org>", "553 5.1.7", "4.1.2"),
    ("FROM:<a@-example.org>", "553 5.1.7", "4.1.2"),
    ("FROM:<a@exam_ple.org>", "250 2.1.0", "hosts have it"),
    ("FROM:<a@[192.0.2.1]>", "250 2.1.0", "4.1.3"),
    ("FROM:<a@[IPv6:2001:db8::1]>", "250 2.1.0", "4.1.3"),
    ("FROM:<a@[ipv6:::ffff:192.0.2.1]>", "250 2.1.0", "4.1.3"),
    ("FROM:<a@[192.0.2.256]>", "553 5.1.7", "4.1.3"),
    ("FROM:<a@[192.0.2]>", "553 5.1.7", "4.1.3"),
    ("FROM:<a@[2001:db8::1]>", "553 5.1.7", "4.1.3"),
    ("FROM:<a@[IPv6:fe80::1%eth0]>", "553 5.1.7", "4.1.3"),
    ("FROM:<a@[x:y]>", "553 5.1.7", "4.1.3"),
    ("FROM:<a@192.0.2.1>", "250 2.1.0", "4.1.2: by its letters a domain"),
    ("FROM:<a\0@example.org>", "501 5.5.4", "4.1.2"),
    ("FROM:<a\x1b[31m@example.org>", "501 5.5.4", "4.1.2"),
    ("FROM:<a\x7f@example.org>", "501 5.5.4", "4.1.2"),
    ("FROM:<a@example.org>\tSIZE=1", "501 5.5.4", "4.1.2"),
    ("FROM:<a\u0085@example.org> SMTPUTF8", "501 5.5.4", "RFC 6531 3.3"),
    ("FROM:<a\u2028b@example.org> SMTPUTF8", "501 5.5.4", "RFC 6531 3.3"),
    ("FROM:<á@ví-dụ.vn>", "550 5.6.7", "RFC 6531 3.5"),
    ("FROM:<á@ví-dụ.vn> SMTPUTF8", "250 2.1.0", "RFC 6531 3.3"),
    ("FROM:<a@xn--v-dj-rqa5g.vn>", "250 2.1.0", "RFC 5890"),
]
RCPT = [
    ("TO:<annv@caobang.gov.vn>", "250 2.1.5", "4.1.1.3"),
    ('TO:<"annv"@caobang.gov.vn>', "250 2.1.5", "4.1.2: the quotes are not needed"),
    ('TO:<"ann\\v"@caobang.gov.vn>', "250 2.1.5", "4.1.2"),
    ("TO:<@a.example:annv@caobang.gov.vn>", "250 2.1.5", "appendix C"),
    ('TO:<"an nv"@caobang.gov.vn>', "550 5.1.1", "4.1.2"),
    ("TO:<annv%example.org@caobang.gov.vn>", "550 5.1.1", "no such mailbox, and no relaying"),
    ("TO:<example.org!annv@caobang.gov.vn>", "550 5.1.1", "no such mailbox, and no relaying"),
    ("TO:<caobang.gov.vn!annv>", "553 5.1.3", "4.1.2"),
    ("TO:<annv@[127.0.0.1]>", "554 5.7.1", "4.1.3: no name of ours"),
    ("TO:<annv@[IPv6:::1]>", "554 5.7.1", "4.1.3"),
    ("TO:<annv@[127.1]>", "553 5.1.3", "4.1.3"),
    ("TO:<annv@caobang.gov.vn.>", "553 5.1.3", "4.1.2"),
    ("TO:<annv@>", "553 5.1.3", "4.1.2"),
    ("TO:<>", "553 5.1.3", "4.1.1.3"),
    ("TO:<annv@caobang.gov.vn", "501 5.5.4", "4.1.2"),
    ("TO:<annv@caobang.gov.vn\0>", "501 5.5.4", "4.1.2"),
]
COMMANDS = [
    ("NOOP \0", "501 5.5.4", "4.1.2"),
    ("EHLO a\x1b[31m", "501 5.5.4", "4.1.2"),
    ("HELO \x01", "501 5.5.4", "4.1.2"),
    ("VRFY \0", "501 5.5.4", "4.1.2"),
    ("NO\0OP", "500 5.5.2", "4.1.2"),
    ("NOOP " + "x" * 505, "250 2.0.0", "4.5.3.1.4"),
    ("NOOP " + "x" * 508, "500 5.5.2", "4.5.3.1.4"),
    ("VRFY annv", "252 2.5.0", "3.5.3: whether it exists is not told"),
    ("VRFY nobody", "252 2.5.0", "3.5.3"),
    ("EXPN ld", "502 5.5.1", "3.5.3"),
    ("ETRN example.org", "500 5.5.2", "RFC 1985"),
    ("TURN", "500 5.5.2", "appendix F.1"),
    ("HELP", "214 2.0.0", "4.1.1.8"),
]


async def test_every_path_gets_its_code(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"error_limit": 1000, "junk_command_limit": 1000})
    wire = await world.outside()
    wrong = []
    for argument, short, section in MAIL:
        said = await wire.say(f"MAIL {argument}")
        wrong += [(argument, said.short, short, section)] if said.short != short else []
        assert (await wire.say("RSET")).code == 250
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    for command, short, section in [*((f"RCPT {to}", *rest) for to, *rest in RCPT), *COMMANDS]:
        await wire.send(f"{command}\r\n".encode())
        said = await wire.reply()
        wrong += [(command, said.short, short, section)] if said.short != short else []
    assert wrong == []
    assert (await wire.data(plain(STRANGER, AN))).code == 250, "all of that left the transaction alone"
    assert [r.address for r in world.offered[0].recipients] == [AN]
    assert world.count("internal_errors") == 0


# Lines of a message


@pytest.mark.parametrize("by", ["data", "bdat"])
async def test_a_persons_lines_have_1000_octets_at_most(world: World, by: str) -> None:
    """A next hop that breaks longer ones breaks the signature, and one that refuses them a day later."""
    wire = await world.inside()
    for octets, short in ((1000, "250 2.0.0"), (1001, "554 5.6.0")):
        message = plain(AN, AN) + b"." + b"x" * (octets - 3) + b"\r\n"
        await wire.envelope(AN, AN)
        said = await (wire.data(message) if by == "data" else wire.bdat(message, last=True))
        assert said.short == short, octets
    assert world.count("refused_line_length") == 1


async def test_lines_from_outside_have_no_limit_unless_one_is_set(open_world: OpenWorld) -> None:
    message = plain(STRANGER, AN) + b"x" * 200_000 + b"\r\n"
    world = await open_world()
    assert (await (await world.outside()).mail(STRANGER, AN, message=message)).code == 250
    assert await world.bytes_of(world.offered[0]) == message


async def test_a_limit_that_is_set_holds(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"line_limit_octets": 2000})
    wire = await world.outside()
    for octets, code in ((2000, 250), (2001, 554)):
        message = plain(STRANGER, AN) + b"x" * (octets - 2) + b"\r\n"
        assert (await wire.mail(STRANGER, AN, message=message)).code == code


# Messages of a session


async def test_a_session_has_so_many_messages_as_ehlo_says(open_world: OpenWorld) -> None:
    """RFC 9422 4: every MAIL counts, refused ones too."""
    world = await open_world(smtp={"session_message_limit": 3, "recipient_limit": 100})
    wire = await world.outside()
    assert "LIMITS RCPTMAX=100 MAILMAX=3" in await wire.ehlo()
    assert (await wire.mail(STRANGER, AN, message=plain(STRANGER, AN))).code == 250
    assert (await wire.say("MAIL FROM:<x")).code == 501
    assert (await wire.say(f"MAIL FROM:<{STRANGER}>")).code == 250
    await wire.say("RSET")
    await wire.send(f"MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{AN}>\r\n".encode())
    assert [said.short for said in await wire.to_the_end()] == ["421 4.7.0"]
    assert world.count("refused_session_messages") == 1


# Line ends that are mended


@pytest.mark.parametrize("by", ["data", "bdat"])
async def test_bare_line_ends_may_be_mended_before_anything_is_judged(open_world: OpenWorld, by: str) -> None:
    world = await open_world(smtp={"bare_line_ends": "normalize"})
    wire = await world.inside()
    given = b"From: <%s>\rSubject: x\nMessage-ID: <1@x>\r\n\na\n.\nb\r\r\n..c\n" % AN.encode()
    mended = b"From: <%s>\r\nSubject: x\r\nMessage-ID: <1@x>\r\n\r\na\r\n.\r\nb\r\n\r\n..c\r\n" % AN.encode()
    await wire.envelope(AN, AN)
    if by == "bdat":
        assert (await wire.bdat(given, last=True)).code == 250
    else:
        assert (await wire.say("DATA")).code == 354
        await wire.send(given.replace(b"\r\n..c", b"\r\n...c") + b"\r\n.\r\n")
        mended += b"\r\n"
        assert (await wire.reply()).code == 250
    assert await world.bytes_of(world.offered[0]) == mended
    leaving = await world.leaving(world.offered[0])
    assert leaving.count(b"\n") == leaving.count(b"\r\n") == leaving.count(b"\r")
    assert leaving.startswith(b"DKIM-Signature: ")
