"""The vocabulary and the file by which a province edits it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mailgov.mail.document import Vocabulary, VocabularyError, classify
from mailgov.mail.document_types import DEFAULT_TABLE

SHIPPED = Path(__file__).parents[3] / "policy" / "document_types.toml"


def test_the_shipped_file_says_what_is_built_in() -> None:
    table = tomllib.loads(SHIPPED.read_text("utf-8"))
    assert table == DEFAULT_TABLE
    assert Vocabulary.from_table(table) == Vocabulary.default()


def test_an_empty_table_keeps_the_defaults() -> None:
    assert Vocabulary.from_table({}) == Vocabulary.default()


def test_the_abbreviations_of_nghi_dinh_30_and_our_own_are_there() -> None:
    codes = (
        "NQ QĐ CT QC QyĐ TC TB HD CTr KH PA ĐA DA BC BB TTr HĐ CĐ BGN BTT GUQ GM GGT GNP PG PC PB SY TrS SL "
        "CV LCT TLH"
    )
    assert {kind.code for kind in Vocabulary.default().types} == set(codes.split())


def test_a_province_adds_a_type() -> None:
    added = Vocabulary.from_table({"type": [{"code": "KL", "names": ["kết luận"]}]})
    assert classify("07-KL/TU", vocabulary=added).document_class == "KL"
    assert classify("Kết luận số 07-KL/TU", vocabulary=added).symbol == "07-KL/TU"
    assert classify("07-KL/TU").document_class is None
    assert classify("12/GM-UBND", vocabulary=added).document_class == "GM"


def test_a_province_silences_a_type_and_changes_phrases() -> None:
    changed = Vocabulary.from_table(
        {
            "type": [{"code": "HD", "names": []}],
            "forward": {"prefixes": ["chuyển"]},
            "meeting": {"occasions": []},
        }
    )
    assert classify("Hướng dẫn sử dụng", vocabulary=changed).document_class is None
    assert classify("03/HD-SNV", vocabulary=changed).document_class == "HD"
    assert classify("Chuyển: thông báo", vocabulary=changed).forward
    assert not classify("Fwd: thông báo", vocabulary=changed).forward
    assert not classify("V/v mời họp", vocabulary=changed).meeting
    assert classify("Re: a", vocabulary=changed).reply


def test_names_that_collide_without_marks_are_read_with_marks_only() -> None:
    both = Vocabulary.from_table({"type": [{"code": "AA", "names": ["đề ân"]}]})
    assert classify("Đề ân", vocabulary=both).document_class == "AA"
    assert classify("De an", vocabulary=both).document_class is None


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({"typ": []}, ("typ",)),
        ({"type": {}}, ("type",)),
        ({"type": [1]}, ("type", 0)),
        ({"type": [{}]}, ("type", 0, "code")),
        ({"type": [{"code": "A B"}]}, ("type", 0, "code")),
        ({"type": [{"code": "A"}, {"code": "A"}]}, ("type", 1, "code")),
        ({"type": [{"code": "A", "name": []}]}, ("type", 0, "name")),
        ({"type": [{"code": "A", "names": "x"}]}, ("type", 0, "names")),
        ({"type": [{"code": "A", "names": ["x", ""]}]}, ("type", 0, "names", 1)),
        ({"type": [{"code": "A", "names": ["x" * 200]}]}, ("type", 0, "names", 0)),
        ({"type": [{"code": "A", "meeting": 1}]}, ("type", 0, "meeting")),
        ({"reply": []}, ("reply",)),
        ({"reply": {"prefix": []}}, ("reply", "prefix")),
        ({"meeting": {"occasions": [1]}}, ("meeting", "occasions", 0)),
    ],
)
def test_a_fault_names_its_place(table: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_table(table)
    assert caught.value.path == path
