"""Clients that people and programs use, over submission and submissions: what they wrote arrives."""

from __future__ import annotations

import email
import tomllib
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from tests.support import curl, messages, swaks
from tests.support.mail_clients import (
    Letter,
    Server,
    by_msmtp,
    by_mutt,
    by_nodemailer,
    by_s_client,
    by_smtplib,
    s_client,
)
from tests.support.programs import needs
from tests.support.province import AN, OUTSIDE, PASSWORD, Province
from tests.support.sink import Received

SUBJECT = "Giấy mời họp trực tuyến về chuyển đổi số – Sở Nội vụ"
TEXT = "Kính gửi: các đồng chí,\nĐề nghị dự họp đúng giờ.\n.\n..hai dấu chấm\nTrân trọng.\n"
FILE_NAME = "Công văn số 12 (bản ký).pdf"
FILE = messages.pdf(5000)
WAYS = ("submission", "submissions")

Client = Callable[[Server, Letter, Path], bytes | None]


def server_of(province: Province, way: str) -> Server:
    service = province.service
    settings = tomllib.loads(service.config.read_text(encoding="utf-8"))
    authority = Path(settings["tls"]["certificate"])
    port = service.submissions if way == "submissions" else service.submission
    return Server(port, way == "submissions", service.hostname, authority, AN, PASSWORD)


def arrived(province: Province, to: str) -> Received:
    return province.sink.wait_match(lambda message: to in message.recipients)


def read(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def check_letter(received: Received, sent: bytes | None) -> None:
    """What the citizen sees is what the official wrote; its octets are those `sent` where they are known."""
    assert sent is None or received.data.endswith(sent)
    message = read(received.data)
    body = message.get_body(("plain",))
    (file,) = message.iter_attachments()
    assert message["Subject"] == SUBJECT
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == TEXT
    assert file.get_filename() == FILE_NAME
    assert file.get_content() == FILE
    assert received.reverse_path == AN
    # It left signed, by the way in that it really took.
    assert message["DKIM-Signature"] is not None
    assert " with ESMTPSA " in message["Received"].replace("\n", " ") or "UTF8SMTPSA" in message["Received"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "client",
    [
        pytest.param(by_smtplib, id="smtplib"),
        pytest.param(by_msmtp, id="msmtp", marks=needs("msmtp")),
        pytest.param(by_mutt, id="mutt", marks=needs("mutt")),
        pytest.param(by_nodemailer, id="nodemailer", marks=needs("node", "npm")),
        pytest.param(by_s_client, id="s_client", marks=needs("openssl")),
    ],
)
def test_a_letter_arrives_as_it_was_written(
    province: Province, tmp_path: Path, client: Client, way: str
) -> None:
    to = f"{client.__name__}.{way}@{OUTSIDE}"
    sent = client(server_of(province, way), Letter(to, SUBJECT, TEXT, FILE_NAME, FILE), tmp_path)
    check_letter(arrived(province, to), sent)


@pytest.mark.parametrize(
    ("client", "way"),
    [
        (by_smtplib, "submission"),
        pytest.param(by_nodemailer, "submissions", marks=needs("node", "npm")),
        pytest.param(by_s_client, "submissions", marks=needs("openssl")),
    ],
)
def test_a_vietnamese_address_is_written_to(
    province: Province, tmp_path: Path, client: Client, way: str
) -> None:
    to = f"đặng.{client.__name__}@{OUTSIDE}"
    sent = client(server_of(province, way), Letter(to, SUBJECT, TEXT, FILE_NAME, FILE), tmp_path)
    received = arrived(province, to)
    assert "SMTPUTF8" in received.mail_parameters
    check_letter(received, sent)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("client", [pytest.param("swaks", marks=needs("swaks", "Net::SSLeay")), "curl"])
def test_given_bytes_arrive_as_they_are(province: Province, client: str, way: str) -> None:
    """`signed` has all that a re-serialiser would change; swaks signs in by LOGIN, curl as it likes."""
    server, to = server_of(province, way), f"{client}.{way}@{OUTSIDE}"
    data = messages.signed(AN, to, subject=messages.encoded_word(SUBJECT))
    tls: swaks.Tls = "implicit" if server.implicit else "starttls"
    if client == "swaks":
        sent = swaks.send(
            server.port, reverse_path=AN, to=to, data=data, account=AN, password=PASSWORD, tls=tls,
            mechanism="LOGIN",
        )  # fmt: skip
    else:
        sent = curl.send(
            server.port, reverse_path=AN, to=to, data=data, account=AN, password=PASSWORD, tls=tls,
            authority=server.authority, host=server.name,
            options=["--resolve", f"{server.name}:{server.port}:{server.host}"],
        )  # fmt: skip
    assert sent.accepted, sent.text
    received = arrived(province, to)
    assert received.data.endswith(data)
    assert read(received.data)["Subject"] == SUBJECT


@needs("openssl")
@pytest.mark.parametrize("way", WAYS)
def test_old_tls_and_weak_suites_get_no_session(province: Province, way: str) -> None:
    server = server_of(province, way)
    weak = ["-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"]
    for options in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], weak):
        output = s_client(server, options, b"EHLO client.test\r\nQUIT\r\n")
        assert "221 " not in output, output
        assert "error:" in output, output
    assert "221 2.0.0" in s_client(server, ["-tls1_2"], b"EHLO client.test\r\nQUIT\r\n")
