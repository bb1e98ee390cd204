"""mailgov as a peer: the whole service with ledger, policy and signature, as an operator runs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.cpu import Group
from tests.bench.site import Site
from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service
from tests.support.toml_text import merged


@dataclass(frozen=True, slots=True)
class Mailgov:
    """The entrance is a trusted listener, whose account is the load's author, or submission by the same."""

    site: Site
    workers: int = os.cpu_count() or 1
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"mailgov, {self.workers} worker{'s' if self.workers > 1 else ''}"

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        return None

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: Group, submission: bool) -> Iterator[int]:
        """Run it in a fresh `folder`; yields the entrance's port."""
        with self.prepared(folder, sink_port, cpu) as service:
            try:
                service.start()
                yield service.submission if submission else service.trusted
                service.stop()
            finally:
                service.kill()

    @contextmanager
    def prepared(
        self, folder: Path, sink_port: int, cpu: Group, settings: Mapping[str, Any] | None = None
    ) -> Iterator[Service]:
        """A service that is set up in a fresh `folder` and not started; `settings` lie over the bench's."""
        shutil.rmtree(folder, ignore_errors=True)
        site = self.site
        with DnsServer() as dns:
            # Every message's provider is looked up in the DNS, though the route below delivers it.
            dns.mx(site.recipient_domain, f"mx.{site.recipient_domain}")
            dns.a(f"mx.{site.recipient_domain}", "192.0.2.25")
            prefix = cpu.command([])
            service = Service(folder, domain=site.domain, workers=self.workers, prefix=prefix, env=self.env)
            own = {
                # All sessions of the load come from one client, with one account.
                "smtp": {"trusted": [service.trusted_listener(site.account)], "client_session_limit": 500},
                "dns": {"nameservers": [dns.address]},
                "delivery": {"routes": {"*": f"smtp:127.0.0.1:{sink_port}"}},
            }
            service.settings = merged(own, settings or {})
            service.init()
            service.add_account(site.account, site.password, kind="functional")
            yield service
