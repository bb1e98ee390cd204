"""Logs: one line an event, whatever is in it, and never a reason to refuse mail."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from mailgov import logs
from mailgov.logs import GATHER_LIMIT, configure_logs, lines, told
from tests.support.processes import wait_until


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before, quick = structlog.get_config(), logs._json_line
    yield
    structlog.configure(**before)
    logs._json_line = quick


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


def test_a_line_of_json_has_the_time_the_level_and_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    configure_logs()
    log = structlog.get_logger()
    log.info("first", queue_id="A", count=1)
    log.warning("Ủy ban", where=Path("/x"))
    log.error("broke", exc_info=ValueError("a\nb"))
    told("first", queue_id="A", count=1)
    first, second, third, quick = (json.loads(line) for line in out.getvalue().splitlines())
    assert quick | {"timestamp": ""} == first | {"timestamp": ""}
    assert list(quick) == list(first)
    assert list(first) == ["queue_id", "count", "event", "timestamp", "level", "pid"]
    assert first["timestamp"] <= second["timestamp"] <= third["timestamp"]
    assert len(first["timestamp"]) == len("2026-01-01T00:00:00.000000Z")
    assert (second["event"], second["level"]) == ("Ủy ban", "warning")
    assert third["level"] == "error"
    assert third["exception"].endswith("ValueError: a\nb")


async def test_gathered_lines_come_together_in_order_and_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"

    def said() -> list[str]:
        return [json.loads(line)["event"] for line in file.read_text().splitlines()]

    with file.open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        configure_logs()
        log = structlog.get_logger()
        with lines.gathered():
            log.info("one")
            log.info("two")
            before = said()
            log.error("three")  # at once, and what came before it too
            at_once = said()
            log.info("four")
            await asyncio.to_thread(wait_until, lambda: len(said()) == 4)
            thread = threading.Thread(target=lambda: log.info("six"))
            log.info("five")
            thread.start()
            await asyncio.to_thread(thread.join)
            from_a_thread = said()
            log.info("y" * 1000)
            for _ in range(GATHER_LIMIT // 1000):
                log.info("x" * 1000)
            bounded = len(said())
            log.info("last")
        log.info("after")
    assert (before, at_once) == ([], ["one", "two", "three"])
    assert from_a_thread[3:] == ["four", "five", "six"]
    assert bounded > len(from_a_thread)
    assert said()[-2:] == ["last", "after"]


def test_lines_of_several_processes_do_not_mix_and_an_end_loses_none() -> None:
    script = """if 1:
        import asyncio, structlog
        from mailgov.logs import configure_logs, lines
        async def main():
            with lines.gathered():
                for number in range(300):
                    structlog.get_logger().info("x" * (number % 400), number=number)
        configure_logs()
        asyncio.run(main())
    """
    both = f'"{sys.executable}" -c "$0" & "{sys.executable}" -c "$0"; wait'
    done = subprocess.run(["sh", "-c", both, script], stderr=subprocess.PIPE, timeout=30, check=True)
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert Counter(one["number"] for one in found) == dict.fromkeys(range(300), 2)
    assert len({one["pid"] for one in found}) == 2
