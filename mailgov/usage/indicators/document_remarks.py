"""Remarks on the figures of documents."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from mailgov.store.classes import SampleResult
from mailgov.usage.issue_register import Gaps
from mailgov.usage.notes import Note
from mailgov.usage.periods import Span, dmy
from mailgov.usage.wilson import wilson

NAMED = 5
"""Gaps that a remark names; it tells how many numbers are missing in all."""

NOT_OBSERVED = Note(
    "not-observed",
    "Hệ thống chưa theo dõi ngày nào của kỳ nên không có số văn bản qua thư.",
    "Nothing of the period was observed, so the documents sent by mail are not known.",
)
NOT_ASKED = Note(
    "committee-alone",
    "Chỉ đặt ra cho văn bản của chính UBND tỉnh.",
    "Asked of the provincial committee's own documents alone.",
)
NO_COMMITTEE = Note(
    "no-committee",
    "Danh bạ không có cơ quan UBND tỉnh mà cài đặt province.committee nêu.",
    "The directory has no agency of the code that the setting province.committee names.",
)
DUPLICATES = Note(
    "duplicate-entries",
    "Sổ phát hành ghi trùng: mỗi văn bản tính một lần.",
    "The register has lines twice: each document counts once.",
)


def undeclared_documents(span: Span) -> Note:
    """No declaration of documents for the period, nor ones that make it up."""
    days = f"{dmy(span.start)} – {dmy(span.last)}"
    return Note(
        "undeclared",
        f"Chưa khai số văn bản của đúng kỳ {days}.",
        f"The documents of exactly {days} were not declared.",
    )


def undeclared_register(span: Span) -> Note:
    """No register for the period; one with no line would be a declaration."""
    days = f"{dmy(span.start)} – {dmy(span.last)}"
    return Note(
        "undeclared",
        f"Chưa khai sổ phát hành của đúng kỳ {days} (khác với sổ không có văn bản nào).",
        f"The issue register of exactly {days} was not declared, which is not a register without entries.",
    )


def numbers_missing(gaps: Gaps) -> Note:
    """Numbers that the register lacks: what they stand for is not known to have been sent."""
    named = ", ".join(map(str, gaps.missing[:NAMED])) + (", …" if len(gaps.missing) > NAMED else "")
    vi = en = ""
    if gaps.secret:
        vi, en = f", đã trừ {gaps.secret} văn bản mật", f", {gaps.secret} secret ones taken off"
    return Note(
        "numbers-missing",
        f"Sổ phát hành thiếu {gaps.count} số{vi}: {named}; chưa đủ cơ sở để kết luận là đạt.",
        f"The register lacks {gaps.count} numbers{en}: {named}; it cannot be told that the target is met.",
    )


def class_error(found: SampleResult) -> Note | None:
    """How often the rules class a message wrongly, by the monthly samples; None while none is confirmed."""
    interval = wilson(found.wrong, found.confirmed)
    if interval is None:
        return None
    low, high = _percent(interval[0], ROUND_DOWN), _percent(interval[1], ROUND_CEILING)
    open_vi = open_en = ""
    if found.confirmed < found.drawn:
        open_vi = f", còn {found.drawn - found.confirmed} thư chưa xem"
        open_en = f", {found.drawn - found.confirmed} not yet looked at"
    return Note(
        "class-error",
        f"Phân loại văn bản: {found.wrong}/{found.confirmed} thư mẫu sai{open_vi}; khoảng tin cậy 95%: "
        f"{str(low).replace('.', ',')}–{str(high).replace('.', ',')}%.",
        f"Classes of documents: {found.wrong} of {found.confirmed} sampled messages were wrong{open_en}; "
        f"95% interval {low} to {high}%.",
    )


def _percent(share: float, rounding: str) -> Decimal:
    return (Decimal(share) * 100).quantize(Decimal("0.01"), rounding)
