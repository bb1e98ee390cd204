"""Each peer does the work that it is timed for: `python -m pytest tests/bench -m bench`."""

from __future__ import annotations

import base64
import re
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import cpu, submit
from tests.bench.load import send
from tests.bench.relay import all_peers, work_folder
from tests.bench.shapes import Shape
from tests.bench.site import Site
from tests.support.programs import needs
from tests.support.sink import Received, Sink

pytestmark = [pytest.mark.bench, needs("smtp-source")]
PEERS = ("postfix", "postfix-opendkim", "postfix-rspamd", "exim", "mailgov-1", "mailgov-2")
MESSAGES = 40
_SIGNATURE = re.compile(rb"^DKIM-Signature:(.*?\r\n)(?![ \t])", re.DOTALL | re.MULTILINE | re.IGNORECASE)


@pytest.fixture
def work() -> Iterator[Path]:
    with work_folder() as folder:
        yield folder


@pytest.mark.parametrize("submission", [False, True], ids=["trusted", "submission"])
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_signs_and_hands_on_every_message_once(name: str, submission: bool, work: Path) -> None:
    site = Site.make(work)
    peer = all_peers(site, work)[name]
    if reason := peer.missing():
        pytest.skip(reason)
    shape = Shape(MESSAGES, 4, 4096, submission=submission)
    with Sink() as sink:
        with cpu.group("story") as used, peer.running(work / "peer", sink.port, used, submission) as port:
            if submission:
                assert refused_without_auth(port, site)
            assert send(shape, port, site, used, work / "story.log", 60.0)
            sink.wait_for(MESSAGES, timeout_s=60)
        received = list(sink.messages)
    assert len(received) == MESSAGES
    assert {each.recipients for each in received} == {(site.recipient,)}
    assert all(signed_by_rsa_2048(each, site) == (name != "postfix") for each in received)


def refused_without_auth(port: int, site: Site) -> bool:
    """Inside TLS, nobody who did not sign in gets as far as DATA."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.starttls(context=submit.tls())
        client.ehlo()
        codes = client.mail(site.account)[0], client.rcpt(site.recipient)[0]
        return max(codes) >= 500 and client.docmd("DATA")[0] >= 500


def signed_by_rsa_2048(message: Received, site: Site) -> bool:
    """One of its signatures is the domain's, by RSA with a key of 2048 bits."""
    for found in _SIGNATURE.findall(message.header):
        tags = dict(part.strip().split(b"=", 1) for part in found.split(b";") if b"=" in part)
        octets = base64.b64decode(re.sub(rb"\s", b"", tags[b"b"]))
        if (tags[b"a"], tags[b"d"], len(octets)) == (b"rsa-sha256", site.domain.encode(), 256):
            return True
    return False
