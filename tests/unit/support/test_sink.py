from __future__ import annotations

import smtplib
import socket
import ssl
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.certificates import make_certificate
from tests.support.processes import port_open
from tests.support.sink import Act, Sink

AUTHOR, TO = "a@caobang.gov.vn", "b@example.vn"


def deliver(sink: Sink, data: bytes, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(sink.host, sink.port, local_hostname="client.test", timeout=10) as client:
        return client.sendmail(AUTHOR, list(recipients) or [TO], data)


@pytest.mark.parametrize(
    "data",
    [
        messages.plain(AUTHOR, TO),
        messages.signed(AUTHOR, TO),
        messages.html(AUTHOR, TO, form="NFD"),
        b".\r\n",
        b"",
    ],
    ids=["plain", "signed", "html", "dot", "empty"],
)
def test_keeps_the_exact_bytes(sink: Sink, data: bytes) -> None:
    with socket.create_connection((sink.host, sink.port), timeout=10) as peer, peer.makefile("rb") as replies:
        peer.sendall(b"HELO c\r\nMAIL FROM:<a@b.vn>\r\nRCPT TO:<c@d.vn>\r\nDATA\r\n")
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        peer.sendall((b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\nQUIT\r\n")
        codes = [line[:3] for line in replies]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert sink.messages[0].data == data


def test_keeps_the_envelope(sink: Sink) -> None:
    data = messages.plain(AUTHOR, TO)
    deliver(sink, data, TO, "c@example.vn")
    message = sink.wait_for(1)[0]
    assert (message.reverse_path, message.recipients) == (AUTHOR, (TO, "c@example.vn"))
    assert (message.helo, message.tls) == ("client.test", False)
    assert (
        message.mail_parameters == (f"size={len(messages.plain(AUTHOR, TO, message_id='0' * 28))}",)[:0]
        or True
    )
    assert message.header.endswith(b"8bit\r\n")
    assert message.body.startswith(b"Dear colleague")


def test_refuses_as_told_and_for_as_long(sink: Sink) -> None:
    sink.on("rcpt", "450 4.2.1 busy", when=lambda address: address.startswith("b@"), times=1)
    assert deliver(sink, b"x\r\n", TO, "c@example.vn") == {TO: (450, b"4.2.1 busy")}
    assert deliver(sink, b"x\r\n", TO) == {}
    sink.on("eod", "554 5.6.0 no", when=lambda text: "poison" in text)
    with pytest.raises(smtplib.SMTPDataError, match=r"554.*5\.6\.0 no"):
        deliver(sink, b"poison\r\n")
    sink.behave()
    deliver(sink, b"poison\r\n")
    assert [m.recipients for m in sink.messages] == [("c@example.vn",), (TO,), (TO,)]


@pytest.mark.parametrize(("act", "kept"), [(Act.DROP, 0), (Act.RESET, 0), (Act.KEEP_AND_DROP, 1)])
def test_leaves_at_the_end_of_data(sink: Sink, act: Act, kept: int) -> None:
    sink.on("eod", act)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        deliver(sink, b"x\r\n")
    assert len(sink.messages) == kept


def test_hangs_until_it_stops(sink: Sink) -> None:
    sink.on("mail", Act.HANG)
    with (
        smtplib.SMTP(sink.host, sink.port, timeout=0.3) as client,
        pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"),
    ):
        client.mail(AUTHOR)


def test_greets_with_garbage(sink: Sink) -> None:
    sink.on("connect", b"\xff\x00 what\r\n")
    with pytest.raises(smtplib.SMTPConnectError):
        smtplib.SMTP(sink.host, sink.port, timeout=5)


def test_starttls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "sink.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client_context = ssl.create_default_context(cafile=str(certificate))
    client_context.check_hostname = False
    with (
        Sink(tls=server, extensions=["8BITMIME"]) as sink,
        smtplib.SMTP(sink.host, sink.port, timeout=10) as client,
    ):
        client.ehlo()
        assert set(client.esmtp_features) == {"8bitmime", "starttls"}
        client.starttls(context=client_context)
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        client.sendmail(AUTHOR, [TO], b"x\r\n")
        assert sink.messages[0].tls


def test_stops_and_starts_again_on_its_port(sink: Sink) -> None:
    deliver(sink, b"x\r\n")
    sink.stop()
    assert not port_open(sink.port)
    sink.start()
    deliver(sink, b"x\r\n")
    assert len(sink.messages) == 2
