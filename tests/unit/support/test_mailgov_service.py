from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import dkim_verify, messages, swaks
from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service
from tests.support.processes import running, wait_until
from tests.support.programs import needs
from tests.support.sink import Sink

ACCOUNT, PASSWORD, TO = "an@caobang.gov.vn", "mật khẩu an toàn", "b@example.vn"


def outside(dns_server: DnsServer, sink: Sink) -> dict[str, object]:
    """Settings that make the two of them the whole world."""
    dns_server.mx("example.vn", "mx.example.vn")
    dns_server.a("mx.example.vn", "127.0.0.1")
    return {
        "dns": {"nameservers": [dns_server.address]},
        "delivery": {"mx_port": sink.port, "allow_networks": ["127.0.0.0/8"]},
    }


@pytest.mark.e2e
@needs("swaks", "Net::SSLeay", "Authen::SASL", "Mail::DKIM")
def test_a_service_is_made_used_killed_and_started_again(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    def send() -> str:
        message = messages.plain(ACCOUNT, TO)
        sent = swaks.send(
            service.submission,
            reverse_path=ACCOUNT,
            to=TO,
            data=message,
            account=ACCOUNT,
            password=PASSWORD,
            tls="starttls",
        )
        return sent.kept.text

    service = Service(tmp_path / "mailgov", outside(dns_server, sink), workers=2)
    service.init()
    service.publish(dns_server)
    service.add_account(ACCOUNT, PASSWORD)
    with service:
        assert service.get("/api/v1/messages").status == 401
        assert service.get("/api/v1/messages", service.token("operator")).status == 200

        first = service.processes("relay")
        assert len(first) == 2
        send()
        [message] = sink.wait_for(1)
        [verdict] = dkim_verify.mail_dkim(message.data, dns_server)
        assert (verdict.result, verdict.domain) == ("pass", service.domain)

        service.kill_workers()
        wait_until(lambda: len(service.processes("relay")) == 2, what="two new workers")
        assert not set(first) & set(service.processes("relay"))

        family = service.processes()
        service.kill()
        assert not any(running(pid) for pid in family)

        service.restart(workers=1)
        assert len(service.processes("relay")) == 1
        send()
        sink.wait_for(2)
        assert service.stop() == 0
    assert service.log().count("mailgov is ready") == 2
