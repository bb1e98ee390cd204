"""Reports that reach their mailbox: delivered as always, and told to the ledger where they are believed."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.mail.events import SenderReportEvent, decode, encode
from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.node import Node
from mailgov.relay.route import Lane, Router
from mailgov.store.spool import QueuedMessage
from tests.support.relay_node import AN, BINH, node_settings, running_node
from tests.support.reports import BEGIN_S, DMARC, TLS, bearing, dmarc, tls
from tests.unit.relay.conftest import OwnTime, queued, stored

DAY_S = 86_400
ROWS = [("192.0.2.7", "3", "none", "pass", "fail")]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    settings = node_settings(tmp_path, {"reports": {"mailbox": AN.upper()}})
    clock = OwnTime((BEGIN_S + DAY_S + 7200) * 1000).clock()
    with running_node(settings, clock=clock) as running:
        yield running


async def delivered(
    node: Node, data: bytes, to: str = AN, original: str | None = None
) -> list[SenderReportEvent]:
    """Deliver a message to a mailbox here; the reports that the outbox tells of then."""
    message: QueuedMessage = queued(to, data=data, queue_id=f"Q{len(data)}", reverse_path="dmarc@example.net")
    recipient = message.recipients[0]
    message = QueuedMessage(
        **{name: getattr(message, name) for name in message.__slots__ if name != "recipients"},
        recipients=(type(recipient)(0, to, to, context={"original": original or to}),),
    )
    await stored(node, message)
    attempt = Attempt(node, Router(node.settings.delivery, node.resolver, node.settings.hostname))
    await attempt.run(node.spool, message, message.recipients, LaneSession(Lane("maildir", to)))
    local, _, domain = to.partition("@")
    new = node.settings.data_dir / "mail" / domain / local / "new"
    assert any(data in file.read_bytes() for file in new.iterdir())
    return [e for _, e in await node.spool.events(0, 100) if isinstance(e, SenderReportEvent)]


@pytest.mark.parametrize("size", [0, 2_000_000], ids=["in memory", "in a file"])
async def test_both_kinds_are_told_to_the_ledger(node: Node, size: int) -> None:
    padding = bytes(size)
    aggregate = bearing("application/gzip", gzip.compress(DMARC)) + padding
    (event,) = await delivered(node, aggregate)
    assert (event.report.kind, event.report.records) == ("dmarc", 2)
    assert decode(encode(event)) == event
    _, event = await delivered(node, bearing("application/tlsrpt+gzip", gzip.compress(TLS)))
    assert event.report.kind == "tls"
    assert (node.counters.values["sender_reports_dmarc"], node.counters.values["sender_reports_tls"]) == (
        1,
        1,
    )


async def test_other_mailboxes_are_nobodys_business(node: Node) -> None:
    assert await delivered(node, bearing("application/gzip", gzip.compress(DMARC)), to=BINH) == []


@pytest.mark.parametrize(
    "content",
    [
        dmarc(ROWS, begin_s=BEGIN_S - 61 * DAY_S),
        dmarc(ROWS, begin_s=BEGIN_S + 3 * DAY_S),
        dmarc(ROWS).replace(b"<domain>caobang.gov.vn", b"<domain>other.example"),
        tls(begin="2031-01-01T00:00:00Z", end="2031-01-02T00:00:00Z"),
        tls(begin="2026-11-03T10:00:00Z", end="2026-11-03T09:00:00Z"),
        b"<?xml version='1.0'?><!DOCTYPE a><feedback/>",
        gzip.compress(bytes(1000)),
    ],
    ids=["old", "to come", "of another domain", "TLS, to come", "ends before it begins", "DTD", "zeros"],
)
async def test_what_is_not_believed_is_delivered_all_the_same(node: Node, content: bytes) -> None:
    assert await delivered(node, bearing("application/gzip", content)) == []
    assert node.counters.values["sender_reports_refused"] == 1


async def test_an_alias_for_reports_is_as_good(tmp_path: Path) -> None:
    settings = node_settings(tmp_path, {"reports": {"mailbox": "postmaster@caobang.gov.vn"}})
    with running_node(settings, clock=OwnTime((BEGIN_S + DAY_S + 7200) * 1000).clock()) as node:
        report = bearing("application/gzip", gzip.compress(DMARC))
        assert await delivered(node, report, to=BINH) == []
        report = bearing("application/gzip", gzip.compress(DMARC), times=2)
        assert len(await delivered(node, report, to=BINH, original="Postmaster@CaoBang.gov.vn")) == 2


async def test_a_subdomain_of_ours(node: Node) -> None:
    content = dmarc(ROWS).replace(b"<domain>caobang.gov.vn", b"<domain>mail.caobang.gov.vn", 1)
    (event,) = await delivered(node, bearing("application/xml", content))
    assert event.report.domain == "mail.caobang.gov.vn"
