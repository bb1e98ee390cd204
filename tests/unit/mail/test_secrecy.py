"""The secrecy marks of Luật Bảo vệ bí mật nhà nước, and the words that look like them."""

from __future__ import annotations

import unicodedata

import pytest

from mailgov.mail.secrecy import highest, secrecy_mark


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("MẬT", "MẬT"),
        ("báo cáo MẬT tháng 3", "MẬT"),
        ("[MẬT] báo cáo", "MẬT"),
        ("Báo cáo_MẬT.docx", "MẬT"),
        ("01.MẬT.2026.pdf", "MẬT"),
        ("Mật", "MẬT"),
        ("Mật: báo cáo", "MẬT"),
        ("Mật.docx", "MẬT"),
        ("Mật – báo cáo", "MẬT"),
        ("(Mật) báo cáo", "MẬT"),
        ("báo cáo [Mật]", "MẬT"),
        ("báo cáo (Mật - bản 2)", "MẬT"),
        ("độ mật: Mật", "MẬT"),
        ("Độ mật : Mật, độ khẩn: Khẩn", "MẬT"),
        ("ĐỘ MẬT: MẬT", "MẬT"),
        ("Fwd: Re: Mật - báo cáo", "MẬT"),
        ("HỎA TỐC. Mật: báo cáo", "MẬT"),
        ("MẬT - DANH SÁCH", "MẬT"),
        ("MẬT_DANH_SÁCH.xlsx", "MẬT"),
        ("MẬT: KHẨU LỆNH", "MẬT"),
        ("BẢO MẬT: MẬT", "MẬT"),
        ("tối mật", "TỐI MẬT"),
        ("Tối_Mật_danh sách.doc", "TỐI MẬT"),
        ("TỐI MẬT DANH SÁCH CÁN BỘ", "TỐI MẬT"),
        ("(Tuyệt mật)", "TUYỆT MẬT"),
        ("TỐI MẬT, TUYỆT MẬT, MẬT", "TUYỆT MẬT"),
        ("tuyệt\u00a0mật", "TUYỆT MẬT"),
        ("TUYỆT\u200b MẬT", "TUYỆT MẬT"),
    ],
)
def test_marks_in_either_normal_form(text: str, mark: str) -> None:
    assert secrecy_mark(text) == mark
    assert secrecy_mark(unicodedata.normalize("NFD", text)) == mark


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MAT",
        "TOI MAT - TUYET MAT",
        "MẤT, MẶT, MÁT, MÀT",
        "mật",
        "báo cáo mật",
        "Báo cáo Mật vụ",
        "Mật báo cáo",
        "Mật khẩu: 123",
        "Mật_khẩu.txt",
        "Mật-mã.pdf",
        "Mật danh: A",
        "MẬT KHẨU", "MẬT ONG", "MẬT MÃ", "MẬT DANH", "MẬT ĐỘ",
        "BẢO MẬT", "BÍ MẬT", "GIẢI MẬT", "CƠ MẬT",
        "Bí MẬT", "BẢO_MẬT.doc", "bảo-MẬT",
        "Luật Bảo vệ bí mật nhà nước",
        "ĐỔI MẬT KHẨU THƯ CÔNG VỤ",
        "buổi tối mật khẩu bị đổi",
        "TUYỆT ĐỐI BẢO MẬT",
        "CẨMẬT",
    ],
)  # fmt: skip
def test_innocent_words_in_either_normal_form(text: str) -> None:
    assert secrecy_mark(text) is None
    assert secrecy_mark(unicodedata.normalize("NFD", text)) is None


def test_highest() -> None:
    assert highest([None, "MẬT", "TUYỆT MẬT", "TỐI MẬT"]) == "TUYỆT MẬT"
    assert highest([None]) is None
