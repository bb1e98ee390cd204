"""Which messages are one document: year and symbol, or family and attachments."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mailgov.mail.document_key import document_key, is_unnumbered, symbol_form
from mailgov.mail.family import family
from mailgov.mail.headers import HeaderBlock

DAY = date(2026, 11, 2)


def key(year: int = 2026, **more: Any) -> str | None:
    given: dict[str, Any] = {
        "document_class": "GM",
        "symbol": "12/GM-UBND",
        "family": "<1@a>",
        "attachments_hash": None,
        "counts": True,
    }
    return document_key(year, **{**given, **more})


def family_of(*lines: str, subject: str = "x", author: str = "a@b.vn", day: date = DAY) -> str | None:
    block = HeaderBlock.scan("".join(f"{line}\r\n" for line in lines).encode())
    return family(block, subject, author=author, day=day)


def test_the_symbol_and_the_year_are_the_key() -> None:
    assert key() == "2026:12/GM-UBND"
    assert key(family="<2@a>", attachments_hash="ff") == key()
    assert key(2027) != key()
    assert not is_unnumbered(key() or "")


def test_only_stray_spaces_are_folded_and_marks_never() -> None:
    assert key(symbol="12 / GM - UBND\u00a0") == key()
    assert key(symbol="5/HD-SNV") != key(symbol="5/HĐ-SNV")
    assert key(symbol="12/gm-ubnd") != key()
    assert symbol_form("5/HĐ-SNV") == symbol_form("5/HĐ-SNV")


@pytest.mark.parametrize("change", [{"counts": False}, {"document_class": None}, {"document_class": ""}])
def test_what_is_no_document_has_no_key(change: dict[str, Any]) -> None:
    assert key(**change) is None


def test_without_a_symbol_family_and_attachments_are_the_key() -> None:
    one = key(symbol=None, attachments_hash="ff")
    assert one == "2026:~<1@a>:ff"
    assert is_unnumbered(one)
    assert key(symbol=" ", attachments_hash="ff") == one
    assert (
        len({one, key(symbol=None), key(symbol=None, family="<2@a>"), key(symbol=None, family="<2@a>")}) == 3
    )


def test_a_key_never_outgrows_an_index() -> None:
    assert len(key(symbol=None, family="<" + "đ" * 5_000 + ">") or "") < 300


def test_a_family_is_the_beginning_of_the_conversation() -> None:
    own = "Message-ID: <3@a>"
    assert family_of(own) == "<3@a>"
    assert family_of(own, "References: <1@a>\r\n <2@a>", "In-Reply-To: <2@a>") == "<1@a>"
    assert family_of(own, "In-Reply-To: <2@a>") == "<2@a>"
    assert family_of("References: none") is None
    assert family_of() is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Tài liệu họp (phần 1/3)", "Tài liệu họp (phần 2/3)"),
        ("Tài liệu họp - Phần 1/3", "TÀI LIỆU HỌP phần 3/3."),
        ("Tai lieu hop phan 1/2", "Tai lieu hop: phan 2/2"),
        ("Lịch công tác, part 1 of 2", "Lịch công tác part 2/2"),
    ],
)
def test_parts_that_the_subject_tells_are_one(first: str, second: str) -> None:
    one, two = (
        family_of(f"Message-ID: <{number}@a>", subject=subject)
        for number, subject in enumerate((first, second))
    )
    assert one == two
    keys = {key(symbol=None, family=one, attachments_hash=digest) for digest in ("aa", "bb", None)}
    assert len(keys) == 1, "each part has its own attachment"
    assert one != family_of(subject=first, author="c@b.vn")
    assert one != family_of(subject=first, day=date(2026, 11, 3))
    assert one != family_of(subject="Khác " + first)


@pytest.mark.parametrize("subject", ["Lịch công tác (5/11)", "Tài liệu họp phần 4/3", "Phần 1/3 của báo cáo"])
def test_a_date_is_no_part(subject: str) -> None:
    assert family_of("Message-ID: <3@a>", subject=subject) == "<3@a>"


def test_a_message_cut_up_by_a_mail_program_is_one() -> None:
    kinds = [f'Content-Type: message/partial; id="x1@a"; number={n}; total=3' for n in (1, 2, 3)]
    families = {family_of(f"Message-ID: <{kind[-1]}@a>", kind) for kind in kinds}
    assert families == {"partial:x1@a"}
