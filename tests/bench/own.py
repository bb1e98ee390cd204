"""mailgov as a peer: the whole service with ledger, policy and signature, as an operator runs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cpu import Group
from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service


@dataclass(frozen=True, slots=True)
class Mailgov:
    """The entrance is a trusted listener, whose account is the load's reverse-path and author."""

    domain: str
    account: str
    recipient_domain: str
    workers: int = os.cpu_count() or 1

    @property
    def name(self) -> str:
        return f"mailgov, {self.workers} worker{'s' if self.workers > 1 else ''}"

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        return None

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: Group) -> Iterator[int]:
        """Run it in a fresh `folder`; yields the entrance's port."""
        shutil.rmtree(folder, ignore_errors=True)
        with DnsServer() as dns:
            # Every message's provider is looked up in the DNS, though the route below delivers it.
            dns.mx(self.recipient_domain, f"mx.{self.recipient_domain}")
            dns.a(f"mx.{self.recipient_domain}", "192.0.2.25")
            service = Service(folder, domain=self.domain, workers=self.workers, prefix=cpu.command([]))
            service.settings = {
                "smtp": {"trusted": [service.trusted_listener(self.account)]},
                "dns": {"nameservers": [dns.address]},
                "delivery": {"routes": {"*": f"smtp:127.0.0.1:{sink_port}"}},
            }
            service.init()
            service.add_account(self.account, kind="functional")
            try:
                service.start()
                yield service.trusted
                service.stop()
            finally:
                service.kill()
