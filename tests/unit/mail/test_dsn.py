"""Delivery reports: read back by an independent parser, and kept clean of what strangers say."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message
from typing import Any, cast

import pytest

from mailgov.mail import dsn_texts
from mailgov.mail.dsn import Action, DsnRecipient, build_dsn
from mailgov.mail.dsn_texts import explain
from mailgov.mail.encoded_words import decode_text
from mailgov.mail.headers import HeaderBlock, is_automatic

ORIGINAL = b"From: an@caobang.gov.vn\r\nSubject: =?utf-8?B?R2nhuqV5IG3hu51p?=\r\n\r\nbody\r\n"
FAILED = DsnRecipient(
    "binh@example.org",
    "failed",
    "5.1.1",
    original="rfc822;Binh@Example.org",
    diagnostic="550 5.1.1 No such user",
    remote_mta="mx.example.org",
    last_attempt="Mon, 02 Nov 2026 08:16:00 +0700",
)


def report(*recipients: DsnRecipient, **changes: Any) -> bytes:
    values: dict[str, Any] = {
        "reporting_mta": "mail.caobang.gov.vn",
        "author": "postmaster@caobang.gov.vn",
        "to": "an@caobang.gov.vn",
        "date": "Mon, 02 Nov 2026 08:20:00 +0700",
        "message_id": "<dsn1@mail.caobang.gov.vn>",
        "boundary": "=_0123456789abcdef",
        "queue_id": "a1-4XyZ",
        "recipients": recipients or (FAILED,),
        "arrival_date": "Mon, 02 Nov 2026 08:15:00 +0700",
        "envelope_id": "QQ314159",
        "returned": ORIGINAL,
    }
    return build_dsn(**(values | changes))


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def parts(data: bytes) -> list[Message]:
    return cast("list[Message]", parsed(data).get_payload())


def words(data: bytes) -> str:
    text: str = cast("EmailMessage", parts(data)[0]).get_content()
    return " ".join(text.split())


def blocks(data: bytes) -> list[Message]:
    return cast("list[Message]", parts(data)[1].get_payload())


def assert_clean(data: bytes) -> None:
    assert data.isascii()
    assert b"\0" not in data
    assert data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert data.endswith(b"--\r\n")


def test_the_report_is_a_multipart_report_of_three() -> None:
    data = report()
    assert_clean(data)
    message = parsed(data)
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "an@caobang.gov.vn"
    assert message["From"].addresses[0].addr_spec == "postmaster@caobang.gov.vn"
    assert message["Subject"] == "Thư không gửi được / Undelivered mail"
    assert [part.get_content_type() for part in parts(data)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert not message.defects
    assert is_automatic(HeaderBlock.scan(data), "postmaster@caobang.gov.vn")


def test_the_machine_part_follows_rfc_3464() -> None:
    about_message, about_recipient = blocks(report())
    assert dict(about_message.items()) == {
        "Original-Envelope-Id": "QQ314159",
        "Reporting-MTA": "dns; mail.caobang.gov.vn",
        "X-Mailgov-Queue-Id": "a1-4XyZ",
        "Arrival-Date": "Mon, 02 Nov 2026 08:15:00 +0700",
    }
    assert dict(about_recipient.items()) == {
        "Original-Recipient": "rfc822; Binh@Example.org",
        "Final-Recipient": "rfc822; binh@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.org",
        "Diagnostic-Code": "smtp; 550 5.1.1 No such user",
        "Last-Attempt-Date": "Mon, 02 Nov 2026 08:16:00 +0700",
    }


def test_people_read_vietnamese_first_then_english() -> None:
    text = words(report())
    assert text.index("mã thư a1-4XyZ") < text.index("queue id a1-4XyZ")
    assert text.count("<binh@example.org>") == 2
    assert "Máy chủ mx.example.org trả lời: 550 5.1.1 No such user" in text
    assert dsn_texts.UNKNOWN.vi in text
    assert dsn_texts.UNKNOWN.en in text


@pytest.mark.parametrize(
    ("action", "status", "text"),
    [
        ("failed", "5.1.1", dsn_texts.UNKNOWN),
        ("failed", "5.1.2", dsn_texts.NO_DOMAIN),
        ("failed", "5.1.10", dsn_texts.NULL_MX),
        ("failed", "5.2.1", dsn_texts.DISABLED),
        ("failed", "5.2.2", dsn_texts.FULL),
        ("failed", "4.2.2", dsn_texts.FULL),
        ("failed", "5.2.3", dsn_texts.SIZE),
        ("failed", "5.3.4", dsn_texts.SIZE),
        ("failed", "5.7.1", dsn_texts.POLICY),
        ("failed", "5.7.26", dsn_texts.POLICY),
        ("failed", "5.7.10", dsn_texts.POLICY),
        ("failed", "5.7.30", dsn_texts.REQUIRETLS),
        ("failed", "4.4.7", dsn_texts.EXPIRED[dsn_texts.TROUBLE]),
        ("failed", "5.4.1", dsn_texts.OTHER),
        ("failed", "5.4.4", dsn_texts.NO_HOST),
        ("failed", "5.4.6", dsn_texts.LOOP),
        ("failed", "5.6.3", dsn_texts.SEVEN_BIT),
        ("failed", "5.6.7", dsn_texts.NO_UTF8),
        ("failed", "5.0.0", dsn_texts.OTHER),
        ("failed", "nonsense", dsn_texts.OTHER),
        ("delayed", "4.4.1", dsn_texts.DELAYED[dsn_texts.TROUBLE]),
        ("delayed", "4.7.1", dsn_texts.DELAYED[dsn_texts.PUT_OFF]),
        ("delivered", "2.0.0", dsn_texts.DELIVERED),
        ("relayed", "2.0.0", dsn_texts.RELAYED),
        ("expanded", "2.0.0", dsn_texts.EXPANDED),
    ],
)
def test_each_reason_has_its_own_words(action: Action, status: str, text: dsn_texts.Text) -> None:
    assert explain(action, status) is text
    data = report(DsnRecipient("a@b", action, status))
    assert text.vi in words(data)
    assert text.en in words(data)
    assert_clean(data)


@pytest.mark.parametrize(
    ("status", "cause", "heard", "text"),
    [
        ("5.7.1", None, False, dsn_texts.OUR_POLICY),
        ("5.7.10", None, False, dsn_texts.REQUIRETLS),
        ("5.6.3", None, False, dsn_texts.SEVEN_BIT),
        ("5.4.7", "4.4.1", False, dsn_texts.EXPIRED[dsn_texts.TROUBLE]),
        ("5.4.7", "4.2.0", True, dsn_texts.EXPIRED[dsn_texts.PUT_OFF]),
        ("5.4.7", "4.2.2", True, dsn_texts.EXPIRED[dsn_texts.STILL_FULL]),
        ("5.4.7", "4.2.2", False, dsn_texts.EXPIRED[dsn_texts.STILL_FULL]),
        ("5.4.7", "4.7.5", False, dsn_texts.EXPIRED[dsn_texts.NO_TLS]),
        ("5.4.7", "4.7.8", False, dsn_texts.EXPIRED[dsn_texts.OURS]),
        ("5.4.7", "4.3.0", False, dsn_texts.EXPIRED[dsn_texts.OURS]),
    ],
)
def test_a_report_names_whose_matter_it_is(
    status: str, cause: str | None, heard: bool, text: dsn_texts.Text
) -> None:
    recipient = DsnRecipient("a@b", "failed", status, diagnostic="451 why", heard=heard, cause=cause)
    told = words(report(recipient))
    assert text.vi in told
    assert text.en in told
    assert ("trả lời: 451 why" in told) is heard
    assert ("ghi nhận: 451 why" in told) is not heard


def test_who_was_led_on_is_not_told_to_look_at_his_typing() -> None:
    led = DsnRecipient("gone@x.vn", "failed", "5.1.1", written="ds@caobang.gov.vn")
    told = words(report(led))
    assert dsn_texts.LED_ON.vi in told
    assert dsn_texts.UNKNOWN.vi not in told
    assert "<gone@x.vn> (thư ghi gửi tới <ds@caobang.gov.vn>)" in told
    stranger = words(
        report(DsnRecipient("ds@caobang.gov.vn", "failed", "5.1.1", written="ds@caobang.gov.vn"))
    )
    assert dsn_texts.LED_ON.en in stranger
    assert "(written to as" not in stranger
    assert dsn_texts.FULL.vi in words(report(DsnRecipient("a@b", "failed", "5.2.2", written="c@d")))


def test_words_of_ours_are_never_given_for_the_next_hops() -> None:
    mine = DsnRecipient("a@b", "failed", "5.1.2", diagnostic="550 5.1.2 No such domain", heard=False)
    data = report(mine)
    assert blocks(data)[1]["Diagnostic-Code"] == "x-mailgov; 550 5.1.2 No such domain"
    assert "trả lời" not in words(data)
    assert " said: " not in words(data)


def test_the_message_is_named_by_its_subject_and_times_are_written_as_here() -> None:
    data = report(subject="Giấy mời\r\nhọp \x1b[31m")
    assert_clean(data)
    assert "nhận lúc 08:15 ngày 02/11/2026" in words(data)
    assert "received Mon, 02 Nov 2026 08:15:00 +0700" in words(data)
    assert words(data).count("Giấy mời họp") == 2
    assert "\x1b" not in words(data)


def test_the_title_is_that_of_the_gravest_recipient() -> None:
    delayed = DsnRecipient("c@d", "delayed", "4.4.1", retry_until="Sat, 07 Nov 2026 08:15:00 +0700")
    assert parsed(report(delayed))["Subject"].startswith("Thư đang bị chậm")
    both = report(delayed, FAILED)
    assert parsed(both)["Subject"].startswith("Thư không gửi được")
    assert blocks(both)[1]["Will-Retry-Until"] == "Sat, 07 Nov 2026 08:15:00 +0700"
    assert "tiếp tục thử đến 08:15 ngày 07/11/2026" in words(both)


def test_hostile_text_begins_no_field_and_no_part() -> None:
    evil = "550 x\r\nX-Evil: 1\r\n\r\n--=_0123456789abcdef\r\nX-Evil: 2\r\n\r\n<b>\x00\x1b[31m\u202e"
    recipient = DsnRecipient(
        evil,
        "failed",
        evil,
        original=evil,
        diagnostic=evil,
        remote_mta=evil,
        last_attempt=evil,
        retry_until=evil,
    )
    data = report(
        recipient,
        reporting_mta=evil,
        author=evil,
        to=evil,
        date=evil,
        message_id=evil,
        boundary=evil,
        queue_id=evil,
        arrival_date=evil,
        envelope_id=evil,
        returned=evil.encode(),
    )
    assert_clean(data)
    assert len(parts(data)) == 3
    for part in [parsed(data), *parts(data), *blocks(data)]:
        assert "X-Evil" not in part
    assert blocks(data)[1]["Status"] == "5.0.0"
    assert "\x1b" not in words(data)


def test_a_long_reply_is_folded_and_cut() -> None:
    data = report(DsnRecipient("a@b", "failed", "5.0.0", diagnostic="550 " + "x" * 100_000))
    assert_clean(data)
    assert len(data) < 20_000


def test_replies_that_are_not_smtp_are_marked_as_ours() -> None:
    data = report(DsnRecipient("a@b", "failed", "4.4.7", diagnostic="hết hạn sau 5 ngày", heard=False))
    assert blocks(data)[1]["Diagnostic-Code"] == "x-mailgov; het han sau 5 ngay"
    assert "ghi nhận: hết hạn sau 5 ngày" in words(data)


def test_addresses_outside_ascii() -> None:
    data = report(
        DsnRecipient("nguyễn+x@ví.vn", "failed", "5.1.1", original="utf-8;nguyễn@ví.vn"), to="ễ@ví.vn"
    )
    assert_clean(data)
    assert blocks(data)[1]["Final-Recipient"] == r"utf-8; nguy\x{1EC5}n\x{2B}x@v\x{ED}.vn"
    assert blocks(data)[1]["Original-Recipient"] == r"utf-8; nguy\x{1EC5}n@v\x{ED}.vn"
    to = HeaderBlock.scan(data).first(b"to") or b""
    assert decode_text(to) == "ễ@ví.vn :;"
    assert "<nguyễn+x@ví.vn>" in words(data)


def test_other_address_types_stay() -> None:
    data = report(DsnRecipient("a@b", "failed", "5.1.1", original="x400;/C=VN/"))
    assert blocks(data)[1]["Original-Recipient"] == "x400; /C=VN/"


def returned_part(data: bytes) -> tuple[str, bytes]:
    part = parts(data)[2]
    if part.get_content_type() == "message/rfc822":
        start = data.index(b"Content-Type: message/rfc822")
        return "message/rfc822", data[data.index(b"\r\n\r\n", start) + 4 :]
    return part.get_content_type(), cast("bytes", part.get_payload(decode=True))


def test_only_the_header_is_returned() -> None:
    kind, content = returned_part(report())
    assert kind == "text/rfc822-headers"
    assert content.replace(b"\r\n", b"\n").strip() == ORIGINAL.partition(b"\r\n\r\n")[0].replace(
        b"\r\n", b"\n"
    )


def test_the_whole_message_is_returned_unchanged_when_it_is_7_bit() -> None:
    data = report(full=True)
    assert_clean(data)
    kind, content = returned_part(data)
    assert kind == "message/rfc822"
    assert content.startswith(ORIGINAL)


@pytest.mark.parametrize(
    "original",
    [
        ORIGINAL + "đ\r\n".encode(),
        ORIGINAL + b"\0\r\n",
        ORIGINAL + b"bare\nlf\r\n",
        ORIGINAL + b"x" * 999 + b"\r\n",
    ],
)
def test_what_is_not_7_bit_comes_back_as_its_header(original: bytes) -> None:
    data = report(full=True, returned=original)
    assert_clean(data)
    assert returned_part(data)[0] == "text/rfc822-headers"


def test_a_raw_8_bit_header_comes_back_byte_for_byte() -> None:
    header = "Subject: Giấy mời\r\nX-Long: ".encode() + b"x" * 2000 + b"\r\n"
    data = report(returned=header + b"\r\nbody")
    assert_clean(data)
    assert returned_part(data) == ("text/rfc822-headers", header)


def test_a_huge_header_is_cut_at_a_line() -> None:
    data = report(returned=b"X-Line: 0123456789\r\n" * 50_000)
    assert_clean(data)
    assert 50_000 < len(data) < 80_000


def test_the_boundary_never_stands_in_what_is_returned() -> None:
    data = report(returned=b"X: a\r\n\r\n--=_0123456789abcdef--\r\n", full=True)
    assert len(parts(data)) == 3


def test_nothing_to_return_leaves_two_parts() -> None:
    assert len(parts(report(returned=b""))) == 2


def test_many_recipients_are_all_in_the_machine_part() -> None:
    many = [DsnRecipient(f"u{number}@example.org", "failed", "5.1.1") for number in range(120)]
    data = report(*many)
    assert len(blocks(data)) == 121
    assert "và 70 người nhận khác" in words(data)
    assert "70 more recipients" in words(data)


@pytest.mark.parametrize("change", [{"to": ""}, {"to": "<>"}, {"recipients": ()}])
def test_no_report_goes_to_the_null_reverse_path_or_about_nobody(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="reverse-path"):
        report(**change)
