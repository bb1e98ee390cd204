"""An issue register: what is one entry, what of it was sent, and which numbers it lacks."""

from __future__ import annotations

from datetime import date

import pytest

from mailgov.store.declarations import RegisterLine
from mailgov.usage.issue_register import entries, missing_numbers
from mailgov.usage.wilson import wilson

OCTOBER = date(2026, 10, 1)


def line(symbol: str | None, day: str = "2026-10-05", kind: str = "GM", **more: str) -> RegisterLine:
    return RegisterLine(kind, date.fromisoformat(day), symbol, **more)


def gaps(*symbols: str, start: date = OCTOBER, before: tuple[str, ...] = (), kind: str = "GM") -> list[str]:
    lines = [line(symbol, kind=kind) for symbol in symbols]
    found = missing_numbers(lines, start, [line(one, "2026-09-30") for one in before])
    assert found.count == sum(one.count for one in found.missing)
    return [str(one) for one in found.missing]


def test_a_number_is_one_entry_a_year_however_it_is_written() -> None:
    found = entries(
        [line("12/GM-UBND"), line("12 / GM - UBND", "2026-11-01"), line("12/GM-UBND", "2027-01-02")]
    )
    assert [entry.keys[0] for entry in found] == ["2026:12/GM-UBND", "2027:12/GM-UBND"]


def test_each_line_without_a_number_is_an_entry() -> None:
    secret = line(None, exempt="secret")
    assert len(entries([secret, secret, line(None, kind="LCT", title="Tuần 45")])) == 3


def test_a_secret_document_accounts_for_a_number_that_no_line_may_name() -> None:
    secret = line(None, exempt="secret")
    lines = [line("5/GM-UBND"), line("8/GM-UBND"), secret]
    found = missing_numbers(lines, OCTOBER)
    assert (found.count, found.secret) == (1, 1)
    assert missing_numbers([*lines, secret], OCTOBER).count == 0
    assert missing_numbers([*lines, secret, secret], OCTOBER).count == 0
    assert missing_numbers([*lines, line(None, kind="TB", exempt="secret")], OCTOBER).count == 1


def test_an_entry_is_known_by_its_symbol_in_its_own_year_alone() -> None:
    """Numbers begin anew each year: next January's 950/GM-UBND may be another document."""
    (entry,) = entries([line("950/GM-UBND", "2026-12-31")])
    assert entry.key == "2026:950/GM-UBND"
    assert entry.may_be("2027:950/GM-UBND")
    assert not entry.may_be("2026:951/GM-UBND")
    assert not entry.may_be(None)


def test_a_line_without_a_symbol_is_known_by_its_link_alone() -> None:
    (entry,) = entries([line(None)])
    assert entry.key is None
    assert entry.may_be("2026:950/GM-UBND")


def test_gaps_in_a_series() -> None:
    assert gaps("5/GM-UBND", "6/GM-UBND", "9/GM-UBND", "11a/GM-UBND", "11/GM-UBND") == [
        "7–8/GM-UBND",
        "10/GM-UBND",
    ]
    assert gaps("5/GM-UBND", "7/TB-UBND") == []
    assert gaps() == []


def test_a_series_goes_on_where_the_register_before_ended() -> None:
    assert gaps("14/GM-UBND", before=("10/GM-UBND", "12/GM-UBND")) == ["13/GM-UBND"]
    assert gaps("13/GM-UBND", before=("12/GM-UBND",)) == []
    assert gaps("13/GM-UBND", before=("12/TB-UBND",)) == []


def test_a_register_from_new_year_on_begins_at_one() -> None:
    assert gaps("3/GM-UBND", start=date(2026, 1, 1)) == ["1–2/GM-UBND"]
    assert gaps("3/GM-UBND", start=date(2025, 12, 15)) == ["1–2/GM-UBND"]


def test_numbers_of_cong_van_need_not_run_through() -> None:
    assert gaps("3/UBND-VX", "90/UBND-VX", kind="CV") == []
    assert gaps("sáu/GM-UBND", "x") == []


@pytest.mark.parametrize(
    ("hits", "drawn", "low", "high"),
    [(0, 100, 0.0, 0.0370), (3, 100, 0.0103, 0.0845), (50, 100, 0.4038, 0.5962), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval(hits: int, drawn: int, low: float, high: float) -> None:
    interval = wilson(hits, drawn)
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=0.0001)


def test_without_a_sample_there_is_no_interval() -> None:
    assert wilson(0, 0) is None
