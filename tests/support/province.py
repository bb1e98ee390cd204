"""A small province on a running mailgov: people, agencies, the outside world, and what to ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import swaks
from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service
from tests.support.processes import wait_until
from tests.support.sink import Sink
from tests.support.toml_text import merged
from tests.support.transcript import Transcript

PASSWORD = "Ban-do-1945-Cao-Bang"
AN, BINH = "annv@caobang.gov.vn", "binhtt@caobang.gov.vn"
OUTSIDE = "example.org"
SCANNER = "scanner@caobang.gov.vn"


class Province:
    """`service` with agencies SNV and VP, An (SNV), Bình (VP), UBND's mailbox granted to Bình, a scanner."""

    def __init__(self, service: Service, dns: DnsServer, sink: Sink) -> None:
        self.service, self.dns, self.sink = service, dns, sink
        self.token = ""
        self.imap, self.imaps = service.imap, service.imaps

    def provision(self, *, small: bool = False) -> None:
        """What an administrator does on the first day, by the command line.

        `small`: An, the scanner and a token alone, for tests that need a service of their own.
        """
        cli = self.service.cli
        if small:
            cli("agency", "add", "SNV", "--name", "Sở Nội vụ").expect()
            self.person(AN, "Nguyễn Văn An", "SNV")
            self.person(SCANNER, "Máy quét", "SNV", kind="functional")
            self.token = cli("token", "create", "test", "--role", "operator").expect().data["token"]
            return
        cli("agency", "add", "SNV", "--name", "Sở Nội vụ", "--abbreviation", "SNV").expect()
        cli("agency", "add", "VP", "--name", "Văn phòng UBND tỉnh", "--abbreviation", "VP").expect()
        cli("agency", "add", "UBND", "--name", "UBND tỉnh Cao Bằng", "--abbreviation", "UBND").expect()
        self.person(AN, "Nguyễn Văn An", "SNV")
        self.person(BINH, "Trần Thị Bình", "VP")
        self.person("ubnd@caobang.gov.vn", "UBND tỉnh", "UBND", kind="functional")
        cli("account", "grant", BINH, "ubnd@caobang.gov.vn", as_json=False).expect()
        self.person(SCANNER, "Máy quét", "VP", kind="functional")
        cli("alias", "add", "vanthu@caobang.gov.vn", "--to", AN).expect()
        cli("alias", "add", "ld-snv@caobang.gov.vn", "--to", AN, "--to", BINH, "--kind", "list").expect()
        self.token = cli("token", "create", "test", "--role", "operator").expect().data["token"]

    def person(self, address: str, name: str, agency: str, *, kind: str = "personal") -> None:
        words = ["account", "add", address, "--name", name, "--agency", agency, "--kind", kind]
        words += ["--class", "cong_chuc"] if kind == "personal" else []
        self.service.cli(*words, "--password-stdin", "--permanent", stdin=f"{PASSWORD}\n").expect()

    def keys(self) -> dict[str, str]:
        """The records of the active DKIM keys by name, published in the DNS."""
        records = {
            key["record_name"]: key["record_value"]
            for key in self.service.cli("dkim", "list").expect().data
            if key["state"] == "active"
        }
        for name, text in records.items():
            self.dns.txt(name, text)
        return records

    # A client's acts

    def submit(self, data: bytes, *, to: str | list[str], account: str = AN, **more: Any) -> Transcript:
        """Sign in and send, with swaks; STARTTLS unless `port` and `tls` say otherwise."""
        words: dict[str, Any] = {"reverse_path": account, "password": PASSWORD, "tls": "starttls", **more}
        port = words.pop("port", self.service.submission)
        return swaks.send(port, to=to, data=data, account=account, **words)

    # What became of it

    def messages(self, **query: str) -> list[dict[str, Any]]:
        """Traffic records from the API."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.service.get(f"/api/v1/messages?limit=500&{words}", self.token)
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.data["items"]
        return found

    def record(
        self, queue_id: str, fits: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """The record of a queue id, once it is there and fits."""

        def look() -> list[dict[str, Any]]:
            return [r for r in self.messages(queue_id=queue_id) if fits(r)]

        return wait_until(look, timeout_s=20, what=f"the record of {queue_id}")[0]

    def settled(self, queue_id: str, *states: str) -> dict[str, Any]:
        """The record, once every recipient is in one of the states (delivered, unless named)."""
        wanted = set(states or ("delivered",))
        return self.record(queue_id, lambda r: all(x["state"] in wanted for x in r["recipients"]))

    def maildir(self, address: str) -> Path:
        local, _, domain = address.partition("@")
        return self.service.data_dir / "mail" / domain / local

    def inbox(self, address: str, count: int = 1, *, timeout_s: float = 20) -> list[bytes]:
        """The messages in a mailbox, oldest first, once there are `count` at least."""
        new = self.maildir(address) / "new"
        wait_until(
            lambda: new.is_dir() and len(list(new.iterdir())) >= count,
            timeout_s=timeout_s,
            what=f"message {count} for {address}",
        )
        return [file.read_bytes() for file in sorted(new.iterdir())]


def queue_id_of(transcript: Transcript) -> str:
    """The queue id in the reply to the end of data."""
    return transcript.kept.text.rpartition(" ")[2]


def outside_world(dns: DnsServer, sink: Sink) -> dict[str, Any]:
    """Settings that put the sink behind example.org's MX, and every question to our DNS server."""
    dns.mx(OUTSIDE, f"mx.{OUTSIDE}")
    dns.a(f"mx.{OUTSIDE}", "127.0.0.1")
    return {
        "dns": {"nameservers": [dns.address]},
        "delivery": {
            "mx_port": int(sink.address.rpartition(":")[2]),
            "allow_networks": ["127.0.0.0/8"],
            "retry_schedule_s": [1],
        },
    }


@contextmanager
def running_province(
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    *,
    workers: int = 1,
    small: bool = False,
    options: Sequence[str] = (),
    **more: Any,
) -> Iterator[Province]:
    """A province that is up, with DNS and sink of its own; `options` are `serve`'s."""
    with DnsServer() as dns, Sink() as sink:
        laid = merged(outside_world(dns, sink), settings or {})
        service = Service(folder, laid, workers=workers, **more)
        service.settings.setdefault("smtp", {})["trusted"] = [service.trusted_listener(SCANNER)]
        service.init()
        province = Province(service, dns, sink)
        province.provision(small=small)
        service.start(*options)
        try:
            yield province
        finally:
            service.kill()
