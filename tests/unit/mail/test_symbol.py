"""Numbers and symbols, in subjects and in file names."""

from __future__ import annotations

import pytest

from mailgov.mail.symbol import read_file_symbol, read_symbol
from mailgov.mail.vocabulary import Vocabulary

WORDS = Vocabulary.default()


@pytest.mark.parametrize(
    ("text", "symbol", "document_class"),
    [
        ("12/GM-UBND rest", "12/GM-UBND", "GM"),
        ("12 / GM - UBND", "12/GM-UBND", "GM"),
        ("12a/GM-UBND", "12a/GM-UBND", "GM"),
        ("16/2009/CT- UBND", "16/2009/CT-UBND", "CT"),
        ("12/GM-UBND-VP", "12/GM-UBND-VP", "GM"),
        ("12/GM-UBND - SNV", "12/GM-UBND", "GM"),
        ("12/GM-UBND-Giấy mời", "12/GM-UBND", "GM"),
        ("12/GM-UBND-BAO CAO", "12/GM-UBND", "GM"),
        ("12/GM", "12/GM", "GM"),
        ("12/gm-ubnd", "12/GM-UBND", "GM"),
        ("24/TTR-SNV", "24/TTr-SNV", "TTr"),
        ("02/QYĐ-UBND", "02/QyĐ-UBND", "QyĐ"),
        ("15/CT-TTg", "15/CT-TTg", "CT"),
        ("345/STTTT - CNTT", "345/STTTT-CNTT", "CV"),
        ("345/STTTT - MOI HOP", "345/STTTT", "CV"),
        ("345/CV-STTTT", "345/CV-STTTT", "CV"),
        ("07-BC/TU", "07-BC/TU", "BC"),
        ("07-BC/ĐU-VP", "07-BC/ĐU-VP", "BC"),
        ("12-KL/TW", "12-KL/TW", None),
        ("75/QD-UBND", "75/QD-UBND", None),
        ("30/2020/NĐ-CP", "30/2020/NĐ-CP", None),
        ("15/2012/TT-BTTTT", "15/2012/TT-BTTTT", None),
        ("117/2025/QH15", "117/2025/QH15", None),
    ],
)
def test_symbols(text: str, symbol: str, document_class: str | None) -> None:
    found = read_symbol(text, 0, WORDS.symbol_codes, WORDS.lookalikes)
    assert found is not None
    assert (found.text, found.document_class) == (symbol, document_class)
    assert found.end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "12/3",
        "12/03/2026",
        "24/7 hỗ trợ",
        "12/tháng",
        "12/Giấy",
        "12/A",
        "1234567/GM-UBND",
        "12/snv-tc",
        "GM-12",
    ],
)
def test_what_is_no_symbol(text: str) -> None:
    assert read_symbol(text, 0, WORDS.symbol_codes, WORDS.lookalikes) is None


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("12_GM-UBND", "12/GM-UBND"),
        ("12-GM-UBND(1)", "12/GM-UBND"),
        ("12.GM_UBND_signed", "12/GM-UBND"),
        ("12 GM-UBND", "12/GM-UBND"),
        ("16_2009_CT-UBND", "16/2009/CT-UBND"),
        ("07-BC_TU", "07-BC/TU"),
        ("345_STTTT-CNTT", "345/STTTT-CNTT"),
        ("75-qđ-ubnd", "75/QĐ-UBND"),
        ("01_ANH-DEP", None),
        ("01_BC-THANG-3", None),
        ("01_bc-thang-3", None),
        ("20261103_BC-SNV", None),
        ("2026-10-01 Bien ban", None),
    ],
)
def test_file_names(name: str, symbol: str | None) -> None:
    found = read_file_symbol(name, 0, WORDS.symbol_codes, WORDS.lookalikes)
    assert (found.text if found else None) == symbol
