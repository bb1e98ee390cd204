"""Who tells the sender, where others' servers are the next hop: `pytest tests/bench -m bench -k notices`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.node import Node
from mailgov.relay.route import Lane, Router
from tests.bench import cpu
from tests.bench.exim import Exim
from tests.bench.postfix import Postfix
from tests.bench.relay import work_folder
from tests.bench.site import Peer, Site
from tests.support.processes import wait_until
from tests.support.relay_node import AN, node_settings, running_node
from tests.support.sink import EXTENSIONS, Sink
from tests.unit.relay.conftest import OwnTime, queued, stored

pytestmark = pytest.mark.bench

TO = "khach@example.org"
ENVID, ORCPT = "QQ-12+2BCV", "rfc822;Khach+2Bviec@example.org"
WITHOUT_DSN = tuple(one for one in EXTENSIONS if one != "DSN")


@pytest.fixture
def work() -> Iterator[Path]:
    with work_folder() as folder:
        shutil.rmtree(folder / "node", ignore_errors=True)
        yield folder


def peers(work: Path) -> dict[str, Peer]:
    site, store = Site.make(work), work / "exim"
    return {
        "postfix": Postfix(site),
        "exim": Exim(site, store),
        "exim-as-shipped": Exim(site, store, dsn=False),
    }


@dataclass
class Road:
    """mailgov, a peer as its next hop, and behind that one `sink`, where the peer's own mail goes too."""

    node: Node
    lane: Lane
    sink: Sink
    sent: int = 0

    async def send(self, *notify: str, ret: str = "HDRS") -> None:
        self.sent += 1
        message = queued(TO, queue_id=f"01Q{self.sent}")
        (one,) = message.recipients
        wished = replace(one, context={"dsn": {"notify": list(notify), "orcpt": ORCPT}})
        context: dict[str, Any] = {"dsn": {"ret": ret, "envid": ENVID}}
        message = await stored(self.node, replace(message, context=context, recipients=(wished,)))
        session = LaneSession(self.lane)
        router = Router(self.node.settings.delivery, self.node.resolver, self.node.settings.hostname)
        await Attempt(self.node, router).run(self.node.spool, message, message.recipients, session)
        await session.close()

    async def ours(self) -> list[str]:
        """The reports that mailgov made."""
        spool = self.node.spool
        found = await spool.claim(self.node.clock.now_ms() + 1, 100)
        return [(await spool.body_bytes(m)).decode("latin-1") for m in found if not m.reverse_path]

    def theirs(self) -> list[str]:
        """The reports that the peer sent."""
        return [m.data.decode("latin-1") for m in self.sink.messages if not m.reverse_path]


@contextmanager
def road(name: str, work: Path, *, extensions: tuple[str, ...] = EXTENSIONS) -> Iterator[Road]:
    peer = peers(work)[name]
    if reason := peer.missing():
        pytest.skip(reason)
    with (
        Sink(extensions=extensions) as sink,
        cpu.group("notices") as used,
        peer.running(work / "peer", sink.port, used, False) as port,
        running_node(node_settings(work / "node"), clock=OwnTime().clock()) as node,
    ):
        yield Road(node, Lane("smtp", f"127.0.0.1:{port}"), sink)


def fields(report: str) -> dict[str, str]:
    """Of the part for machines, by lower-case name."""
    (part,) = [
        p
        for p in message_from_bytes(report.encode("latin-1")).walk()
        if p.get_content_type() == "message/delivery-status"
    ]
    return {n.lower(): "".join(v.split()) for block in part.get_payload() for n, v in block.items()}  # type: ignore[union-attr]  # blocks


@pytest.mark.parametrize("name", ["postfix", "exim"])
async def test_wishes_reach_the_host_behind_the_next_hop_and_nobody_reports(name: str, work: Path) -> None:
    with road(name, work) as there:
        await there.send("SUCCESS", "FAILURE", ret="FULL")
        (received,) = there.sink.wait_for(1, timeout_s=60)
        assert not await there.ours()
    assert {"RET=FULL", f"ENVID={ENVID}"} <= set(received.mail_parameters)
    (wishes,) = received.rcpt_parameters
    notify = next(one for one in wishes if one.startswith("NOTIFY="))
    assert set(notify.removeprefix("NOTIFY=").split(",")) == {"SUCCESS", "FAILURE"}
    assert f"ORCPT={ORCPT}" in wishes


@pytest.mark.parametrize("name", ["postfix", "exim"])
@pytest.mark.parametrize("action", ["relayed", "failed"])
async def test_the_next_hop_reports_and_we_do_not(name: str, action: str, work: Path) -> None:
    with road(name, work, extensions=WITHOUT_DSN) as there:
        if action == "failed":
            there.sink.on("rcpt", "550 5.1.1 no such person", when=lambda to: to == TO)
        await there.send("SUCCESS", "FAILURE")
        there.sink.wait_match(lambda m: not m.reverse_path, timeout_s=60)
        assert not await there.ours()
        (report,) = there.theirs()
    told = fields(report)
    assert told["action"] in (action, "delivered" if (name, action) == ("exim", "relayed") else action)
    assert told["original-envelope-id"] in (ENVID, "QQ-12+CV")
    assert told["original-recipient"] in (ORCPT, "rfc822;Khach+viec@example.org")
    (rcpt,) = [m.recipients for m in there.sink.messages if not m.reverse_path]
    assert rcpt == (AN,)


async def test_nobody_reports_where_nobody_is_to(work: Path) -> None:
    with road("postfix", work, extensions=WITHOUT_DSN) as there:
        there.sink.on("rcpt", "550 5.1.1 no such person", when=lambda to: to == TO)
        await there.send("NEVER")
        await there.send("SUCCESS")
        said = there.sink.commands
        wait_until(lambda: sum(one.startswith(f"RCPT TO:<{TO}") for one in said) == 2, what="both refusals")
        # A third whose end is known shows that the two before it came to theirs.
        there.sink.behave()
        await there.send("FAILURE")
        there.sink.wait_match(lambda m: TO in m.recipients, timeout_s=60)
        assert there.theirs() == []
        assert not await there.ours()


async def test_a_next_hop_that_knows_no_dsn_leaves_the_report_to_us(work: Path) -> None:
    with road("exim-as-shipped", work) as there:
        await there.send("SUCCESS", "FAILURE")
        there.sink.wait_for(1, timeout_s=60)
        (ours,) = await there.ours()
        assert there.theirs() == []
    told = fields(ours)
    assert (told["action"], told["original-envelope-id"]) == ("relayed", "QQ-12+CV")
    assert told["original-recipient"] == "rfc822;Khach+viec@example.org"
