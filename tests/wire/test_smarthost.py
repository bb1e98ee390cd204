"""A smarthost that asks who we are: another of our own kind, and one that behaves badly."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.client import Connection
from mailgov.relay.content import Content
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hop, Manner
from mailgov.settings import DeliveryLogin, DeliverySettings
from tests.support.certificates import make_certificate
from tests.support.relay_node import AN, PASSWORD
from tests.support.sink import EXTENSIONS, Sink
from tests.wire.conftest import World

DATA = (
    f"From: <{AN}>\r\nTo: <x@example.org>\r\nSubject: 12/CV\r\nMessage-ID: <1@a.vn>\r\n\r\nbody\r\n".encode()
)
ONE = Envelope(AN, ("x@example.org",), smtputf8=False, eight_bit=False)
QUICK = DeliverySettings(connect_timeout_s=2, command_timeout_s=2, data_timeout_s=2)
AUTH = (*EXTENSIONS, "AUTH PLAIN LOGIN")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return file


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong"
    file.write_text("not-the-password\n")
    return file


def hop(port: int, secret: Path, authorities: Path, *, host: str = "localhost", **manner: Any) -> Hop:
    login = DeliveryLogin(at=(host, port), user=AN, password_file=secret, ca_file=authorities)
    return Hop(host, "127.0.0.1", port, Manner(login=login, **manner))


async def opened(hop: Hop, pool: ThreadPoolExecutor) -> Connection:
    return await Connection.open(hop, QUICK, "relay.xa.gov.vn", pool)


async def refusal(hop: Hop, pool: ThreadPoolExecutor) -> Reply:
    with pytest.raises(MailError) as caught:
        await opened(hop, pool)
    assert caught.value.reply.transient, "what is wrong with a login is ours to mend: mail waits"
    return caught.value.reply


@pytest.mark.parametrize("kind", ["submission", "submissions"])
async def test_mail_goes_by_a_smarthost_that_wants_a_password(
    world: World, server_tls: tuple[Any, Path], secret: Path, pool: ThreadPoolExecutor, kind: str
) -> None:
    way = hop(world.ports[kind], secret, server_tls[1], tls_first=kind == "submissions")
    connection = await opened(way, pool)
    (reply,) = await connection.send(ONE, Content(DATA, size_bytes=len(DATA)))
    await connection.close()
    assert reply.code == 250, reply
    (kept,) = world.offered
    assert await world.bytes_of(kept) == DATA
    assert kept.reverse_path == AN


async def test_a_wrong_password_makes_mail_wait_and_is_told_nobody(
    world: World, server_tls: tuple[Any, Path], wrong: Path, pool: ThreadPoolExecutor
) -> None:
    structlog.reset_defaults()
    with capture_logs() as logs:
        reply = await refusal(hop(world.ports["submission"], wrong, server_tls[1]), pool)
    assert reply.line() == "451 4.7.8 localhost refuses our login (535)"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "next hop refuses our login"
    ]
    said = repr(logs) + reply.line()
    for form in (b"not-the-password", base64.b64encode(f"\0{AN}\0not-the-password".encode())):
        assert form.decode() not in said


@pytest.fixture
def own(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for smart.vn, and who is to be believed."""
    certificate, key = make_certificate(tmp_path, "smart.vn")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def said_secret(sink: Sink) -> bool:
    return any(command.upper().startswith("AUTH") for command in sink.commands)


async def test_login_where_plain_is_not_offered(
    own: tuple[ssl.SSLContext, Path], secret: Path, pool: ThreadPoolExecutor
) -> None:
    with Sink(tls=own[0], extensions=(*EXTENSIONS, "AUTH LOGIN XOAUTH2")) as sink:
        made = await opened(hop(sink.port, secret, own[1], host="smart.vn"), pool)
        assert (await made.send(ONE, Content(DATA, size_bytes=len(DATA))))[0].positive
        await made.close()
        assert [command.split()[1] for command in sink.commands if command.startswith("AUTH")] == ["LOGIN"]


async def test_no_password_without_tls(
    own: tuple[ssl.SSLContext, Path], secret: Path, pool: ThreadPoolExecutor
) -> None:
    structlog.reset_defaults()
    with Sink(extensions=AUTH) as sink, capture_logs() as logs:
        assert "offers no TLS" in (await refusal(hop(sink.port, secret, own[1]), pool)).text
        assert not said_secret(sink)
        first = await refusal(hop(sink.port, secret, own[1], tls_first=True), pool)
        assert first.text == "No connection to localhost (no TLS: wrong version number)"
    told = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert told == ["next hop gets no password"] * 2, "it is for us to mend"
    with Sink(tls=own[0], extensions=AUTH) as sink:
        sink.on("starttls", "454 4.7.0 not now")
        assert (
            "No TLS with smart.vn"
            in (await refusal(hop(sink.port, secret, own[1], host="smart.vn"), pool)).text
        )
        assert not said_secret(sink)


@pytest.mark.parametrize("host", ["other.vn", "smart.vn"])
async def test_no_password_to_who_cannot_show_that_he_is_it(
    own: tuple[ssl.SSLContext, Path], tmp_path: Path, secret: Path, pool: ThreadPoolExecutor, host: str
) -> None:
    """Another name, or a certificate of somebody whom nobody named."""
    (tmp_path / "else").mkdir()
    authorities = own[1] if host == "other.vn" else make_certificate(tmp_path / "else", "smart.vn")[0]
    with Sink(tls=own[0], extensions=AUTH) as sink:
        reply = await refusal(hop(sink.port, secret, authorities, host=host), pool)
        assert reply.line() == f"451 4.7.0 The certificate of {host} is not good: no password is sent"
        assert not said_secret(sink)


async def test_a_smarthost_that_offers_nothing_we_can_do(
    own: tuple[ssl.SSLContext, Path], secret: Path, pool: ThreadPoolExecutor
) -> None:
    for extensions in (EXTENSIONS, (*EXTENSIONS, "AUTH GSSAPI")):
        with Sink(tls=own[0], extensions=extensions) as sink:
            reply = await refusal(hop(sink.port, secret, own[1], host="smart.vn"), pool)
            assert "offers neither AUTH PLAIN nor AUTH LOGIN" in reply.text
            assert not said_secret(sink)


async def test_a_password_file_that_went_away_makes_mail_wait(
    own: tuple[ssl.SSLContext, Path], tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    with Sink(tls=own[0], extensions=AUTH) as sink:
        assert "cannot be read" in (await refusal(hop(sink.port, tmp_path / "gone", own[1]), pool)).text
        assert sink.connections == 0
