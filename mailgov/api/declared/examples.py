"""Examples of declarations and exemptions in the interface's description, by the name of the schema."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

NUMBERS: Example = {"can_bo": 4, "cong_chuc": 60, "vien_chuc": 6, "khac": 2, "long_leave": 1}
DECLARATION: Example = {
    "from": "2026-07-01",
    "to": "2026-10-01",
    "id": 7,
    "kind": "headcount",
    "subject": None,
    "agency": "snv",
    "revision": 2,
    "superseded_by": None,
    "numbers": NUMBERS,
    "register": None,
    "reason": "đếm sót một người mới về",
    "declared_by": "vanthu.snv@caobang.gov.vn",
    "declared_at": "2026-10-02T08:15:00.000+07:00",
    "sample": False,
}
FIRST: Example = {
    **DECLARATION,
    "id": 5,
    "revision": 1,
    "superseded_by": 7,
    "numbers": {**NUMBERS, "cong_chuc": 59},
    "reason": None,
}
LINE: Example = {
    "document_class": "GM",
    "symbol": "12/GM-UBND",
    "issued_on": "2026-10-02",
    "title": "Họp giao ban tháng 10",
    "exempt": None,
    "queue_id": None,
}
EXEMPTION: Example = {
    "id": 1,
    "obligation": "cb.official-mailboxes",
    "agency": "congan",
    "valid_from": "2026-01-01",
    "valid_until": None,
    "reason": "hệ thống thư của ngành",
    "added_at": "2026-01-05T08:00:00.000+07:00",
    "ended_at": None,
}
EXAMPLES: dict[str, Example] = {
    "CorrectionAsked": {"numbers": NUMBERS, "reason": "đếm sót một người mới về"},
    "DeclarationAsked": {"kind": "headcount", "agency": "snv", "period": "2026-Q3", "numbers": NUMBERS},
    "DeclarationBody": DECLARATION,
    "DeclarationHistory": {"items": [FIRST, DECLARATION]},
    "DeclarationPage": {"items": [DECLARATION], "next": None},
    "EndAsked": {"on": "2026-07-01", "reason": "đã chuyển sang hệ thống của tỉnh"},
    "ExemptionAsked": {
        "obligation": "cb.official-mailboxes",
        "agency": "congan",
        "valid_from": "2026-01-01",
        "reason": "hệ thống thư của ngành",
    },
    "ExemptionBody": EXEMPTION,
    "ExemptionPage": {"items": [EXEMPTION], "next": None},
    "LineBody": LINE,
}
