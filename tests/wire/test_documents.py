"""What the record of a message says of its document: who issued it, and what it belongs to."""

from __future__ import annotations

import base64
import random

import pytest

from mailgov.mail.events import MessageEvent
from tests.support.relay_node import AN, BINH, DOMAIN, HOSTNAME, OFFICE, account, alias, directory
from tests.wire.conftest import OpenWorld, World

STRANGER = "vanthu@bo-mau.example"
FILE = random.Random(5).randbytes(3_000)
BIG = random.Random(6).randbytes(300_000)


def words(text: str) -> bytes:
    return b"=?UTF-8?b?" + base64.b64encode(text.encode()) + b"?="


def letter(author: str, subject: str, *fields: bytes, attached: bytes | None = None) -> bytes:
    head = [b"From: <" + author.encode() + b">", b"Subject: " + words(subject), *fields]
    if attached is None:
        return b"\r\n".join(head) + b"\r\n\r\nKinh gui\r\n"
    head.append(b'Content-Type: multipart/mixed; boundary="b"')
    part = (
        b"--b\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(attached).replace(b"\n", b"\r\n")
    )
    return b"\r\n".join(head) + b"\r\n\r\n" + part + b"--b--\r\n"


async def sent(world: World, data: bytes, *, path: str = AN, inside: bool = True) -> MessageEvent:
    wire = await (world.inside() if inside else world.outside())
    assert (await wire.mail(path, BINH, message=data)).code == 250
    return (await world.events())[-1]


async def issued(open_world: OpenWorld) -> World:
    """An of `snv` may write as the office of `ubnd`, by an alias of it too, and as two lists."""
    own = [OFFICE, f"vanthu@{DOMAIN}", f"chung@{DOMAIN}", f"mot@{DOMAIN}", f"{'ubnd.cu'}@{DOMAIN}"]
    return await open_world(
        snapshot=directory(
            [
                account(AN, *own, agency="snv"),
                account(BINH, agency="stc"),
                account(OFFICE, kind="shared", agency="ubnd"),
            ],
            [
                alias("vanthu", "annv"),
                alias("ubnd.cu", "ubnd"),
                alias("chung", "ubnd", "binhtt", kind="list"),
                alias("mot", "ubnd", kind="list"),
            ],
        )
    )


@pytest.mark.parametrize(
    ("author", "issuer"),
    [
        (AN, "snv"),
        (f"vanthu@{DOMAIN}", "snv"),
        (OFFICE, "ubnd"),
        (OFFICE.upper(), "ubnd"),
        (f"ubnd.cu@{DOMAIN}", "ubnd"),
        (f"chung@{DOMAIN}", "snv"),
        (f"mot@{DOMAIN}", "snv"),
    ],
)
async def test_the_issuer_is_the_agency_whose_mailbox_the_author_is(
    open_world: OpenWorld, author: str, issuer: str
) -> None:
    event = await sent(await issued(open_world), letter(author, "12/GM-UBND"))
    assert (event.agency, event.issuer, event.symbol) == ("snv", issuer, "12/GM-UBND")


async def test_from_outside_the_issuer_is_the_authors_domain_whatever_it_claims(world: World) -> None:
    event = await sent(world, letter(STRANGER, "12/GM-BM"), path="x@other.example", inside=False)
    assert event.issuer == "@bo-mau.example"


async def test_an_account_of_no_agency_issues_for_its_domain(open_world: OpenWorld) -> None:
    world = await open_world(snapshot=directory([account(AN, agency=None), account(BINH)]))
    assert (await sent(world, letter(AN, "12/GM"))).issuer == f"@{DOMAIN}"


async def test_the_thread_is_what_the_header_says(world: World) -> None:
    answer = letter(AN, "Lịch công tác", b"Message-ID: <2@a>", b"References: <1@a> <9@a>")
    assert (await sent(world, answer)).thread_id == "<1@a>"
    added = await sent(world, letter(AN, "Lịch công tác"))
    assert added.thread_id == f"<{added.queue_id}@{HOSTNAME}>", "the Message-ID that it leaves with"
    parts = [letter(AN, f"Tài liệu họp (phần {n}/2)", attached=FILE[n:]) for n in (1, 2)]
    first, second = [await sent(world, part) for part in parts]
    assert first.thread_id == second.thread_id
    assert (first.attachments_hash, second.attachments_hash) == (None, None)


async def test_attachments_are_hashed_where_a_document_is_known_by_them(world: World) -> None:
    small = await sent(world, letter(AN, "Lịch công tác tuần 45", attached=FILE))
    again = await sent(world, letter(AN, "Lịch công tác tuần 45", attached=FILE))
    other = await sent(world, letter(AN, "Lịch công tác tuần 46", attached=FILE + b"x"))
    large = await sent(world, letter(AN, "Tài liệu họp", attached=BIG))
    assert small.attachments_hash == again.attachments_hash
    assert len({small.attachments_hash, other.attachments_hash, large.attachments_hash, None}) == 4


@pytest.mark.parametrize(
    "subject", ["12/GM-SNV", "Trao đổi", "Re: Lịch công tác", "Fwd: Lịch công tác tuần 45"]
)
async def test_nothing_else_is_hashed(world: World, subject: str) -> None:
    assert (await sent(world, letter(AN, subject, attached=FILE))).attachments_hash is None


async def test_mail_from_outside_is_not_hashed(world: World) -> None:
    event = await sent(world, letter(STRANGER, "Lịch công tác", attached=FILE), path=STRANGER, inside=False)
    assert (event.document_class, event.attachments_hash) == ("LCT", None)
