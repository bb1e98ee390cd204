"""The secrecy marks of Luật Bảo vệ bí mật nhà nước, and the words that look like them."""

from __future__ import annotations

import unicodedata

import pytest

from mailgov.mail.secrecy import field_mark, highest, secrecy_mark


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


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("ＴＵＹỆＴ ＭẬＴ", "TUYỆT MẬT"),
        ("TUYỆT МẬТ", "TUYỆT MẬT"),  # Cyrillic M, T
        ("ΤUYỆΤ ΜẬΤ", "TUYỆT MẬT"),  # Greek
        ("МА\u0302\u0323Т: danh sách", "MẬT"),  # nothing Latin in it
        ("𝐓Ố𝐈 𝐌Ậ𝐓", "TỐI MẬT"),
        ("𝘮ậ𝘵 - 𝘁𝘂𝘆ệ𝘁 𝗺ậ𝘁", "TUYỆT MẬT"),
        ("ⓂẬⓉ", "MẬT"),
        ("M\u0336Ậ\u0336T\u0336", "MẬT"),
        ("MẬ\u0308T", "MẬT"),
        ("ᴛᴜʏệᴛ ᴍậᴛ", "TUYỆT MẬT"),
        ("MẬT và ＴＵＹỆＴ ＭẬＴ", "TUYỆT MẬT"),
        ("\u200b" * 12_300 + "MẬT: x", "MẬT"),
        ("T" + "\u200d\u2060" * 5_000 + "UYỆT MẬT", "TUYỆT MẬT"),
        ("a " * 20_000 + "TUYỆT MẬT", "TUYỆT MẬT"),
    ],
)  # fmt: skip
def test_a_mark_is_what_a_person_sees(text: str, mark: str) -> None:
    assert secrecy_mark(text) == mark


@pytest.mark.parametrize(
    "text",
    [
        "M.Ậ.T",
        "M Ậ T",
        "МАТЬ",
        "МАТ",
        "Математика для всех",
        "ΜΑΤΙ",
        "ＢẢＯ ＭẬＴ",
        "ｍậｔ ｋｈẩｕ",
        "Мậт khẩu: 12",
        "密 / 機密",
    ],
)
def test_other_scripts_are_innocent(text: str) -> None:
    assert secrecy_mark(text) is None


@pytest.mark.parametrize(
    "value",
    [
        "TUYỆT MẬT".encode() + b"\xff",
        b"\xe1 " + "TUYỆT MẬT v/v x".encode(),
        "TUYÊ\u0323T MÂ\u0323T".encode("cp1258"),
        b"=?utf-8?B?VFVZ4b?= =?utf-8?B?uGVCBN4bqsVA==?=",
        b"=?iso-8859-1?B?VFVZ4buGVCBN4bqsVA==?=",
        (b"a\r\n " * 10_000) + "TUYỆT MẬT".encode(),
    ],
)
def test_a_field_is_judged_on_every_reading(value: bytes) -> None:
    assert field_mark(value) == "TUYỆT MẬT"


def test_highest() -> None:
    assert highest([None, "MẬT", "TUYỆT MẬT", "TỐI MẬT"]) == "TUYỆT MẬT"
    assert highest([None]) is None
