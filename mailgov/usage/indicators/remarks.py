"""Remarks on indicators: why a number is missing, why it is not judged, what it rests on."""

from __future__ import annotations

from datetime import date

from mailgov.policy import Obligation
from mailgov.usage.notes import Note
from mailgov.usage.periods import dmy

ZERO = Note(
    "denominator-zero",
    "Mẫu số là 0 nên không có tỷ lệ.",
    "The denominator is 0, so there is no percentage.",
)
ABOVE = Note(
    "numerator-above-denominator",
    "Tử số lớn hơn mẫu số nên không có tỷ lệ: cần kiểm tra số khai và danh bạ.",
    "The numerator is above the denominator, so there is no percentage: check what was declared and the "
    "directory.",
)
RESTATED = Note(
    "restated", "Tính theo số khai đã được sửa.", "Counted with a declaration that was corrected since."
)
EXEMPT = Note(
    "exempt",
    "Cơ quan được miễn trừ có ghi lý do; không tính vào toàn tỉnh.",
    "The agency is exempt, with a reason on record; it is not in the province's figure.",
)
CARRIED = Note(
    "carried-forward",
    "Kế hoạch đã hết hạn; tỉnh giữ mức cuối cùng làm mức phấn đấu.",
    "The plan is over; the province keeps its last step as the yardstick.",
)
ENDED = Note("ended", "Kế hoạch đã hết hạn: để tham khảo.", "The plan is over: a reference.")
SILENT = Note(
    "no-target-stated",
    "Văn bản không nêu mức cho thời gian này (khác với mức 0).",
    "The document states no target for this time, which is not 0.",
)
NOBODY_COVERED = Note(
    "nobody-covered",
    "Cuối kỳ không có cơ quan nào thuộc diện văn bản đặt mức nên không có số toàn tỉnh.",
    "At the period's end there is no agency that the document asks this of, so the province has no figure.",
)
NOT_ASKED = frozenset({"exempt", "level-not-covered"})
"""Codes of the remarks that say: of this agency the document asks nothing."""
NOT_COMPUTED = Note("not-computed", "Chưa có số liệu.", "There is no figure yet.")


def not_covered(level: str) -> Note:
    """An agency of a level that the document does not name."""
    names = {"province": "cấp tỉnh", "district": "cấp huyện", "commune": "cấp xã"}
    return Note(
        "level-not-covered",
        f"Văn bản không đặt mức cho cơ quan {names.get(level, level)}.",
        f"The document asks nothing of agencies of the level {level}.",
    )


def combined(agencies: int) -> Note:
    """A row of agencies that a succession links."""
    return Note(
        "combined",
        f"Cộng số riêng của {agencies} cơ quan có kế thừa nhau; chỉ tính khi lập bảng, không lưu.",
        f"The sum of the own figures of {agencies} agencies that succeed one another; computed, not kept.",
    )


def undeclared(day: date) -> Note:
    """No headcount for the day that people are counted on."""
    return Note(
        "undeclared",
        f"Chưa khai số người đến ngày {dmy(day)}.",
        f"The number of persons on {dmy(day)} was not declared.",
    )


def declared_in_part(declared: int, of: int) -> Note:
    """A province whose agencies have not all declared."""
    return Note(
        "declared-in-part",
        f"Mới có {declared}/{of} cơ quan khai nên chưa có số toàn tỉnh.",
        f"{declared} of {of} agencies have declared, so there is no figure of the province yet.",
    )


def no_figure(obligation: Obligation) -> Note:
    """Why an obligation has no figure."""
    if obligation.reason_vi is None or obligation.reason_en is None:
        return NOT_COMPUTED
    return Note("no-figure", obligation.reason_vi, obligation.reason_en)


def state_of(day: date) -> Note:
    """A state that is not kept by day, told as it is now."""
    return Note(
        "state-today",
        f"Theo danh bạ ngày {dmy(day)}: danh bạ không giữ lại quá khứ của bí danh, danh sách, chuyển tiếp.",
        f"As the directory stands on {dmy(day)}: it keeps no past of aliases, lists and forwards.",
    )


def before_the_service(day: date) -> Note:
    """A state on a day before there was any account."""
    return Note(
        "before-the-service",
        f"Ngày {dmy(day)} hệ thống chưa có tài khoản nào.",
        f"The service had no accounts yet on {dmy(day)}.",
    )
