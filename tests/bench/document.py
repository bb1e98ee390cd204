"""Puts what was measured into docs/performance.md, between the marks of its section."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs/performance.md"


def replaced(document: str, section: str, text: str) -> str:
    """`document` with `text` between `<!-- SECTION -->` and `<!-- /SECTION -->`.

    Raises ValueError without both.
    """
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(document):
        raise ValueError(f"no {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n{text.strip()}\n{end}", document, count=1)


def write(section: str, text: str, faults: Sequence[str]) -> int:
    """Fill the section, unless one of `faults` says that a figure is not to be kept; gives an exit status."""
    if faults:
        print(f"{DOCUMENT} stays as it is: {len(faults)} runs were disturbed. {faults[0]}", file=sys.stderr)
        return 1
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), section, text), encoding="utf-8")
    print(f"written into {DOCUMENT}")
    return 0
