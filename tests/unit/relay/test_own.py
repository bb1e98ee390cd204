"""Mail of our own: by the same intake, and never lost in silence."""

from __future__ import annotations

import pytest

from mailgov.relay.node import Node
from mailgov.relay.own import prepare_own
from mailgov.relay.sign import SigningError
from mailgov.store.spool import Change, SpoolError
from tests.support.processes import wait_until
from tests.support.relay_node import AN, BINH, DOMAIN

NOTICE = (
    b"From: <postmaster@caobang.gov.vn>\r\nSubject: Nhac viec\r\n"
    b"Auto-Submitted: auto-generated\r\n\r\ntext\r\n"
)


async def test_it_is_signed_and_stored_like_any_other(node: Node) -> None:
    prepared = await prepare_own(node, node.spool, NOTICE, f"postmaster@{DOMAIN}", [AN, "khach@example.org"])
    assert prepared is not None
    assert prepared.message is not None
    await node.spool.apply(prepared.change)
    (kept,) = await node.spool.claim(2**60, 10)
    assert [r.address for r in kept.recipients] == [AN, "khach@example.org"]
    assert kept.variants[0].prefix.count(b"DKIM-Signature:") == 2
    event = prepared.event
    assert (event.source, event.account, event.automatic) == ("own", None, True)
    assert [(r.address, r.direction) for r in event.recipients] == [
        (AN, "internal"),
        ("khach@example.org", "outbound"),
    ]


async def test_aliases_are_expanded(node: Node) -> None:
    prepared = await prepare_own(node, node.spool, NOTICE, "", [f"ld@{DOMAIN}"])
    assert prepared is not None
    assert prepared.message is not None
    assert [r.address for r in prepared.message.recipients] == [AN, BINH]


@pytest.mark.parametrize(
    ("recipient", "data", "smtputf8", "eight_bit"),
    [
        (AN, NOTICE, False, False),
        ("khách@ví-dụ.vn", NOTICE, True, False),
        (AN, NOTICE + "có dấu\r\n".encode(), False, True),
        (AN, "Subject: có dấu\r\n".encode() + NOTICE, True, True),
    ],
)
async def test_extensions_are_asked_for_where_they_are_needed(
    node: Node, recipient: str, data: bytes, smtputf8: bool, eight_bit: bool
) -> None:
    prepared = await prepare_own(node, node.spool, data, "", [recipient])
    assert prepared is not None
    assert prepared.message is not None
    assert (prepared.message.smtputf8, prepared.message.eight_bit) == (smtputf8, eight_bit)


@pytest.mark.parametrize("recipients", [[], [f"nobody@{DOMAIN}"], ["no address"], [f"vong1@{DOMAIN}", "@"]])
async def test_nobody_to_send_to_is_none(node: Node, recipients: list[str]) -> None:
    assert await prepare_own(node, node.spool, NOTICE, "", recipients) is None
    assert node.counters.values["own_mail_dropped"] == 1


async def test_what_cannot_be_made_now_is_said_and_leaves_nothing(node: Node) -> None:
    (node.settings.data_dir / "e1.pem").unlink()
    large = NOTICE + b"line\r\n" * 100_000
    with pytest.raises(SigningError):
        await prepare_own(node, node.spool, large, "", [AN])
    folder = node.settings.data_dir / "spool" / "0"
    wait_until(lambda: not list((folder / "incoming").iterdir()), what="the body to be discarded")
    (folder / "incoming").rmdir()
    with pytest.raises(SpoolError):
        await prepare_own(node, node.spool, large, "", [AN])
    (folder / "incoming").mkdir()


async def test_a_message_without_a_header_is_taken_as_it_is(node: Node) -> None:
    prepared = await prepare_own(node, node.spool, b"no header at all", "", [AN])
    assert prepared is not None
    await node.spool.apply(Change(messages=[prepared.message] if prepared.message else []))
