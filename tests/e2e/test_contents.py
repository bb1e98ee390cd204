"""What mail carries, with real clamd and rspamd beside the service: from a stranger's swaks to /why."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support import messages, swaks
from tests.support.clamd import EICAR, NAME, RunningClamd, running_clamd
from tests.support.files import PE, workbook
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, OUTSIDE, Province, queue_id_of, running_province
from tests.support.rspamd import LIKELY, SPAM, running_rspamd
from tests.support.transcript import Transcript

pytestmark = needs("clamd", "rspamd", "swaks")

CITIZEN = f"nguyen@{OUTSIDE}"


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClamd]:
    with running_clamd(tmp_path_factory.mktemp("c")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, clamd: RunningClamd) -> Iterator[Province]:
    with ExitStack() as stack:
        rspamd = stack.enter_context(running_rspamd(tmp_path_factory.mktemp("r")))
        sections = {"clamd": {"address": clamd.address, "retry_s": 0.5}, "rspamd": {"url": rspamd.url}}
        yield stack.enter_context(running_province(tmp_path_factory.mktemp("p"), sections, small=True))


def with_file(author: str, name: str, content: bytes) -> bytes:
    head = messages.headers(author, AN, "Bao cao", 'Content-Type: multipart/mixed; boundary="b"')
    return (
        head
        + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nKinh gui\r\n--b\r\nContent-Disposition: attachment;"
        + f' filename="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode()
        + base64.encodebytes(content).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


def from_outside(province: Province, data: bytes) -> Transcript:
    return swaks.send(province.service.mx, reverse_path=CITIZEN, to=AN, data=data)


def refused(province: Province, said: Transcript, rule: str) -> tuple[dict[str, Any], str]:
    """The record of a refusal, and the page that explains it."""
    reply = said.refusal
    assert (reply.code, f"[rule {rule}; " in reply.text) == (550, True), said.text
    decision = re.search(r"decision ([A-Za-z0-9_-]+)\]", reply.text)
    assert decision, reply.text
    id_ = decision[1]

    def look() -> list[dict[str, Any]]:
        return [r for r in province.messages() if any(one["id"] == id_ for one in r["decisions"])]

    (record,) = wait_until(look, timeout_s=20, what="the record")
    assert record["verdict"] == "rejected"
    page = province.service.get(f"/why/{id_}")
    assert page.status == 200
    return record, page.text


def test_what_is_refused_says_why_and_is_recorded(guarded: Province) -> None:
    record, page = refused(
        guarded, from_outside(guarded, with_file(CITIZEN, "a.doc", EICAR)), "malware-found"
    )
    assert record["malware"] == f"found {NAME}"
    assert "Thư mang mã độc nên không được nhận" in page
    program = from_outside(guarded, with_file(CITIZEN, "hoadon.pdf.exe", PE))
    record, page = refused(guarded, program, "dangerous-attachment")
    assert (record["risks"], record["malware"]) == (["executable", "double-extension"], "clean")
    assert "Gửi tài liệu dạng PDF" in page
    spam = from_outside(guarded, messages.plain(CITIZEN, AN, text=f"{SPAM}\r\n"))
    record, page = refused(guarded, spam, "spam")
    assert (record["spam"], record["spam_score"]) == ("spam", 15.0)
    assert "Thư giống thư rác" in page
    own = guarded.submit(with_file(AN, "a.doc", EICAR), to=CITIZEN)
    record, _ = refused(guarded, own, "malware-found")
    assert (record["account"], record["spam"]) == (AN, None)
    assert guarded.sink.messages == []


def test_what_is_taken_bears_its_verdicts(guarded: Province) -> None:
    data = with_file(CITIZEN, "so-lieu.xlsm", workbook(macro=True)).replace(b"Kinh gui", LIKELY.encode())
    record = guarded.settled(queue_id_of(from_outside(guarded, data)))
    found = {name: record[name] for name in ("malware", "spam", "spam_score", "risks")}
    assert found == {"malware": "clean", "spam": "likely", "spam_score": 6.0, "risks": ["macro"]}
    assert [decision["rule"] for decision in record["decisions"]] == ["risky-attachment"]
    told = guarded.service.cli("trace", record["queue_id"], as_json=False).stdout
    for line in (
        r"malware:\s+clean",
        r"spam:\s+likely \(6\)",
        r"risks:\s+macro",
        r"would have rejected \(monitor\)",
    ):
        assert re.search(line, told), told

    def counted() -> bool:
        text = guarded.service.get("/metrics").text
        return all(f'event="{name}"' in text for name in ("malware_clean", "spam_likely", "attachment_macro"))

    wait_until(counted, what="the counters")


def test_while_clamd_is_gone_mail_is_put_off(guarded: Province, clamd: RunningClamd) -> None:
    clamd.program.kill()
    for _ in range(4):
        said = from_outside(guarded, messages.plain(CITIZEN, AN)).refusal
        assert (said.code, said.text[:5]) == (451, "4.7.1")
    lines = guarded.service.log()
    assert "clamd does not answer" in lines
    assert "message not kept" not in lines
