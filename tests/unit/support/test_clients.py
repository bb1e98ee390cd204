from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.support import curl, messages, swaks
from tests.support.certificates import make_certificate
from tests.support.programs import needs
from tests.support.sink import Sink
from tests.support.smtp_sink import smtp_sink

AUTHOR, TO = "a@caobang.gov.vn", "b@example.vn"
SAMPLES = {
    "plain": messages.plain(AUTHOR, TO),
    "signed": messages.signed(AUTHOR, TO),
    "raw": messages.raw_eight_bit(AUTHOR, TO),
    "dots": b".first\r\n\r\n.\r\n..\r\n",
}


@needs("swaks")
@pytest.mark.parametrize("name", SAMPLES)
def test_swaks_sends_the_exact_bytes(sink: Sink, name: str) -> None:
    sent = swaks.send(sink.port, reverse_path=AUTHOR, to=[TO, "c@example.vn"], data=SAMPLES[name])
    assert sent.accepted, sent.text
    assert sent.kept.text == "2.0.0 kept"
    assert sink.messages[0].recipients == (TO, "c@example.vn")
    assert sink.messages[0].data == SAMPLES[name]


@needs("swaks")
def test_swaks_shows_refusals(sink: Sink) -> None:
    sink.on("rcpt", "550 5.1.1 nobody here")
    sent = swaks.send(sink.port, reverse_path=AUTHOR, to=TO)
    assert not sent.accepted
    assert (sent.refusal.code, sent.refusal.text) == (550, "5.1.1 nobody here")


@needs("curl")
@pytest.mark.parametrize("name", SAMPLES)
def test_curl_sends_the_exact_bytes(sink: Sink, name: str) -> None:
    sent = curl.send(sink.port, reverse_path=AUTHOR, to=[TO, "c@example.vn"], data=SAMPLES[name])
    assert sent.accepted, sent.text
    assert sent.kept.text == "2.0.0 kept"
    assert sink.messages[0].recipients == (TO, "c@example.vn")
    assert sink.messages[0].data == SAMPLES[name]


@needs("swaks", "curl", "Net::SSLeay", "IO::Socket::SSL", "Authen::SASL")
def test_both_sign_in_over_starttls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "sink.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Sink(tls=context, extensions=["AUTH PLAIN", "8BITMIME"]) as sink:
        for client in (swaks, curl):
            sent = client.send(
                sink.port,
                reverse_path=AUTHOR,
                to=TO,
                data=SAMPLES["plain"],
                account="a",
                password="p",
                tls="starttls",
            )
            assert sent.accepted, sent.text
        assert [message.tls for message in sink.messages] == [True, True]
        assert sum(command.startswith("AUTH PLAIN") for command in sink.commands) == 2


@needs("curl", "smtp-sink")
def test_smtp_sink_keeps_envelope_and_bytes(tmp_path: Path) -> None:
    with smtp_sink(tmp_path) as outside:
        for sample in SAMPLES.values():
            curl.send(outside.port, reverse_path=AUTHOR, to=[TO, "c@example.vn"], data=sample)
        dumped = outside.wait_for(len(SAMPLES))
    assert {(m.reverse_path, m.recipients) for m in dumped} == {(AUTHOR, (TO, "c@example.vn"))}
    assert sorted(m.data for m in dumped) == sorted(SAMPLES.values())
