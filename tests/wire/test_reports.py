"""RFC 3461 from the client's command to the next hop's or the report: what was wished for is what comes."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message

import pytest

from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.route import Router
from mailgov.store.snapshot import Snapshot
from mailgov.store.spool import QueuedMessage
from tests.support.messages import plain
from tests.support.relay_node import AN, BINH, DOMAIN, alias, province
from tests.support.sink import EXTENSIONS, Sink
from tests.wire.conftest import OpenWorld, World

OUT = "khach@example.org"
LIST = f"ld@{DOMAIN}"
WITHOUT_DSN = tuple(one for one in EXTENSIONS if one != "DSN")
WISHES = "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Khach+2Bviec@example.org"


def leading_out() -> Snapshot:
    """The province, and an address of it that leads outside."""
    found = province()
    return replace(found, aliases={**found.aliases, f"di@{DOMAIN}": alias("di", OUT, kind="forward")})


@dataclass
class Road:
    """A world whose mail goes to a sink by route, each attempt when the test says so."""

    world: World
    sink: Sink

    async def send(
        self, *recipients: str, mail: str = "", message: bytes | None = None, inside: bool = True
    ) -> None:
        """`recipients` are RCPT's path and parameters."""
        reverse_path = AN if inside else OUT
        wire = await (self.world.inside() if inside else self.world.outside())
        assert (await wire.say(f"MAIL FROM:<{reverse_path}> {mail}")).code == 250
        for recipient in recipients:
            address, _, wishes = recipient.partition(" ")
            assert (await wire.say(f"RCPT TO:<{address}> {wishes}")).code == 250, recipient
        assert (await wire.data(message or plain(reverse_path, AN))).code == 250
        await wire.close()

    async def attempt(self) -> None:
        """Each recipient of the message taken in last, by its lane."""
        node, message = self.world.node, self.world.offered[-1]
        router = Router(node.settings.delivery, node.resolver, node.settings.hostname)
        for recipient in message.recipients:
            session = LaneSession(router.lane(recipient.destination))
            await Attempt(node, router).run(node.spool, message, [recipient], session)
            await session.close()

    async def reports(self) -> list[Report]:
        kept = [message for message in await self.world.kept() if not message.reverse_path]
        return [Report(message, await self.world.bytes_of(message)) for message in kept]


@dataclass
class Report:
    """One of ours, as its reader takes it apart."""

    queued: QueuedMessage
    raw: bytes

    @property
    def parts(self) -> Sequence[Message]:
        parts = message_from_bytes(self.raw).get_payload()
        assert isinstance(parts, list)
        return [part for part in parts if isinstance(part, Message)]

    @property
    def fields(self) -> list[str]:
        """The lines of message/delivery-status, unfolded."""
        body = self.raw.partition(b"message/delivery-status")[2].partition(b"\r\n\r\n")[2]
        return re.sub("\r\n ", " ", body.partition(b"\r\n--=_")[0].decode("ascii")).split("\r\n")

    def value(self, name: str) -> str | None:
        found = [line.partition(": ")[2] for line in self.fields if line.startswith(f"{name}: ")]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def text(self) -> str:
        return " ".join(base64.b64decode(str(self.parts[0].get_payload())).decode().split())


@pytest.fixture
async def road(open_world: OpenWorld, request: pytest.FixtureRequest) -> Road:
    sink: Sink = request.getfixturevalue("sink")
    routes = {"*": f"smtp:{sink.address}"}
    return Road(await open_world(snapshot=leading_out(), delivery={"routes": routes}), sink)


async def test_a_next_hop_that_knows_dsn_is_told_all_of_it_and_reports_itself(road: Road) -> None:
    """RFC 3461 5.2.1."""
    await road.send(f"{OUT} {WISHES}", mail="RET=FULL ENVID=QQ+2B1")
    await road.attempt()
    (received,) = road.sink.messages
    assert {"RET=FULL", "ENVID=QQ+2B1"} <= set(received.mail_parameters)
    assert received.rcpt_parameters == (
        ("NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;Khach+2Bviec@example.org"),
    )
    assert await road.reports() == []


async def test_nothing_is_added_where_nothing_was_wished(road: Road) -> None:
    await road.send(OUT)
    await road.attempt()
    (received,) = road.sink.messages
    assert received.rcpt_parameters == ((),)
    assert not [word for word in received.mail_parameters if word.startswith(("RET", "ENVID"))]


async def test_a_next_hop_without_dsn_hears_of_none_and_a_relayed_report_comes(road: Road) -> None:
    """RFC 3461 5.2.2."""
    road.sink.extensions = WITHOUT_DSN
    await road.send(f"{OUT} {WISHES}", mail="RET=FULL ENVID=QQ+2B1")
    await road.attempt()
    assert road.sink.messages[0].rcpt_parameters == ((),)
    (report,) = await road.reports()
    assert [r.address for r in report.queued.recipients] == [AN]
    assert report.value("Original-Envelope-Id") == "QQ+1"
    assert report.value("Original-Recipient") == "rfc822; Khach+viec@example.org"
    assert report.value("Final-Recipient") == f"rfc822; {OUT}"
    assert (report.value("Action"), report.value("Status")) == ("relayed", "2.0.0")
    assert report.value("Remote-MTA") == "dns; 127.0.0.1"
    assert "máy chủ đó không gửi xác nhận" in report.text
    assert report.parts[2].get_content_type() == "text/rfc822-headers", "RET is about failures (4.3)"


async def test_what_reached_a_mailbox_is_told_where_it_was_asked_for(road: Road) -> None:
    await road.send(f"{BINH} NOTIFY=SUCCESS", f"vanthu@{DOMAIN} NOTIFY=FAILURE")
    await road.attempt()
    (report,) = await road.reports()
    assert (report.value("Action"), report.value("Status")) == ("delivered", "2.1.5")
    assert report.value("Final-Recipient") == f"rfc822; {BINH}"
    assert "Thư đã vào hộp thư của người nhận." in report.text


async def test_never_is_never(road: Road) -> None:
    road.sink.on("rcpt", "550 5.1.1 unknown")
    await road.send(f"{OUT} NOTIFY=NEVER", f"{BINH} NOTIFY=NEVER")
    await road.attempt()
    assert await road.reports() == []


async def test_a_failure_brings_the_whole_message_back_where_ret_says_so(road: Road) -> None:
    road.sink.on("rcpt", "550 5.1.1 unknown")
    vietnamese = plain(AN, OUT) + "Kính gửi các đồng chí\r\n".encode()
    await road.send(OUT, mail="RET=FULL BODY=8BITMIME", message=vietnamese)
    await road.attempt()
    (report,) = await road.reports()
    assert report.parts[2].get_content_type() == "message/rfc822"
    assert "Kính gửi các đồng chí\r\n".encode() in report.raw
    assert report.queued.eight_bit
    assert (report.value("Action"), report.value("Status")) == ("failed", "5.1.1")
    assert report.value("Diagnostic-Code") == "smtp; 550 5.1.1 unknown"
    assert "Hãy kiểm tra từng chữ của địa chỉ" in report.text


async def test_a_large_one_comes_back_as_its_header(road: Road) -> None:
    road.sink.on("eod", "554 5.6.0 no")
    large = plain(AN, OUT) + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 4000
    await road.send(OUT, mail="RET=FULL", message=large)
    await road.attempt()
    (report,) = await road.reports()
    assert report.parts[2].get_content_type() == "text/rfc822-headers"
    assert len(report.raw) < 10_000


async def test_a_list_reports_itself_once_and_its_members_failures(road: Road) -> None:
    """RFC 3461 5.2.7.3."""
    await road.send(f"{LIST} NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;{LIST}", mail="ENVID=ds1")
    assert [r.context["dsn"]["notify"] for r in road.world.offered[0].recipients] == [["FAILURE"]] * 2
    await road.attempt()
    (report,) = await road.reports()
    assert (report.value("Action"), report.value("Status")) == ("expanded", "2.0.0")
    assert report.value("Final-Recipient") == f"rfc822; {LIST}"
    assert report.value("Original-Envelope-Id") == "ds1"
    assert BINH.encode() not in report.raw


async def test_an_address_that_leads_out_passes_the_wishes_on(road: Road) -> None:
    """RFC 3461 5.2.7.2, and 5.2.1 c where the sender named no original recipient."""
    await road.send(f"di@{DOMAIN} NOTIFY=SUCCESS")
    await road.attempt()
    assert road.sink.messages[0].rcpt_parameters == (("NOTIFY=SUCCESS", f"ORCPT=rfc822;di@{DOMAIN}"),)


async def test_a_stranger_learns_no_address_but_the_one_he_wrote_to(road: Road) -> None:
    road.sink.extensions = WITHOUT_DSN
    await road.send(f"vanthu@{DOMAIN} NOTIFY=SUCCESS", f"{LIST} NOTIFY=SUCCESS", inside=False, mail="ENVID=x")
    await road.attempt()
    listed, delivered = await road.reports()
    assert [r.address for r in delivered.queued.recipients] == [OUT]
    assert delivered.value("Final-Recipient") == f"rfc822; vanthu@{DOMAIN}"
    assert listed.value("Final-Recipient") == f"rfc822; {LIST}"
    for report in (listed, delivered):
        assert BINH.encode() not in b"\r\n".join(line.encode() for line in report.fields)


async def test_strangers_cause_so_many_reports_and_no_more(open_world: OpenWorld) -> None:
    world = await open_world(delivery={"stranger_report_limit": 2})
    for _ in range(3):
        road = Road(world, Sink())
        await road.send(f"{AN} NOTIFY=SUCCESS", inside=False)
        await road.attempt()
    assert len(await road.reports()) == 2
    assert world.node.counters.values["reports_withheld"] == 1


async def test_a_bounce_asks_for_no_reports_and_causes_none(road: Road) -> None:
    """RFC 3461 6.1 b: never to `<>`."""
    wire = await road.world.outside()
    assert (await wire.say("MAIL FROM:<> RET=HDRS")).code == 250
    assert (await wire.say(f"RCPT TO:<di@{DOMAIN}> NOTIFY=SUCCESS,FAILURE,DELAY")).code == 250
    assert (await wire.say(f"RCPT TO:<{LIST}> NOTIFY=SUCCESS")).code == 250
    assert (await wire.data(plain(OUT, AN))).code == 250
    road.sink.on("rcpt", "550 5.1.1 unknown")
    await road.attempt()
    assert await road.reports() == []
