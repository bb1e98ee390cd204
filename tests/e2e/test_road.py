"""The main job: an official message in, kept, signed, delivered, counted."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.support import curl, messages, swaks
from tests.support.dkim_verify import mail_dkim, opendkim
from tests.support.programs import needs
from tests.support.province import AN, BINH, PASSWORD, SCANNER, Province, queue_id_of

CITIZEN = "cong.dan@example.org"


def figure(province: Province, agency: str, name: str) -> int:
    """One of today's figures of an agency, as `mailgov usage` prints them."""
    today = province.service.cli("usage", "--period", this_month(province)).expect().data
    rows = [row for row in today["agencies"] if row["agency"] == agency]
    return int(rows[0][name] or 0) if rows else 0


def this_month(province: Province) -> str:
    import datetime
    from zoneinfo import ZoneInfo

    return datetime.datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).strftime("%Y-%m")


@needs("swaks", "Mail::DKIM", "opendkim", "Net::SSLeay")
def test_from_a_civil_servants_client_to_the_figure(province: Province, tmp_path: Path) -> None:
    keys = province.keys()
    sent_before = figure(province, "SNV", "sent_messages")
    active_before = figure(province, "SNV", "active_persons")
    data = messages.plain(AN, BINH, subject="Số: 12/GM-UBND Giấy mời họp giao ban")

    queue_id = queue_id_of(province.submit(data, to=[BINH, CITIZEN]))

    record = province.settled(queue_id)
    inside = next(m for m in province.inbox(BINH) if queue_id.encode() in m)
    outside = province.sink.wait_match(lambda m: queue_id.encode() in m.data)
    # What came is what left, below the header and in it.
    assert data.partition(b"\r\n\r\n")[2] == outside.body == inside.partition(b"\r\n\r\n")[2]
    assert data.partition(b"\r\n\r\n")[0] in outside.data
    assert inside.startswith(f"Return-Path: <{AN}>\r\n".encode())
    assert outside.reverse_path == AN
    assert outside.recipients == (CITIZEN,)
    # Two verifiers that are not ours agree on the signature.
    assert [v.result for v in mail_dkim(outside.data, province.dns)] == ["pass"] * len(keys)
    assert next(v.result for v in opendkim(outside.data, keys, tmp_path)) == "pass"
    # The record tells who, what and what became of it.
    assert record["reverse_path"] == AN
    assert record["agency"] == "SNV"
    assert (record["document_class"], record["symbol"], record["urgency"]) == ("GM", "12/GM-UBND", None)
    assert record["tls"].startswith("TLSv1.3 ")
    assert record["size_bytes"] == len(data)
    by_address = {r["address"]: r for r in record["recipients"]}
    assert by_address[BINH]["direction"] == "internal"
    assert by_address[BINH]["agency"] == "VP"
    assert by_address[CITIZEN]["direction"] == "outbound"
    assert by_address[CITIZEN]["mx_provider"] == "unknown"
    assert by_address[CITIZEN]["last_reply"].startswith("250 ")
    # The figure moved by exactly that message.
    assert figure(province, "SNV", "sent_messages") == sent_before + 1
    assert figure(province, "SNV", "active_persons") in (active_before, 1)


@needs("curl")
def test_curl_over_implicit_tls(province: Province) -> None:
    data = messages.plain(AN, BINH, subject="Lịch công tác tuần 48")
    seen = curl.send(
        province.service.submissions,
        reverse_path=AN,
        to=BINH,
        data=data,
        account=AN,
        password=PASSWORD,
        tls="implicit",
    )
    record = province.settled(queue_id_of(seen))
    assert record["document_class"] == "LCT"
    assert record["source"] == "submission"


@needs("swaks", "Net::SSLeay")
def test_login_is_offered_beside_plain(province: Province) -> None:
    seen = province.submit(messages.plain(AN, BINH), to=BINH, mechanism="LOGIN")
    assert seen.accepted, seen.text


def real_messages() -> list[tuple[str, bytes]]:
    nfd = unicodedata.normalize("NFD", messages.VIETNAMESE_SUBJECT)
    return [
        ("plain text", messages.plain(AN, CITIZEN)),
        ("html, NFC", messages.html(AN, CITIZEN)),
        ("html, NFD", messages.html(AN, CITIZEN, subject=nfd)),
        ("a 20 MB PDF", messages.with_attachment(AN, CITIZEN)),
        ("multipart/signed", messages.signed(AN, CITIZEN)),
        ("raw 8-bit header", messages.raw_eight_bit(AN, CITIZEN)),
    ]


@needs("swaks", "Mail::DKIM", "Net::SSLeay")
@pytest.mark.parametrize(("name", "data"), [pytest.param(*m, id=m[0]) for m in real_messages()])
def test_real_messages_leave_as_they_came(province: Province, name: str, data: bytes) -> None:
    keys = province.keys()
    queue_id = queue_id_of(province.submit(data, to=CITIZEN))
    left = province.sink.wait_match(lambda m: queue_id.encode() in m.data, timeout_s=60)
    assert left.data.endswith(data), f"{name}: changed below the added fields"
    assert [v.result for v in mail_dkim(left.data, province.dns)] == ["pass"] * len(keys)
    province.settled(queue_id)


@needs("swaks", "Net::SSLeay")
def test_composed_and_decomposed_subjects_are_one(province: Province) -> None:
    subject = "Giấy mời họp giao ban tháng 11"
    seen = []
    for form in ("NFC", "NFD"):
        data = messages.html(AN, BINH, subject=unicodedata.normalize(form, subject))
        record = province.settled(queue_id_of(province.submit(data, to=BINH)))
        seen.append(record["document_class"])
    assert seen == ["GM", "GM"]


@needs("swaks", "Net::SSLeay")
def test_what_a_submitted_message_lacks_is_added_and_bcc_goes(province: Province) -> None:
    bare = f"From: <{AN}>\r\nTo: <{BINH}>\r\nBcc: <{CITIZEN}>,\r\n <x@example.org>\r\n"
    bare += "Return-Path: <x@y.vn>\r\n\r\nX\r\n"
    queue_id = queue_id_of(province.submit(bare.encode(), to=[BINH, CITIZEN]))
    left = province.sink.wait_match(lambda m: queue_id.encode() in m.data)
    header = left.header.lower()
    assert header.count(b"\r\ndate: ") == 1
    assert header.count(b"\r\nmessage-id: ") == 1
    assert b"bcc:" not in header
    assert b"x@example.org" not in header
    assert b"return-path:" not in header
    assert b"received: from client.test ([127.0.0.1])" in header
    # Neither of two recipients learns of the other from our trace.
    assert b"for <" not in header


@needs("swaks")
def test_mail_from_outside_reaches_local_recipients(province: Province) -> None:
    data = messages.plain(CITIZEN, AN, subject="Hỏi về thủ tục")
    seen = swaks.send(province.service.mx, reverse_path=CITIZEN, to="VanThu@caobang.gov.vn", data=data)
    record = province.settled(queue_id_of(seen))
    (recipient,) = record["recipients"]
    assert (recipient["address"], recipient["direction"]) == (AN, "inbound")
    assert record["agency"] is None
    stored = next(m for m in province.inbox(AN) if record["queue_id"].encode() in m)
    assert b"DKIM-Signature" not in stored
    assert stored.endswith(data)


@needs("swaks")
def test_a_trusted_listener_sends_as_its_account(province: Province) -> None:
    data = messages.plain(SCANNER, BINH, subject="Bản quét 45/TB-UBND")
    seen = swaks.send(province.service.trusted, reverse_path=SCANNER, to=BINH, data=data)
    record = province.settled(queue_id_of(seen))
    assert (record["source"], record["account"]) == ("trusted", SCANNER)


@needs("swaks")
@pytest.mark.parametrize("address", ["postmaster@caobang.gov.vn", "abuse@caobang.gov.vn", "Postmaster"])
def test_postmaster_and_abuse_always_exist(province: Province, address: str) -> None:
    with province.service.smtp(province.service.mx) as session:
        session.ehlo()
        session.mail("x@example.org")
        code, text = session.docmd("RCPT", f"TO:<{address}>")
    assert code == 250, text


@needs("swaks", "Net::SSLeay")
def test_a_list_reaches_its_members_each_once(province: Province) -> None:
    data = messages.plain(AN, "ld-snv@caobang.gov.vn")
    queue_id = queue_id_of(province.submit(data, to=["ld-snv@caobang.gov.vn", BINH]))
    record = province.settled(queue_id)
    assert sorted(r["address"] for r in record["recipients"]) == [AN, BINH]


@needs("swaks", "Net::SSLeay")
def test_an_account_may_write_as_an_address_granted_to_it(province: Province) -> None:
    data = messages.plain("ubnd@caobang.gov.vn", AN, subject="07/CT-UBND")
    seen = province.submit(data, to=AN, account=BINH, reverse_path="ubnd@caobang.gov.vn")
    record = province.settled(queue_id_of(seen))
    assert (record["account"], record["author"]) == (BINH, "ubnd@caobang.gov.vn")
