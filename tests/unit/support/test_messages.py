from __future__ import annotations

import email
import email.header
import email.policy
import unicodedata

import pytest

from tests.support import messages

AUTHOR, TO = "a@caobang.gov.vn", "b@example.vn"


@pytest.mark.parametrize("encoding", ["B", "Q"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_vietnamese_subjects_are_words_that_decode_to_the_same_text(form: str, encoding: str) -> None:
    message = messages.html(AUTHOR, TO, form=form, encoding=encoding)
    subject = str(email.message_from_bytes(message, policy=email.policy.default)["Subject"])
    assert subject == unicodedata.normalize("NFD" if form == "NFD" else "NFC", messages.VIETNAMESE_SUBJECT)
    assert max(len(line) for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")) <= 90


@pytest.mark.parametrize(
    "message",
    [
        messages.plain(AUTHOR, TO, subject=messages.VIETNAMESE_SUBJECT),
        messages.html(AUTHOR, TO),
        messages.with_attachment(AUTHOR, TO, size_bytes=1000),
        messages.signed(AUTHOR, TO),
        messages.raw_eight_bit(AUTHOR, TO),
    ],
    ids=["plain", "html", "attachment", "signed", "raw"],
)
def test_line_ends_are_crlf_and_lines_within_the_limit(message: bytes) -> None:
    assert message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n")
    assert message.endswith(b"\r\n")
    assert max(map(len, message.split(b"\r\n"))) <= 998  # RFC 5322 2.1.1


def test_the_large_attachment_is_twenty_mebibytes() -> None:
    message = messages.with_attachment(AUTHOR, TO)
    attachment = email.message_from_bytes(message).get_payload(1)
    assert isinstance(attachment, email.message.Message)
    assert attachment.get_filename() == "123-CV-UBND.pdf"
    assert attachment.get_payload(decode=True) == messages.pdf()
    assert len(messages.pdf()) == 20 * messages.MEBIBYTE
