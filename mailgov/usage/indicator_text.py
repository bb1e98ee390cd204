"""Indicators as a table for a terminal: what was reached beside what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailgov.policy import Step
from mailgov.usage.indicators.remarks import NOT_ASKED
from mailgov.usage.indicators.report import Indicators
from mailgov.usage.indicators.row import IndicatorRow
from mailgov.usage.notes import Note
from mailgov.usage.periods import dmy

NOTHING = "–"
_HEADINGS = (
    ("Chỉ tiêu", "Indicator"),
    ("Tử số", "Numerator"),
    ("Mẫu số", "Denominator"),
    ("Tỷ lệ %", "Percent"),
    ("Mức đặt ra", "Target"),
    ("Còn thiếu", "Gap"),
    ("Kết quả", "Result"),
)
_MET = {True: ("đạt", "met"), False: ("chưa đạt", "not met")}
_STATUS = {"not_due": ("chưa đến hạn", "not due"), "ended": ("hết kỳ", "ended")}
_NOT_ASKED = ("không áp dụng", "not asked")
_KINDS = {
    "target": ("chưa kết luận", "not judged"),
    "baseline": ("mốc so sánh", "baseline"),
    "duty": ("nhiệm vụ", "duty"),
    "reference": ("tham khảo", "reference"),
}
BESIDE = {
    "persons_that_sent": ("người có gửi", "persons that sent"),
    "signed_in": ("người có đăng nhập", "persons that signed in"),
    "signed_in_or_sent": ("có đăng nhập hoặc gửi", "signed in or sent"),
    "long_leave": ("nghỉ dài hạn (khai)", "on long leave (declared)"),
    "personal_registered": ("địa chỉ riêng đã đăng ký", "own addresses registered"),
    "numbers_missing": ("số bị thiếu trong sổ", "numbers missing in the register"),
    "class_sample_drawn": ("mẫu phân loại: đã rút", "class sample: drawn"),
    "class_sample_confirmed": ("mẫu phân loại: đã xác nhận", "class sample: confirmed"),
    "class_sample_wrong": ("mẫu phân loại: sai", "class sample: wrong"),
    "recipients_on_free_services": ("lượt gửi tới dịch vụ miễn phí", "recipients on free services"),
}
_NO_FIGURE = ("Chưa có số liệu", "No figure")


def headings(tongues: Sequence[int]) -> list[list[str]]:
    """The columns' headings, a line for each language."""
    return [[words[tongue] for tongue in tongues] for words in _HEADINGS]


def table(found: Indicators, tongue: int, *, agencies: bool) -> list[list[str]]:
    """Rows with anything to tell, of the province alone or of every agency too; below each, what is
    shown beside it.
    """
    letters = _letters(found, agencies=agencies)
    rows = []
    for row in _chosen(found, agencies=agencies):
        if not _empty(row):
            name = row.indicator if row.agency is None else f"{row.indicator} [{row.agency}]"
            mark = "" if row.note is None else f" ({letters[row.note]})"
            rows.append([name + mark, *_cells(row, tongue)])
            rows += [
                [f"  · {BESIDE[key][tongue] if key in BESIDE else key}", whole(value), *[""] * 5]
                for key, value in row.beside.items()
            ]
    return rows


def combined(found: Indicators, tongue: int) -> list[list[str]]:
    """Rows with anything to tell of agencies that succeed one another, together."""
    return [
        [f"{one.row.indicator} [{one.row.agency}]", *_cells(one.row, tongue)]
        for one in found.combined
        if not _empty(one.row)
    ]


def _cells(row: IndicatorRow, tongue: int) -> list[str]:
    target = percent(row.target_percent) if row.target_percent is not None else whole(row.target_count)
    return [
        whole(row.numerator),
        whole(row.denominator),
        percent(row.percent),
        target,
        whole(row.gap),
        result(row, tongue),
    ]


def result(row: IndicatorRow, tongue: int) -> str:
    """In one word what became of it: met or not, else why nobody judges."""
    words = _STATUS.get(row.status) or _KINDS[row.kind]
    if any(note.code in NOT_ASKED for note in row.notes):
        words = _NOT_ASKED
    return (words if row.met is None else _MET[row.met])[tongue]


def notes(found: Indicators, tongues: Sequence[int], *, agencies: bool) -> Iterator[str]:
    """The remarks that the table's letters stand for, then what has no figure, by the reason."""
    for note, letter in _letters(found, agencies=agencies).items():
        for tongue in tongues:
            yield f"({letter}) {(note.vi, note.en)[tongue]}"
    reasons: dict[Note | None, dict[str, None]] = {}
    for row in _chosen(found, agencies=agencies):
        if _empty(row):
            reasons.setdefault(row.note, {})[row.indicator] = None
    for reason, ids in reasons.items():
        told = []
        for tongue in tongues:
            why = "" if reason is None else f": {(reason.vi, reason.en)[tongue]}"
            told.append(f"{_NO_FIGURE[tongue]}{why}")
        yield f"{' / '.join(told)} [{', '.join(ids)}]"


def _chosen(found: Indicators, *, agencies: bool) -> list[IndicatorRow]:
    return [row for row in found.rows if agencies or row.agency is None]


def _empty(row: IndicatorRow) -> bool:
    return row.numerator is None and row.denominator is None


def _letters(found: Indicators, *, agencies: bool) -> dict[Note, str]:
    shown = [row for row in _chosen(found, agencies=agencies) if not _empty(row)]
    different = dict.fromkeys(row.note for row in shown if row.note is not None)
    return {note: chr(ord("a") + at % 26) * (1 + at // 26) for at, note in enumerate(different)}


def asked(step: Step | None) -> str:
    """What a step asks for, on one line: `80 % by 31/12/2010`."""
    if step is None:
        return NOTHING
    number = NOTHING
    if step.percent is not None:
        number = f"{percent(float(step.percent))} %"
    elif step.count is not None:
        number = whole(step.count)
    return number if step.by is None else f"{number} by {dmy(step.by)}"


def whole(value: int | None) -> str:
    """A number as people here write it: 1.234.567."""
    return NOTHING if value is None else f"{value:,}".replace(",", ".")


def percent(value: float | None) -> str:
    """A percentage with a decimal comma, without zeros that tell nothing: 66,66."""
    if value is None:
        return NOTHING
    return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")
