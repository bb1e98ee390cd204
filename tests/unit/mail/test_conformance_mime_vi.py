"""Vietnamese charsets, file names and normal forms, from data that was made elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mailgov.mail.headers import HeaderBlock, decode_text
from mailgov.mail.mime import look

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("MAILGOV_CONFORMANCE_DIR") or ROOT.parent / "shared" / "conformance") / "mime-vi"


def cases() -> list[Any]:
    expected = FOLDER / "expected.json"
    return json.loads(expected.read_text("utf-8")) if expected.is_file() else []


@pytest.mark.skipif(not cases(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR)")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["file"])
def test_case(case: dict[str, Any]) -> None:
    data = (FOLDER / case["file"]).read_bytes()
    header = HeaderBlock.scan(data)
    if case["subject"] is not None:
        assert decode_text(header.first(b"subject") or b"") == case["subject"]
    if case["from_name"] is not None:
        assert decode_text(header.first(b"from") or b"").partition(" <")[0] == case["from_name"]
    names = look(data, header=header).attachment_names
    if case["filename"] is not None:
        assert names == (case["filename"],)
    assert not any("/" in name or "\\" in name for name in names)
