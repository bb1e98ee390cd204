"""A province changes its keys while mail flows: nothing ever leaves signed with a key that the DNS lacks."""

from __future__ import annotations

import smtplib
from pathlib import Path

import dkim

from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import DOMAIN, Service
from tests.support.messages import plain
from tests.support.processes import wait_until
from tests.support.sink import Received, Sink

SCANNER = f"scanner@{DOMAIN}"
OUTSIDE = "cong.dan@example.vn"


def selectors(message: Received, dns_server: DnsServer) -> set[str]:
    """Of its signatures, each of which verifies with what the DNS has now."""

    def text(name: bytes, timeout: int = 5) -> bytes | None:
        return dns_server.text(name.decode()).encode()  # KeyError: signed with a key that nobody finds

    found = [
        line.partition(b" s=")[2].partition(b";")[0].decode()
        for line in message.header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")
        if line.startswith(b"DKIM-Signature:")
    ]
    for at in range(len(found)):
        assert dkim.DKIM(message.data).verify(idx=at, dnsfunc=text), found
    return set(found)


def test_new_keys_are_taken_by_running_workers_once_the_dns_has_them(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    dns_server.mx("example.vn", "mx.example.vn")
    dns_server.a("mx.example.vn", "127.0.0.1")
    settings = {
        "dns": {"nameservers": [dns_server.address], "timeout_s": 1},
        "delivery": {"mx_port": sink.port, "allow_networks": ["127.0.0.0/8"]},
        "dkim": {"check_interval_s": 0.3, "settle_s": 0.6, "canonicalization": "relaxed/relaxed"},
    }
    service = Service(tmp_path / "mailgov", settings, workers=2)
    service.settings["smtp"] = {"trusted": [service.trusted_listener(SCANNER)]}
    service.init()
    service.add_account(SCANNER, kind="functional")
    rsa, ed25519 = service.cli("dkim", "list").expect().data
    assert (rsa["state"], ed25519["state"]) == ("active", "pending")
    dns_server.txt(rsa["record_name"], rsa["record_value"])

    def send() -> set[str]:
        with smtplib.SMTP("127.0.0.1", service.trusted, timeout=30) as session:
            session.ehlo()
            session.mail(SCANNER)
            session.rcpt(OUTSIDE)
            queue_id = session.data(plain(SCANNER, OUTSIDE))[1].split()[-1]
        return selectors(sink.wait_match(lambda m: queue_id in m.data), dns_server)

    with service:
        workers = service.processes("relay")
        assert send() == {rsa["selector"]}
        assert service.cli("dkim", "rotate", DOMAIN).status == 1, "the DNS lacks the key that waits"
        dns_server.txt(ed25519["record_name"], ed25519["record_value"])
        both = {rsa["selector"], ed25519["selector"]}
        wait_until(lambda: send() == both, what="both signatures")

        made = service.cli("dkim", "rotate", DOMAIN).expect().data["made"]
        assert [key["algorithm"] for key in made] == ["rsa", "ed25519"]
        assert send() == both
        dns_server.txt(made[0]["record_name"], made[0]["record_value"])
        dns_server.txt(made[1]["record_name"], made[1]["record_value"].replace("p=", "t=y; p="))
        wait_until(lambda: send() == {made[0]["selector"], ed25519["selector"]}, what="the new RSA key")
        dns_server.txt(made[1]["record_name"], made[1]["record_value"])
        new = {key["selector"] for key in made}
        # Each worker learns of it by itself, and the system says which of them a session meets.
        wait_until(lambda: all(send() == new for _ in range(8)), what="both new keys, by both workers")

        # The name servers fail, and then the zone is broken: the keys at hand sign on, and it is told.
        dns_server.servfail(made[0]["record_name"])
        assert service.cli("dkim", "check", DOMAIN).expect().data[2]["standing"] == "unknown"
        dns_server.forget(made[0]["record_name"])
        wait_until(lambda: "DKIM key not in the DNS as it must be" in service.log(), what="the alarm")
        dns_server.txt(made[0]["record_name"], made[0]["record_value"])
        assert send() == new
        assert service.processes("relay") == workers, "nobody was started again"
        states = {key["selector"]: key["state"] for key in service.cli("dkim", "list").expect().data}
        assert states == dict.fromkeys(both, "retired") | dict.fromkeys(new, "active")
        assert service.cli("audit", "verify").expect().data["problems"] == []
