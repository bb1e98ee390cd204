"""Settings of delivery change while mail flows: what waits, in memory or in the spool, goes by the new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mailgov.relay.node import Node
from mailgov.relay.reload import DeliveryReload, SettingsUnusable, differing
from mailgov.relay.route import Router
from mailgov.relay.scheduler import Scheduler
from mailgov.settings import Settings
from mailgov.store.spool import Change
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN
from tests.support.sink import Act, Sink
from tests.unit.relay.conftest import queued
from tests.unit.relay.test_scheduler import eventually, put, running


def other(node: Node, *, tls_out: dict[str, Any] | None = None, **delivery: Any) -> Settings:
    """The node's settings with these put in."""
    before = node.settings.model_dump()
    changed = {"delivery": {**before["delivery"], **delivery}, "tls_out": tls_out or before["tls_out"]}
    return Settings.model_validate({**before, **changed})


async def reload(node: Node, scheduler: Scheduler, settings: Settings) -> None:
    router = Router(settings.delivery, node.resolver, settings.hostname)
    await DeliveryReload(node, scheduler, lambda: (settings, router)).run()


async def test_what_waits_in_memory_for_a_host_that_hangs_takes_the_new_route(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("helo", Act.HANG)
    with Sink() as ministry:
        async with running(tmp_path, dns_server, sink, destination_concurrency=2) as (node, scheduler):
            await put(node, *(queued("a@example.org", queue_id=f"Q{n}") for n in range(10)))
            await put(node, queued("b@other.example", queue_id="R"))
            await eventually(lambda: len(scheduler._in_flight) == 11 and sink.connections == 3)
            await reload(node, scheduler, other(node, routes={"example.org": f"smtp:{ministry.address}"}))
            await eventually(lambda: len(ministry.messages) == 8, "all that no attempt was under way for")
            assert sink.connections == 3
            sink.behave()


async def test_what_was_put_off_for_hours_takes_the_new_route_at_once(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("rcpt", "450 4.2.0 later")
    with Sink() as ministry:
        async with running(tmp_path, dns_server, sink, retry_schedule_s=[3600]) as (node, scheduler):
            await put(node, queued("a@example.org", queue_id="Q"), queued("b@other.example", queue_id="R"))
            await eventually(lambda: node.counters.values["deferred"] == 2)
            await reload(node, scheduler, other(node, routes={"example.org": f"smtp:{ministry.address}"}))
            await eventually(lambda: len(ministry.messages) == 1)
            assert [m.recipients for m in ministry.messages] == [("a@example.org",)]


async def test_an_attempt_under_way_by_the_old_route_costs_no_wait(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("helo", Act.HANG)
    settings: dict[str, Any] = {"retry_schedule_s": [3600], "command_timeout_s": 0.5}
    with Sink() as ministry:
        async with running(tmp_path, dns_server, sink, **settings) as (node, scheduler):
            await put(node, queued("a@example.org", queue_id="Q"))
            await eventually(lambda: sink.connections == 1)
            await reload(node, scheduler, other(node, routes={"example.org": f"smtp:{ministry.address}"}))
            await eventually(lambda: len(ministry.messages) == 1)
            assert node.counters.values["deferred"] == 1


async def test_an_attempt_under_way_by_the_old_minimum_costs_no_wait(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("helo", Act.HANG, times=1)
    settings: dict[str, Any] = {"retry_schedule_s": [3600], "command_timeout_s": 0.5}
    async with running(tmp_path, dns_server, sink, **settings) as (node, scheduler):
        strict = {"minimum": {"example.org": {"level": "encrypt"}}}
        await reload(node, scheduler, other(node, tls_out=strict))
        await put(node, queued("a@example.org", queue_id="Q"))
        await eventually(lambda: sink.connections == 1)
        await reload(node, scheduler, other(node, tls_out={"minimum": {}}))
        await eventually(lambda: len(sink.messages) == 1)
        assert node.counters.values["deferred"] == 1


async def test_a_minimum_of_tls_holds_from_the_next_message_on_and_its_end_wakes_what_waited(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink, retry_schedule_s=[3600]) as (node, scheduler):
        await put(node, queued("a@example.org", queue_id="Q"))
        await eventually(lambda: len(sink.messages) == 1)
        strict = {"minimum": {"example.org": {"level": "encrypt"}}}
        await reload(node, scheduler, other(node, tls_out=strict))
        await put(node, queued("a@example.org", queue_id="R"))
        await eventually(lambda: node.counters.values["deferred"] == 1)
        assert len(sink.messages) == 1, "in the clear, by the connection that was kept"
        await reload(node, scheduler, other(node, tls_out={"minimum": {}}))
        await eventually(lambda: len(sink.messages) == 2)


async def test_a_minimum_of_tls_for_others_leaves_mailboxes_here_alone(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        strict = {"minimum": {name: {"level": "encrypt"} for name in ("bo.gov.vn", "caobang.gov.vn")}}
        await reload(node, scheduler, other(node, tls_out=strict))
        await put(node, queued(AN, queue_id="Q"))
        await eventually(lambda: node.counters.values["delivered"] == 1)


async def test_schedule_and_places_are_those_of_the_new_settings(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("helo", Act.HANG)
    async with running(tmp_path, dns_server, sink, destination_concurrency=1) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n}") for n in range(6)))
        await eventually(lambda: sink.connections == 1)
        await reload(node, scheduler, other(node, destination_concurrency=4, retry_schedule_s=[7200]))
        await eventually(lambda: sink.connections == 4)
        sink.behave()
        sink.on("rcpt", "450 4.2.0 later")
        await put(node, queued("b@other.example", queue_id="R"))
        await eventually(lambda: node.counters.values["deferred"] >= 1)
        while (found := await node.spool.find("R")) is None or found.recipients[0].attempts == 0:
            await node.spool.apply(Change())
        assert found.recipients[0].due_ms - node.clock.now_ms() > 6_000_000


async def test_a_file_that_cannot_be_used_leaves_all_as_it_is(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        before = node.settings

        def load() -> tuple[Settings, Router]:
            raise SettingsUnusable("mailgov.toml: key delivery.routes: no route")

        await DeliveryReload(node, scheduler, load).run()
        assert node.settings is before
        await put(node, queued("a@example.org", queue_id="Q"))
        await eventually(lambda: len(sink.messages) == 1)


async def test_other_sections_wait_for_a_restart(tmp_path: Path, dns_server: DnsServer, sink: Sink) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        changed = other(node, expire_s=100.0).model_copy(update={"hostname": "other.gov.vn"})
        assert differing(node.settings, changed) == ["delivery", "hostname"]
        await reload(node, scheduler, changed)
        assert (node.settings.delivery.expire_s, node.settings.hostname) == (100.0, "mail.caobang.gov.vn")
