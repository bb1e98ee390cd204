"""One normal form for strangers' text."""

from __future__ import annotations

import time
import unicodedata

from mailgov.mail.text import has_marks, key_form, nfc, one_line, plain_punctuation, without_marks

VIETNAMESE = "Hoả tốc: Quyết định của Uỷ ban nhân dân tỉnh về thoả thuận, khoẻ, Đặng"


def test_key_form_places_tones_the_old_way_and_keeps_positions() -> None:
    assert key_form("Hoả tốc, HOẢ TỐC") == key_form("Hỏa tốc, HỎA TỐC") == "hỏa tốc, hỏa tốc"
    assert key_form("khoẻ thuỷ") == "khỏe thủy"
    assert len(key_form("İstanbul " + VIETNAMESE)) == len("İstanbul " + VIETNAMESE)


def test_without_marks_keeps_positions_and_takes_the_bar_of_d() -> None:
    assert without_marks("Đặng Thị Hường") == "Dang Thi Huong"
    assert len(without_marks(VIETNAMESE)) == len(VIETNAMESE)


def test_has_marks() -> None:
    assert has_marks("đ")
    assert has_marks("x\u0301")
    assert not has_marks("Hoa toc – khong dau")


def test_one_line() -> None:
    assert one_line(" a\t\r\n b\u2028c\u202e\u0085d\x00 ", 100) == "a b c d"
    assert one_line(unicodedata.normalize("NFD", VIETNAMESE), 500) == VIETNAMESE
    assert one_line("abc", 2) == "ab"
    assert one_line("\ud800", 5) == "\ufffd"


def test_typographic_signs_become_ascii() -> None:
    assert plain_punctuation("KH\u2013UBND\u2011x\uff1a12\u221512") == "KH-UBND-x:12/12"


def test_rows_of_combining_marks_cost_linear_time() -> None:
    started = time.process_time()
    result = nfc("a" + "\u0301\u0323" * 100_000)
    assert time.process_time() - started < 1
    assert len(result) < 10
