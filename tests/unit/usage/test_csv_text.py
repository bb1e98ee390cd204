"""CSV out and in, as spreadsheets have it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgov.usage.csv_text import CsvError, Record, read, write

COLUMNS = ("name", "count", "reason")


def test_what_is_written_is_what_excel_here_opens() -> None:
    text = write(("name", "count"), [("Sở Nội vụ", 3), (None, None)])
    assert text.encode() == "\ufeffname;count\r\nSở Nội vụ;3\r\n;\r\n".encode()


@pytest.mark.parametrize(
    "hostile",
    [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "'=1",
        '"=1',
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "\u200b=1",
    ],
)
def test_no_cell_is_a_formula(hostile: str) -> None:
    text = write(("name",), [(hostile,)]).removeprefix("\ufeff")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert rows[1] == ["'" + hostile]


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_reading_takes_what_spreadsheets_write(delimiter: str, bom: str, end: str) -> None:
    lines = ["Name;count", '"a;,\tb";3', "", ";;", ' "c"; 4 ;'.replace(' "c"', "c")]
    data = (bom + end.join(lines).replace('"a;,\tb"', "@").replace(";", delimiter)).replace("@", '"a;,\tb"')
    assert read(data.encode(), COLUMNS) == [
        Record(2, {"name": "a;,\tb", "count": "3"}),
        Record(5, {"name": "c", "count": "4"}),
    ]


def test_a_cell_of_several_lines_keeps_the_count_of_lines() -> None:
    data = b'sep=;\r\nname;reason\r\na;"one\ntwo"\r\nb;three\r\n'
    assert [(one.line, one.cells["reason"]) for one in read(data, COLUMNS)] == [(3, "one\ntwo"), (5, "three")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n \n;;\n", "the file is empty"),
        ("name;tuổi\n".encode(), "column 2 is 'tuổi'; known are name, count, reason"),
        (b"name;name\n", "the column name stands twice"),
        (b"name\na\nt\xe9\n", "line 3: is not UTF-8"),
        ("name\na\n".encode("utf-16"), "line 1: is not UTF-8"),
        ("name\na\n".encode("utf-16-le"), "line 1: is not UTF-8"),
        (b'name\n"a\n', "line 2: cannot be read as CSV"),
        (b"name\n" + b"x" * 200_000, "line 2: cannot be read as CSV"),
        (b"x" * 20_000_001, "more than 20000000"),
    ],
)
def test_what_cannot_be_read_says_where_and_what(data: bytes, says: str) -> None:
    with pytest.raises(CsvError) as raised:
        read(data, COLUMNS)
    assert says in str(raised.value)
    assert str(raised.value).isprintable()


def test_a_row_that_does_not_fit_says_so_and_the_others_are_read() -> None:
    data = b"name;count\na;1;2\nb;3\n" + b"x" * 10_001 + b";4\nc;5;;\n"
    assert [(one.line, one.cells["count"], one.fault) for one in read(data, COLUMNS)] == [
        (2, "1", "3 cells where the header has 2"),
        (3, "3", None),
        (4, "4", "name: more than 10000 characters"),
        (5, "5", None),
    ]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(str.strip)


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_what_was_written_is_read_again(rows: list[tuple[str, str]]) -> None:
    found = read(write(("name", "reason"), rows).encode(), COLUMNS)
    kept = [row for row in rows if any(row)]
    assert [(one.cells.get("name", ""), one.cells.get("reason", "")) for one in found] == kept
