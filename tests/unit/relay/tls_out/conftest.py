"""A destination with a mail host that knows TLS, a policy host, and a node that writes to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mailgov.mail.events import OutcomeEvent
from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.node import Node
from mailgov.relay.route import Lane, Router
from mailgov.relay.tls_out.demand import Wish
from mailgov.relay.tls_out.wish import KEY
from mailgov.settings import Settings
from mailgov.store.spool import Change
from tests.support.certificates import Authority, Issued
from tests.support.dns_server import DnsServer
from tests.support.https_server import HttpsServer
from tests.support.relay_node import node_settings, running_node
from tests.support.sink import EXTENSIONS, Sink
from tests.unit.relay.conftest import OwnTime, queued, stored

DOMAIN, MX = "example.org", "mx.example.org"
ENFORCE = f"version: STSv1\nmode: enforce\nmx: {MX}\nmax_age: 604800\n"


@dataclass
class There:
    """example.org: its DNS, mail host and policy host."""

    dns: DnsServer
    sink: Sink
    web: HttpsServer
    authority: Authority
    folder: Path
    time: OwnTime
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def publish(self, policy: str, id: str = "1") -> None:  # noqa: A002 - the field's name
        """An MTA-STS policy."""
        self.dns.txt(f"_mta-sts.{DOMAIN}", f"v=STSv1; id={id};", ttl=0)
        self.dns.a(f"mta-sts.{DOMAIN}", "127.0.0.1")
        self.web.body = policy.encode()

    def dane(self, *records: str, name: str = MX) -> None:
        """TLSA records of the mail host, in a zone that is signed."""
        self.dns.vouch(DOMAIN)
        self.settings["dns"] = {"validating": True}
        self.dns.add(f"_{self.sink.port}._tcp.{name}", "TLSA", *records)

    def show(self, issued: Issued) -> None:
        """The mail host has this certificate."""
        self.sink.tls = issued.server_context()

    def show_web(self, issued: Issued) -> None:
        """The policy host has this certificate."""
        self.web.tls = issued.server_context()

    def node_settings(self) -> Settings:
        """Of a node that asks this DNS and believes this authority, with `settings` on top."""
        base: dict[str, dict[str, Any]] = {
            "dns": {"nameservers": [self.dns.address], "timeout_s": 2.0},
            "delivery": {"allow_networks": ["127.0.0.0/8"], "mx_port": self.sink.port},
            "tls_out": {"ca_file": self.authority.file, "mta_sts_port": self.web.port},
        }
        return node_settings(
            self.folder / "node",
            {key: {**base.get(key, {}), **self.settings.get(key, {})} for key in {*base, *self.settings}},
        )

    @contextmanager
    def relay(self) -> Iterator[Relay]:
        """The node, started anew on the same data."""
        with running_node(self.node_settings(), clock=self.time.clock()) as node:
            yield Relay(node)


@dataclass
class Relay:
    """A node that sends."""

    node: Node
    session: LaneSession = field(default_factory=lambda: LaneSession(Lane("mx", DOMAIN)))
    number: int = 0

    async def send(self, wish: Wish = None, *, keep: bool = False, lane: Lane | None = None) -> OutcomeEvent:
        """What becomes of a message to b@example.org; the connection is let go of unless `keep`."""
        self.number += 1
        now_ms = self.node.clock.now_ms()
        message = queued(f"b@{DOMAIN}", queue_id=f"01Q{now_ms}{self.number}", received_ms=now_ms)
        message = await stored(self.node, replace(message, context={KEY: wish} if wish else {}))
        node = self.node
        attempt = Attempt(node, Router(node.settings.delivery, node.resolver, node.settings.hostname))
        if lane is not None:
            self.session.lane = lane
        await attempt.run(node.spool, message, message.recipients, self.session)
        if not keep:
            await self.session.close()
        await node.spool.apply(Change())  # what was told lies behind it
        found = await node.spool.events(0, 1000)
        told = [e for _, e in found if isinstance(e, OutcomeEvent) and e.queue_id == message.queue_id]
        return told[-1]


def digest(data: bytes) -> str:
    """As a TLSA record of matching type 1 has it."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def there(tmp_path: Path, dns_server: DnsServer, time: OwnTime) -> Iterator[There]:
    authority = Authority.make(tmp_path)
    issued = authority.issue(tmp_path, MX)
    web = authority.issue(tmp_path, f"mta-sts.{DOMAIN}")
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(extensions=EXTENSIONS, tls=issued.server_context()))
        policies = stack.enter_context(HttpsServer(web.server_context()))
        dns_server.mx(DOMAIN, MX)
        dns_server.a(MX, sink.host)
        yield There(dns_server, sink, policies, authority, tmp_path, time)


@pytest.fixture
def issued(there: There) -> Issued:
    """The mail host's certificate."""
    made = there.authority.issue(there.folder, MX)
    there.show(made)
    return made
