"""JSON for the terminal: letters as they are, nothing that steers or deceives it."""

from __future__ import annotations

import json

import pytest

from mailgov.cli.common import print_json

HOSTILE = "\x1b[31m \x9b31m \u202eRLO \u2028 \u200b \udc9b \U000e0041 \x7f"


def test_signs_that_cannot_be_seen_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"last_reply": HOSTILE, "text": "Sở Nội vụ"})
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert "Sở Nội vụ" in printed
    assert json.loads(printed) == {"last_reply": HOSTILE, "text": "Sở Nội vụ"}
