"""Logs: one line an event, whatever is in it, and never a reason to refuse mail."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from mailgov.logs import configure_logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_hostile_text_stays_inside_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    configure_logs()
    structlog.get_logger().info("x", helo="a\r\nFAKE\x1b[31m\u2028\x00" + "y" * 10_000)
    (line,) = out.getvalue().splitlines()
    said = json.loads(line)["helo"]
    assert said.startswith("a\\r\\nFAKE\\x1b[31m\\u2028\\x00")
    assert len(said) <= 2000


def test_a_log_that_cannot_be_written_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    closed = io.StringIO()
    closed.close()
    for stream in (Full(), closed):
        monkeypatch.setattr(sys, "stderr", stream)
        configure_logs()
        structlog.get_logger().error("x", exc_info=ValueError("y"))
        assert sys.stderr is stream
