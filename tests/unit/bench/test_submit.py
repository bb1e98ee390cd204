"""The load generator for submission, against a server that keeps what it gets."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import submit
from tests.support.certificates import make_certificate
from tests.support.sink import Sink


@pytest.fixture
def server(tmp_path: Path) -> Sink:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(tmp_path, "mail.test"))
    return Sink(tls=context)


def load(port: int, sessions: int, messages: int, kept: bool = False) -> subprocess.CompletedProcess[str]:
    numbers = map(str, (port, sessions, messages, 4096, int(kept)))
    argv = [sys.executable, "-m", "tests.bench.submit", *numbers, "a@from.test", "b@to.test"]
    return subprocess.run(argv, check=False, input="secret\n", capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(("kept", "connections"), [(False, 7), (True, 3)])
def test_every_message_is_sent_once_after_starttls_and_auth(
    server: Sink, kept: bool, connections: int
) -> None:
    with server:
        done = load(server.port, 3, 7, kept)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        assert len(server.messages) == 7
        assert server.connections == connections
        assert all(each.tls and each.recipients == ("b@to.test",) for each in server.messages)
        assert sum(each.startswith("AUTH PLAIN AGFA") for each in server.commands) == connections
        assert {len(each.data) for each in server.messages} <= {4096, 4097}
        assert len({each.header for each in server.messages}) == 7


def test_a_refused_message_is_told_and_fails_the_load(server: Sink) -> None:
    with server:
        server.on("rcpt", "550 5.7.1 not you", times=1)
        done = load(server.port, 2, 6)
    assert done.returncode == 1
    assert "1 of 2 sessions ended early: Refused: 550 5.7.1 not you" in done.stdout


def test_sessions_share_all_messages_evenly() -> None:
    assert submit.shares(7, 3) == [3, 2, 2]
    assert submit.shares(2, 3) == [1, 1, 0]
