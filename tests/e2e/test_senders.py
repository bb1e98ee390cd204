"""Who writes in, told by the whole service: in mailbox, record and figures, and to the next host."""

from __future__ import annotations

import re

import pytest

from tests.support import messages, swaks
from tests.support.dkim_verify import mail_dkim_arc
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, OUTSIDE, Province, queue_id_of
from tests.unit.relay.senders.dkim_keys import rsa_key, rsa_record, signed

pytestmark = needs("swaks")
CITIZEN = "nguyen.thi.dan@dan.test"


@pytest.fixture(scope="module")
def known(province: Province) -> Province:
    """dan.test publishes SPF, DKIM and DMARC, and our own domain what `mailgov dns print` says."""
    province.dns.txt("dan.test", "v=spf1 ip4:127.0.0.1 -all")
    province.dns.txt("s._domainkey.dan.test", rsa_record(rsa_key()))
    province.dns.txt("_dmarc.dan.test", "v=DMARC1; p=reject")
    province.dns.txt("_dmarc.caobang.gov.vn", "v=DMARC1; p=quarantine")
    province.keys()
    return province


def test_a_citizens_proven_letter(known: Province) -> None:
    data = signed(messages.plain(CITIZEN, AN, subject=messages.encoded_word("Hỏi về hộ khẩu")), "dan.test")
    queue_id = queue_id_of(swaks.send(known.service.mx, reverse_path=CITIZEN, to=AN, data=data))
    record = known.settled(queue_id)
    assert [record[name] for name in ("spf", "dkim", "dmarc", "arc")] == ["pass", "pass", "pass", "none"]
    (kept,) = [m for m in known.inbox(AN) if queue_id.encode() in m]
    assert b"\tdmarc=pass (p=reject) header.from=dan.test;" in kept
    shown = known.service.cli("trace", queue_id, as_json=False).expect().stdout
    assert re.search(r"DMARC:? +pass", shown), shown
    wait_until(
        lambda: re.search(r'event="sender_dmarc_pass"[^\n]* [1-9]', known.service.get("/metrics").text),
        what="the counter of what passed",
    )


@pytest.mark.parametrize(("author", "path"), [(CITIZEN, "x@khac.test"), (AN, "x@khac.test"), (AN, "<>")])
def test_a_forgery_is_refused(known: Province, author: str, path: str) -> None:
    seen = swaks.send(known.service.mx, reverse_path=path, to=AN, data=messages.plain(author, AN))
    assert any(reply.code == 550 and reply.text.startswith("5.7.26 ") for reply in seen.replies), seen.text


@needs("Mail::DKIM", "Net::DNS")
def test_a_letter_led_outside_by_an_alias_is_sealed_for_the_next_host(known: Province) -> None:
    known.service.cli("alias", "add", "congdan@caobang.gov.vn", "--to", f"ban@{OUTSIDE}").expect()
    data = signed(messages.plain(CITIZEN, "congdan@caobang.gov.vn"), "dan.test")

    def taken() -> str:
        seen = swaks.send(known.service.mx, reverse_path=CITIZEN, to="congdan@caobang.gov.vn", data=data)
        return queue_id_of(seen) if "queued as" in seen.text else ""

    queue_id = wait_until(taken, what="the alias to be known to the worker")
    known.settled(queue_id)
    got = known.sink.wait_match(lambda m: f"ban@{OUTSIDE}" in m.recipients)
    assert got.data.startswith(b"ARC-Seal: i=1;")
    assert got.data.endswith(data)
    assert mail_dkim_arc(got.data, known.dns) == "pass"
    assert mail_dkim_arc(got.data.replace(b"dmarc=pass", b"dmarc=none"), known.dns) == "fail"
