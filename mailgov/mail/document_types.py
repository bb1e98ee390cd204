"""The document types and phrases that are known without any file.

Codes are those of Nghị định 30/2020/NĐ-CP; CV, LCT and TLH are our own for what has none.
`policy/document_types.toml` ships with the same content, and a province edits it there.
"""

from __future__ import annotations

from typing import Any

_TYPES: list[tuple[str, list[str]]] = [
    ("NQ", ["nghị quyết"]),
    ("QĐ", ["quyết định"]),
    ("CT", ["chỉ thị"]),
    ("QC", ["quy chế"]),
    ("QyĐ", ["quy định"]),
    ("TC", ["thông cáo"]),
    ("TB", ["thông báo", "thông báo kết luận"]),
    ("HD", ["hướng dẫn"]),
    ("CTr", ["chương trình"]),
    ("KH", ["kế hoạch"]),
    ("PA", ["phương án"]),
    ("ĐA", ["đề án"]),
    ("DA", ["dự án"]),
    ("BC", ["báo cáo"]),
    ("BB", ["biên bản"]),
    ("TTr", ["tờ trình"]),
    ("HĐ", ["hợp đồng"]),
    ("CĐ", ["công điện"]),
    ("BGN", ["bản ghi nhớ"]),
    ("BTT", ["bản thỏa thuận"]),
    ("GUQ", ["giấy ủy quyền"]),
    ("GM", ["giấy mời", "giấy mời họp"]),
    ("GGT", ["giấy giới thiệu"]),
    ("GNP", ["giấy nghỉ phép"]),
    ("PG", ["phiếu gửi"]),
    ("PC", ["phiếu chuyển"]),
    ("PB", ["phiếu báo"]),
    ("SY", ["bản sao y", "sao y bản chính"]),
    ("TrS", ["trích sao", "bản trích sao"]),
    ("SL", ["sao lục", "bản sao lục"]),
    ("CV", ["công văn"]),
    ("LCT", ["lịch công tác"]),
    (
        "TLH",
        [
            "tài liệu họp",
            "tài liệu cuộc họp",
            "tài liệu kỳ họp",
            "tài liệu phiên họp",
            "tài liệu dự họp",
            "tài liệu giao ban",
            "tài liệu hội nghị",
            "tài liệu phục vụ họp",
            "tài liệu phục vụ cuộc họp",
            "tài liệu phục vụ kỳ họp",
            "tài liệu phục vụ phiên họp",
            "tài liệu phục vụ giao ban",
            "tài liệu phục vụ hội nghị",
        ],
    ),
]

_MORE: dict[str, dict[str, Any]] = {
    "GM": {"meeting": True},
    "TLH": {"meeting": True, "symbol": False},
    "LCT": {"symbol": False},
    "CV": {"openings": ["v/v", "v.v", "vv", "v v", "về việc"]},  # "v v": a file name's V_v
    "BC": {"not_before": ["viên"]},  # báo cáo viên is a speaker
    "HD": {"not_before": ["viên"]},  # hướng dẫn viên is a guide
    "KH": {"not_before": ["hóa"]},  # kế hoạch hóa gia đình is family planning
}

DEFAULT_TABLE: dict[str, Any] = {
    "reply": {
        "prefixes": ["re", "tl", "trả lời", "trả lời tự động", "phúc đáp", "aw", "antw", "回复", "答复"],
    },
    "forward": {"prefixes": ["fw", "fwd", "ct", "chuyển tiếp", "wg", "转发"]},
    "meeting": {
        "invitations": ["mời", "triệu tập"],
        "not_before": ["thầu", "chào", "báo giá", "quan tâm", "cộng tác"],
        "occasions": ["họp", "hội nghị", "hội thảo", "giao ban", "tọa đàm"],
    },
    "type": [{"code": code, "names": names, **_MORE.get(code, {})} for code, names in _TYPES],
}
"""The table as `Vocabulary.from_table` reads it and as the TOML file says it."""
