"""Every subject of the tables, and what the tables cannot say."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from mailgov.mail.document import Document, classify

DATA = Path(__file__).parents[2] / "data"


def rows(name: str) -> list[Any]:
    table = json.loads((DATA / name).read_text("utf-8"))
    return [pytest.param(row, id=f"{number}-{row['subject'][:40]}") for number, row in enumerate(table)]


@pytest.mark.parametrize("row", rows("subjects.json") + rows("subjects_own.json"))
def test_subject(row: dict[str, Any]) -> None:
    expected = {key: row[key] for key in asdict(Document())}
    assert asdict(classify(row["subject"], row.get("attachments", ()))) == expected, row.get("why")


def test_our_own_table_is_large_and_says_why() -> None:
    table = json.loads((DATA / "subjects_own.json").read_text("utf-8"))
    assert len(table) >= 60
    assert all(row["why"] for row in table)


@pytest.mark.parametrize(
    "unit",
    [
        "A", "ấ", " ", "Re:", "Re: MẬT ", "BẢO MẬT ", "tối mật khẩu ", "(Mật", "mời a ", "moi ", "12/GM-",
        "số 12/", "12/GM - ", "khẩn ", "tài liệu ", "a\u0301\u0323\u0302", "\u0301\u0323", "\u202e", "回复",
        "[(", "_-.",
    ],
)  # fmt: skip
def test_a_subject_of_100_kilobytes_takes_milliseconds(unit: str) -> None:
    subject = unit * (100_000 // len(unit))
    classify("warm the tables up")
    started = time.process_time()
    classify(subject, [subject])
    assert time.process_time() - started < 0.1


def test_many_names_are_bounded() -> None:
    started = time.process_time()
    classify("", ["mời họp " * 1000] * 100_000)
    assert time.process_time() - started < 1


def test_a_mark_late_in_a_long_subject_is_found() -> None:
    assert classify("a " * 2000 + "TỐI MẬT").secrecy == "TỐI MẬT"
