"""What the header says is judged as a reader would see it, whatever the client did to hide it."""

from __future__ import annotations

import base64

import pytest

from tests.support.relay_node import AN, BINH, DOMAIN, OFFICE
from tests.wire.client import Said
from tests.wire.conftest import World

STRANGER = "khach@example.org"
SECRET = "Tối mật: phương án 12"


def message(*fields: bytes, body: bytes = b"noi dung\r\n") -> bytes:
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


FROM_AN = f"From: <{AN}>".encode()


def words(*chunks: bytes, charset: str = "utf-8", encoding: str = "B") -> bytes:
    """RFC 2047 words of these octets, one of each chunk, wherever it cuts a character."""
    made = []
    for chunk in chunks:
        text = (
            base64.b64encode(chunk) if encoding == "B" else b"".join(b"=%02X" % octet for octet in chunk)
        ).decode()
        made.append(f"=?{charset}?{encoding}?{text}?=")
    return "\r\n ".join(made).encode()


def cut(text: str, at: int, charset: str = "utf-8") -> tuple[bytes, bytes]:
    octets = text.encode(charset)
    return octets[:at], octets[at:]


SUBJECTS = [
    f"Subject: {SECRET}".encode(),
    f"subject:{SECRET}".encode(),
    f"SUBJECT : {SECRET}".encode(),
    f"Subject:\r\n {SECRET}".encode(),
    b"Subject: T\xe1\xbb\x91i\r\n\tm\xe1\xba\xadt: 12",
    b"Subject: Giay moi\r\nSubject: " + SECRET.encode(),
    b"Subject: " + SECRET.encode() + b"\r\nSubject: Giay moi",
    b"Subject: \r\nX-A: 1\r\nSubject: " + words(SECRET.encode()),
    b"Subject: " + words(SECRET.encode()),
    b"Subject: " + words(SECRET.encode(), encoding="Q"),
    b"Subject: " + words(*cut(SECRET, 2)),  # in the middle of ố
    b"Subject: " + words(*cut(SECRET, 3)),
    b"Subject: " + words(*cut(SECRET, 8), encoding="Q"),
    b"Subject: " + words(*(bytes([octet]) for octet in SECRET.encode())),
    b"Subject: " + words(SECRET.encode("utf-16"), charset="utf-16"),
    b"Subject: "
    + words(SECRET.encode("windows-1258", "ignore"), charset="utf-8")
    + b" "
    + words(SECRET.encode()),
    b"Subject: =?UTF-8?b?" + base64.b64encode(SECRET.upper().encode()) + b"?=",
    b"Subject: Re: " + words("FW: MẬT".encode()) + b" 12/KH-UBND",
    "Subject: To\u0302\u0301i ma\u0323\u0302t: phương án 12".encode(),  # decomposed
    b"Subject: " + words("TUYỆT".encode()) + b"\r\n " + words(" MẬT: 1".encode()),
    b"Comments: x\r\n" * 500 + b"Subject: " + SECRET.encode(),
    b"Subject: " + SECRET.encode() + b"\xff",  # one stray byte
    b"Subject: \xe1" + SECRET.encode(),
    b"Subject: " + "ＴỐＩ ＭẬＴ".encode(),
    b"Subject: " + b"a\r\n " * 5_000 + SECRET.encode(),
    b"Subject: " + "\u200b".encode() * 12_300 + "MẬT".encode(),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=range(len(SUBJECTS)))
@pytest.mark.parametrize("kind", ["inside", "outside"])
async def test_a_mark_of_secrecy_stops_the_message_and_leaves_no_trace(
    world: World, subject: bytes, kind: str
) -> None:
    inside = kind == "inside"
    wire = await (world.inside() if inside else world.outside())
    author = FROM_AN if inside else b"From: <khach@example.org>"
    said = await wire.mail(AN if inside else STRANGER, BINH, message=message(author, subject))
    assert_stopped(said)
    assert world.files() == []
    assert await world.kept() == []
    (event,) = await world.events()
    assert event.verdict == "rejected"
    assert event.secrecy in {"MẬT", "TỐI MẬT", "TUYỆT MẬT"}
    assert (event.client, event.helo) == (None, None)
    assert (event.subject, event.author, event.message_id, event.recipients) == (None, None, None, ())
    assert event.account == (AN if inside else None)
    assert event.reverse_path == (None if inside else "example.org")
    assert await wire.alive()


def assert_stopped(said: Said) -> None:
    assert said.short == "550 5.7.1"
    assert "rule state-secret-" in said.text
    assert "phuong an" not in said.text, "nothing of the subject comes back"


@pytest.mark.parametrize(
    "subject", ["Mật ong rừng Cao Bằng", "Bảo mật thông tin", "Thông báo số 12/TB-UBND", "Mat: khong dau"]
)
async def test_what_only_looks_like_a_mark_passes(world: World, subject: str) -> None:
    wire = await world.inside()
    data = message(FROM_AN, b"Subject: " + words(subject.encode()))
    assert (await wire.mail(AN, BINH, message=data)).code == 250


@pytest.mark.parametrize(
    "disposition",
    [
        'attachment; filename="MẬT 12-KH.pdf"'.encode(),
        b"attachment; filename*=utf-8''M%E1%BA%ACT%2012.pdf",
        b"attachment; filename*0*=utf-8''M%E1%BA; filename*1*=%ACT%2012.pdf",
        b'attachment;\r\n filename="' + words("MẬT 12.pdf".encode()) + b'"',
    ],
)
@pytest.mark.parametrize("size", [10, 400_000])
async def test_a_marked_attachment_stops_the_message_and_its_body_goes_before_the_reply(
    world: World, disposition: bytes, size: int
) -> None:
    wire = await world.inside()
    body = (
        b"--b\r\nContent-Type: text/plain\r\n\r\nxin chao\r\n--b\r\nContent-Type: application/pdf\r\n"
        b"Content-Disposition: " + disposition + b"\r\n\r\n" + b"data\r\n" * (size // 6) + b"\r\n--b--\r\n"
    )
    data = message(FROM_AN, b"Subject: x", b'Content-Type: multipart/mixed; boundary="b"', body=body)
    assert_stopped(await wire.mail(AN, BINH, message=data))
    assert world.files() == []
    (event,) = await world.events()
    assert (event.secrecy, event.subject, event.attachments) == ("MẬT", None, 0)


# Who writes


@pytest.mark.parametrize(
    ("fields", "fine"),
    [
        ([FROM_AN], True),
        ([f'From: "Nguyễn Văn An" <{AN.upper()}>'.encode()], True),
        ([f"From: <{OFFICE}>".encode()], True),
        ([f"From: <{AN}>, <{OFFICE}>".encode()], True),
        (
            [
                b"From: an =?utf-8?B?"
                + base64.b64encode(b"<binhtt@caobang.gov.vn>")
                + b"?= <"
                + AN.encode()
                + b">"
            ],
            False,
        ),
        ([f"From: (phong TCHC) {AN}".encode()], True),
        ([f'From: "{AN}" <{AN}>'.encode()], True),
        ([f'From: "{OFFICE} (An)" <{AN}>'.encode()], True),
        ([f"From: {AN} <{AN}>".encode()], True),
        ([f"From: ({BINH}) {AN}".encode()], False),
        ([f'From: "{BINH}" <{AN}>'.encode()], False),
        ([b"From: " + words(BINH.encode()) + f" <{AN}>".encode()], False),
        ([f"From: {BINH} <{AN}>".encode()], False),
        ([f"From: <{AN}> {BINH}".encode()], False),
        ([f"From: binhtt(x)@{DOMAIN} <{AN}>".encode()], False),
        ([f"From: <an@{DOMAIN}:nv@{DOMAIN}>".encode()], False),
        ([f"From: {AN} (, {BINH}".encode()], False),
        ([f"From: {BINH}\0<{AN}>".encode()], False),
        ([b"From: An" + (b"\r\n" + b" " * 900) * 10 + FROM_AN[6:]], False),
        ([f"From: <{BINH}>".encode()], False),
        ([f"From: <{AN}>, <{BINH}>".encode()], False),
        ([f"From: <{BINH}>, <{AN}>".encode()], False),
        ([f"From: <{AN}>,\r\n\t<giamdoc@example.org>".encode()], False),
        ([FROM_AN, f"From: <{BINH}>".encode()], False),
        ([f"From: <{BINH}>".encode(), FROM_AN], False),
        ([FROM_AN, b"From: giam doc"], False),
        ([FROM_AN, b"From:"], False),
        ([f"From : <{BINH}>".encode()], False),
        ([b"from:\r\n <binhtt@caobang.gov.vn>"], False),
        ([f"From: lanh dao: <{BINH}>;".encode()], False),
        ([f'From: "{AN}" <{BINH}>'.encode()], False),
        ([f"From: <{AN}> <{BINH}>".encode()], False),
        ([f"From: {AN} <{BINH}>".encode()], False),
        ([f"From: <{AN}@example.org>".encode()], False),
        ([b"From: undisclosed:;"], False),
        ([b"From: " + AN.encode() + b"\x00<binhtt@caobang.gov.vn>"], False),
        ([f"Sender: <{AN}>".encode()], False),
        ([FROM_AN, f"Sender: An <{OFFICE}>".encode(), b"Sender:"], True),
        ([FROM_AN, f"Sender: <{BINH}>".encode()], False),
        ([FROM_AN, f"Sender: <{AN}>".encode(), f"Sender: {BINH} <{AN}>".encode()], False),
        ([FROM_AN, b"Sender: " + (b"(x)" * 300 + b"\r\n ") * 12 + BINH.encode()], False),
        ([FROM_AN, b"Sender: giam doc"], False),
        ([], False),
    ],
)
async def test_every_author_is_the_account(world: World, fields: list[bytes], fine: bool) -> None:
    wire = await world.inside()
    said = await wire.mail(AN, BINH, message=message(*fields, b"Subject: x"))
    if fine:
        assert said.short == "250 2.0.0"
        return
    assert said.short == "550 5.7.1"
    assert "rule account-writes-as-itself-from;" in said.text
    (event,) = await world.events()
    assert (event.verdict, event.account) == ("rejected", AN)
    assert [r.state for r in event.recipients] == ["rejected"]
    assert await world.kept() == []


DEEP = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(60)
)


@pytest.mark.parametrize("size", [10, 400_000])
@pytest.mark.parametrize("kind", ["submissions", "trusted", "mx"])
async def test_parts_that_cannot_be_seen_whole_are_refused_to_our_own(
    world: World, kind: str, size: int
) -> None:
    wire = await (world.inside() if kind == "submissions" else world.connect(kind))
    if kind != "submissions":
        await wire.ehlo()
    path = {"submissions": AN, "trusted": f"scanner@{DOMAIN}", "mx": STRANGER}[kind]
    data = f"From: <{path}>\r\nSubject: x\r\n".encode() + DEEP + b"data\r\n" * (size // 6)
    said = await wire.mail(path, BINH, message=data)
    if kind == "mx":
        assert said.code == 250
        assert world.count("looks_cut_short") == 1
        return
    assert said.short == "550 5.6.0"
    assert said.lines[0].startswith("The message's parts cannot be read whole")
    assert world.count("refused_mime_parts") == 1
    assert (world.files(), await world.kept(), await world.events()) == ([], [], [])


async def test_a_mark_that_was_seen_counts_where_the_rest_was_not(world: World) -> None:
    marked = "--b\r\nContent-Disposition: attachment; filename=MẬT.pdf\r\n\r\nx\r\n".encode()
    many = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + marked + b"--b\r\n\r\n" * 1001
    for inside in (True, False):
        wire = await (world.inside() if inside else world.outside())
        author = AN if inside else STRANGER
        assert_stopped(await wire.mail(author, BINH, message=f"From: <{author}>\r\n".encode() + many))


async def test_an_attached_message_is_stopped_by_its_own_subject(world: World) -> None:
    inner = (
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: " + words(SECRET.encode()) + b"\r\n\r\nx\r\n"
    )
    data = message(FROM_AN, b"Subject: x", b'Content-Type: multipart/mixed; boundary="b"', body=inner)
    assert_stopped(await (await world.inside()).mail(AN, BINH, message=data))


@pytest.mark.parametrize("kind", ["inside", "outside"])
async def test_a_header_that_cannot_be_seen_whole_is_refused(world: World, kind: str) -> None:
    """What decides may stand behind the last field that is told apart: From, Subject, Bcc."""
    inside = kind == "inside"
    wire = await (world.inside() if inside else world.outside())
    author = FROM_AN if inside else b"From: <khach@example.org>"
    hidden = (f"From: <{BINH}>".encode(), b"Subject: " + SECRET.encode(), b"Bcc: <x@example.org>")
    data = message(author, *[b"A:"] * 10_000, *hidden)
    said = await wire.mail(AN if inside else STRANGER, BINH, message=data)
    assert (said.short, said.lines) == ("550 5.6.0", ("The message header has too many fields",))
    assert world.count("refused_header_fields") == 1
    assert (world.files(), await world.kept(), await world.events()) == ([], [], [])
    assert await wire.alive()


async def test_a_long_header_of_everyday_mail_passes(world: World) -> None:
    data = message(b"From: <khach@example.org>", *[b"X-Trace: a"] * 1_000, b"Subject: x")
    assert (await (await world.outside()).mail(STRANGER, BINH, message=data)).code == 250


async def test_a_subject_longer_than_what_is_read_is_refused_to_our_own_people(world: World) -> None:
    subject = b"Subject: " + b"a\r\n " * 40_000 + SECRET.encode()
    said = await (await world.inside()).mail(AN, BINH, message=message(FROM_AN, subject))
    assert (said.short, said.lines) == ("550 5.6.0", ("The Subject is too long to be read",))
    several = message(FROM_AN, *[b"Subject: " + b"a" * 9_000] * 8)
    assert (await (await world.inside()).mail(AN, BINH, message=several)).short == "550 5.6.0"
    outside = message(b"From: <khach@example.org>", subject)
    assert (await (await world.outside()).mail(STRANGER, BINH, message=outside)).code == 250


async def test_outside_mail_may_name_whom_it_likes(world: World) -> None:
    wire = await world.outside()
    for fields in ([b"From: <an@mail.vn>"], [b"From: a@b.vn", b"From: c@d.vn"]):
        assert (await wire.mail(STRANGER, BINH, message=message(*fields, b"Subject: x"))).code == 250


async def test_nobody_writes_as_one_of_ours_without_signing_in(world: World) -> None:
    wire = await world.outside()
    for path in (AN, f"nobody@{DOMAIN}", f"annv@{DOMAIN.upper()}"):
        said = await wire.say(f"MAIL FROM:<{path}>")
        assert said.short == "550 5.7.1"
        assert "rule own-address-from-outside;" in said.text
        await wire.say("RSET")
    assert await world.events() == [], "a stranger's refusal is counted, not recorded"
    assert world.count("refused_policy_own-address-from-outside") == 3
    for path in ("", STRANGER, f"an@x{DOMAIN}"):
        said = await wire.mail(path, BINH, message=message(FROM_AN, b"Subject: x"))
        assert said.short == "550 5.7.26"
        assert "rule own-author-from-outside;" in said.text


async def test_the_trusted_listener_is_held_to_its_account_too(world: World) -> None:
    wire = await world.connect("trusted")
    await wire.ehlo()
    scanner = f"scanner@{DOMAIN}"
    assert (await wire.say(f"MAIL FROM:<{AN}>")).short == "550 5.7.1"
    assert (await wire.mail(scanner, BINH, message=message(FROM_AN, b"Subject: x"))).short == "550 5.7.1"
    for author in (scanner, f'"{AN}" <{scanner}>'):
        data = message(b"From: " + author.encode(), b"Subject: x")
        assert (await wire.mail(scanner, BINH, message=data)).code == 250


async def test_a_rejected_message_names_its_reason_in_the_record_and_in_the_reply(world: World) -> None:
    wire = await world.inside()
    said = await wire.mail(AN, BINH, message=message(b"From: <x@example.org>", b"Subject: 12/CV-UBND"))
    (event,) = await world.events()
    (decision,) = event.decisions
    assert f"decision {decision.id}]" in said.text
    assert f"/why/{decision.id} " in said.text
    assert len(decision.id) == 32
    assert (decision.rule, decision.document, decision.outcome) == (
        "account-writes-as-itself-from",
        "cao-bang",
        "reject",
    )
    assert event.subject == "12/CV-UBND"


# What leaves


async def test_what_is_missing_is_added_and_what_may_not_leave_is_taken_out(world: World) -> None:
    wire = await world.inside()
    data = message(
        b"Return-Path: <x@example.org>",
        FROM_AN,
        b"Bcc: <binhtt@caobang.gov.vn>,\r\n <x@example.org>",
        b"bcc: second",
        b"Subject: x",
        b"Authentication-Results: mail.caobang.gov.vn; dkim=pass",
        b"Authentication-Results: mx.example.org; spf=fail",
    )
    assert (await wire.mail(AN, BINH, message=data)).code == 250
    queued = world.offered[0]
    leaving = await world.leaving(queued)
    assert await world.bytes_of(queued) == data
    header, _, body = leaving.partition(b"\r\n\r\n")
    for gone in (b"Return-Path", b"Bcc", b"bcc", b"second", b"binhtt@caobang.gov.vn>,", b"dkim=pass"):
        assert gone not in header
    assert b"spf=fail" in header
    assert header.count(b"\r\nDate: ") == 1
    assert f"\r\nMessage-ID: <{queued.queue_id}@mail.{DOMAIN}>".encode() in header
    assert body == b"noi dung\r\n"


async def test_mail_from_outside_keeps_what_it_has_and_gets_no_date(world: World) -> None:
    wire = await world.outside()
    data = message(b"From: <khach@example.org>", b"Bcc: <x@example.org>", b"Subject: x")
    assert (await wire.mail(STRANGER, BINH, message=data)).code == 250
    leaving = await world.leaving(world.offered[0])
    assert leaving.startswith(b"Authentication-Results: mail.caobang.gov.vn;\r\n\tspf=none ")
    assert (
        b"\r\nReceived: from client.test ([127.0.0.1])\r\n\tby mail.caobang.gov.vn with ESMTP id " in leaving
    )
    assert f"\r\n\tfor <{BINH}>;\r\n".encode() in leaving
    assert leaving.endswith(data)
    assert b"Date:" not in leaving


async def test_blind_copies_are_not_told_by_our_received_field(world: World) -> None:
    wire = await world.inside()
    assert (await wire.mail(AN, BINH, OFFICE, message=message(FROM_AN, b"Subject: x"))).code == 250
    leaving = await world.leaving(world.offered[0])
    assert BINH.encode() not in leaving
    assert OFFICE.encode() not in leaving
