"""Delivery reports: to whom, in whose name, and what of the message comes back."""

from __future__ import annotations

import secrets
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest

from mailgov.mail.headers import HeaderBlock
from mailgov.mail.reply import Reply
from mailgov.relay.bounce import Fate, bounce
from mailgov.relay.intake import Prepared
from mailgov.relay.node import Node
from mailgov.relay.notify import caused_by_stranger
from mailgov.relay.outcome import settle
from mailgov.relay.tls_out.wish import KEY, wish_of
from mailgov.store.spool import Body, Change, QueuedMessage, Spool
from tests.support.relay_node import AN, BINH, DOMAIN
from tests.unit.relay.conftest import START_MS, outcomes, queued, stored

NEVER = Reply(550, "5.1.1", "no such mailbox", heard=True)
TO = "khach@example.org"


async def report(
    node: Node, message: QueuedMessage, *replies: Reply, host: str | None = None
) -> Prepared | None:
    await stored(node, message)
    failures = [Fate(r, reply, host) for r, reply in zip(message.recipients, replies, strict=True)]
    return await bounce(node, node.spool, message, failures, START_MS)


async def text_of(prepared: Prepared | None) -> bytes:
    assert prepared is not None
    assert prepared.message is not None
    assert prepared.message.body.data is not None
    return prepared.message.body.data


@pytest.mark.parametrize(
    ("notify", "told"),
    [(None, True), (["NEVER"], False), (["SUCCESS", "DELAY"], False), (["DELAY", "FAILURE"], True)],
)
async def test_who_did_not_wish_to_hear_of_a_failure_is_not_told(
    node: Node, notify: list[str] | None, told: bool
) -> None:
    """RFC 3461 4.1; where nothing was said, a failure is reported."""
    message = queued(TO)
    (recipient,) = message.recipients
    context = {**recipient.context, "dsn": {"notify": notify, "orcpt": "rfc822;x@example.org"}}
    message = replace(message, recipients=(replace(recipient, context=context),))
    assert (await report(node, message, NEVER) is not None) is told


@pytest.mark.parametrize("outside", [None, "pass", "none"])
async def test_a_report_about_a_strangers_mail_says_so_to_the_queue(node: Node, outside: str | None) -> None:
    message = queued(TO)
    if outside is not None:
        message = replace(message, reverse_path="khach@example.org", context={"outside": outside})
    prepared = await report(node, message, NEVER)
    assert prepared is not None
    assert prepared.message is not None
    assert caused_by_stranger(prepared.message) is (outside is not None)


async def test_it_is_a_multipart_report_from_the_null_reverse_path(node: Node) -> None:
    prepared = await report(node, queued(TO), NEVER, host="mx.example.org")
    assert prepared is not None
    assert prepared.message is not None
    assert prepared.message.reverse_path == ""
    assert [r.address for r in prepared.message.recipients] == [AN]
    parsed = message_from_bytes(await text_of(prepared))
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in parsed.get_payload()] == [  # type: ignore[union-attr]  # a list
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert parsed["From"].endswith(f"<postmaster@{DOMAIN}>")
    raw = await text_of(prepared)
    assert b"Remote-MTA: dns; mx.example.org" in raw
    assert b"Diagnostic-Code: smtp; 550 5.1.1 no such mailbox" in raw


async def test_it_is_signed_as_ours(node: Node) -> None:
    prepared = await report(node, queued(TO), NEVER)
    assert prepared is not None
    assert prepared.message is not None
    (variant,) = prepared.message.variants
    assert variant.prefix.count(b"DKIM-Signature: ") == 2
    assert b"Received:" not in variant.prefix, "we made it, nobody gave it to us"


async def test_no_report_on_a_report(node: Node) -> None:
    assert await report(node, queued(TO, reverse_path=""), NEVER) is None


@pytest.mark.parametrize(
    ("reply", "status"),
    [(NEVER, b"5.1.1"), (Reply(554, "5.4.7", "expired"), b"5.4.7"), (Reply(451, "4.2.2", "full"), b"5.2.2")],
)
async def test_a_failure_has_a_status_of_class_five(node: Node, reply: Reply, status: bytes) -> None:
    assert b"\r\nStatus: " + status + b"\r\n" in await text_of(await report(node, queued(TO), reply))


@pytest.mark.parametrize(
    "words",
    [
        "550 évil\r\nBcc: victim@example.org\r\n\r\n<html>",
        "\x00\x1b[31m",
        "x" * 100_000,
        "--=_\r\nContent-Type: text/html",
        "\udcff\udcfe",
    ],
)
async def test_a_hostile_reply_stays_in_its_place(node: Node, words: str) -> None:
    raw = await text_of(await report(node, queued(TO), Reply(550, "5.0.0", words)))
    header = HeaderBlock.scan(raw)
    assert header.count(b"bcc") == 0
    assert header.first(b"to") == f"<{AN}>".encode()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert len(message_from_bytes(raw).get_payload()) == 3
    assert len(raw) < 20_000


async def test_an_outside_author_is_told_outside(node: Node) -> None:
    prepared = await report(node, queued(BINH, reverse_path=TO), NEVER)
    assert prepared is not None
    assert prepared.message is not None
    (recipient,) = prepared.message.recipients
    assert (recipient.address, recipient.destination) == (TO, "example.org")
    assert b"From: " in await text_of(prepared)


async def test_an_internationalized_author_is_told_by_smtputf8(node: Node) -> None:
    """RFC 6531 3.4: such an address may not be said without the keyword."""
    prepared = await report(node, queued(BINH, reverse_path="khách@ví-dụ.vn"), NEVER)
    assert prepared is not None
    assert prepared.message is not None
    assert prepared.message.recipients[0].address == "khách@ví-dụ.vn"
    assert prepared.message.smtputf8
    plain = await report(node, queued(TO, queue_id="02Q"), NEVER)
    assert plain is not None
    assert plain.message is not None
    assert not plain.message.smtputf8


async def test_a_header_that_cannot_be_read_any_more_is_left_out(node: Node) -> None:
    gone = replace(queued(TO), body=Body(1000, file="not-there"))
    raw = await text_of(await report(node, gone, NEVER))
    assert b"Final-Recipient" in raw


async def test_a_large_header_comes_back_bounded(node: Node) -> None:
    data = b"Subject: x\r\n" + b"X-Filler: " + b"x" * 900 + b"\r\n"
    raw = await text_of(
        await report(node, queued(TO, data=data + b"X: y\r\n" * 30_000 + b"\r\nbody\r\n"), NEVER)
    )
    assert len(raw) < 80_000


async def test_the_removed_stays_removed(node: Node) -> None:
    """What comes back is the header as it left: no Bcc that the intake took out."""
    from mailgov.store.spool import Variant

    data = b"Bcc: secret@example.org\r\nSubject: x\r\n\r\nbody\r\n"
    message = replace(queued(TO, data=data), variants=(Variant(b"Received: by us\r\n", ((0, 25, b""),)),))
    raw = await text_of(await report(node, message, NEVER))
    assert b"secret@example.org" not in raw
    assert b"Subject: x" in raw


async def test_a_large_report_lies_in_the_spool_that_will_send_it(node: Node, tmp_path: Path) -> None:
    """A worker also serves spools that it adopted."""
    adopted = Spool.open(
        tmp_path / "spool" / "7",
        settings=node.settings.spool,
        executor=node.executor,
        new_id=secrets.token_hex(16),
        now_ms=START_MS,
    )
    try:
        message = queued(*(f"khach{n}@example.org" for n in range(1000)))
        await adopted.apply(Change(messages=[message]))
        words = replace(NEVER, text="no such mailbox " + "x" * 300)
        await settle(node, adopted, message, outcomes(message, *[words] * 1000))
        (notice,) = await adopted.claim(2**60, 10)
        assert notice.body.size_bytes > node.settings.smtp.memory_body_bytes
        file = adopted.body_file(notice)
        assert file is not None
        assert file.read_bytes().count(b"Final-Recipient:") == 1000
    finally:
        adopted.close()


@pytest.mark.parametrize("wish", ["waived", "required", None])
async def test_it_is_protected_on_its_way_as_the_message_was(node: Node, wish: str | None) -> None:
    """RFC 8689 5; who would rather have his mail in the clear than not at all wants the report so too."""
    prepared = await report(node, replace(queued(TO, reverse_path=TO), context={KEY: wish}), NEVER)
    said = message_from_bytes(await text_of(prepared))
    assert said.get_all("TLS-Required") == (["No"] if wish == "waived" else None)
    assert prepared is not None
    assert prepared.message is not None
    assert wish_of(prepared.message) == wish
