"""What all peers share: who sends to whom, the key that signs, the certificate of the entrance."""

from __future__ import annotations

import socket
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.cpu import Group
from tests.support.certificates import make_certificate
from tests.support.programs import program

SELECTOR = "bench"
CONCURRENCY = 100
"""Deliveries at once to the sink: Postfix's default of 20 is slower here."""


@dataclass(frozen=True, slots=True)
class Site:
    """A sender with a password, a recipient elsewhere, and the files that a peer needs."""

    domain: str
    account: str
    password: str
    recipient: str
    key: Path
    """The RSA-2048 key that the peers sign with; mailgov makes its own."""
    certificate: Path
    certificate_key: Path
    """P-256, as mailgov's."""

    @property
    def recipient_domain(self) -> str:
        return self.recipient.rpartition("@")[2]

    @staticmethod
    def make(work: Path) -> Site:
        """A site whose files lie in `work`."""
        key = work / "dkim.pem"
        if not key.exists():
            argv = [program("openssl"), "genrsa", "-traditional", "-out", str(key), "2048"]
            subprocess.run(argv, check=True, capture_output=True)
        certificate, certificate_key = make_certificate(work, "mail.bench.gov.vn")
        domain = "bench.gov.vn"
        return Site(
            domain=domain,
            account=f"scanner@{domain}",
            password="correct horse battery staple",
            recipient="citizen@destination.test",
            key=key,
            certificate=certificate,
            certificate_key=certificate_key,
        )


def listening(path: Path) -> bool:
    """True when something accepts connections on the unix socket; its file alone says nothing."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


class Peer(Protocol):
    """A service under load."""

    @property
    def name(self) -> str: ...

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        ...

    def running(
        self, folder: Path, sink_port: int, cpu: Group, submission: bool
    ) -> AbstractContextManager[int]:
        """Run it in a fresh `folder`, counted in `cpu`, until the block is left; gives the entrance's port.

        With `submission` the entrance asks for STARTTLS and AUTH, else it trusts loopback.
        """
        ...
