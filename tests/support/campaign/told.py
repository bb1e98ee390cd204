"""A campaign's summary: on the terminal, and with CAMPAIGN_WRITE=1 in docs/reliability.md."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.document import replaced

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/reliability.md"


@contextmanager
def machine() -> Iterator[list[str]]:
    """Collects one line when the block is left: when it ran, and how much else the machine had to do."""
    line: list[str] = []
    before = os.getloadavg()[0]
    yield line
    after, now = os.getloadavg()[0], datetime.now(UTC)
    line.append(
        f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors, load average {before:.1f} before and "
        f"{after:.1f} after"
    )


def tell(section: str, summary: str) -> None:
    """Print it, and put it between the section's marks where that is asked for."""
    sys.stdout.write(f"\n{summary}\n")
    if os.environ.get("CAMPAIGN_WRITE"):
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replaced(text, section, f"```\n{summary}\n```"), encoding="utf-8")
