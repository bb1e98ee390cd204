"""Others' servers as a smarthost that wants a password: `pytest tests/bench -m bench -k smarthost`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailgov.mail.reply import MailError
from mailgov.relay.client import Connection
from mailgov.relay.content import Content
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hop, Manner
from mailgov.settings import DeliveryLogin, DeliverySettings
from tests.bench import cpu
from tests.bench.relay import all_peers, work_folder
from tests.bench.site import Site
from tests.support.programs import needs
from tests.support.sink import Sink

pytestmark = [pytest.mark.bench, needs("smtp-source")]


@pytest.fixture
def work() -> Iterator[Path]:
    with work_folder() as folder:
        yield folder


@pytest.mark.parametrize("name", ["postfix", "exim"])
async def test_a_smarthost_that_others_wrote_takes_our_password(name: str, work: Path) -> None:
    site = Site.make(work)
    peer = all_peers(site, work)[name]
    if reason := peer.missing():
        pytest.skip(reason)
    data = f"From: <{site.account}>\r\nTo: <{site.recipient}>\r\nSubject: x\r\n\r\nbody\r\n".encode()
    envelope = Envelope(site.account, (site.recipient,), smtputf8=False, eight_bit=False)
    (work / "right").write_text(f"{site.password}\n")
    (work / "wrong").write_text("not it\n")
    with (
        Sink() as sink,
        ThreadPoolExecutor(2) as pool,
        cpu.group("smarthost") as used,
        peer.running(work / "peer", sink.port, used, True) as port,
    ):

        def hop(secret: str) -> Hop:
            login = DeliveryLogin(
                at=("127.0.0.1", port),
                user=site.account,
                password_file=work / secret,
                ca_file=site.certificate,
            )
            return Hop("127.0.0.1", "127.0.0.1", port, Manner(login=login))

        made = await Connection.open(hop("right"), DeliverySettings(), "relay.xa.gov.vn", pool)
        (reply,) = await made.send(envelope, Content(data, size_bytes=len(data)))
        await made.close()
        assert reply.code == 250, reply
        with pytest.raises(MailError) as caught:
            await Connection.open(hop("wrong"), DeliverySettings(), "relay.xa.gov.vn", pool)
        assert "refuses our login (535)" in caught.value.reply.text
        sink.wait_for(1, timeout_s=60)
    (received,) = sink.messages
    assert received.recipients == (site.recipient,)
