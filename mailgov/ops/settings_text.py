"""A settings file changed key by key, with its comments left where they stand."""

from __future__ import annotations

import json
import re


def with_value(text: str, section: str | None, key: str, value: str) -> str:
    """The TOML text with one string key set; added where it is missing. `section` None is the top."""
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    lines = text.splitlines()
    start, end = _span(lines, section)
    if start is None:
        return "\n".join([*lines, "", f"[{section}]", line, ""])
    for number in range(start, end):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            lines[number] = line
            return "\n".join([*lines, ""])
    return "\n".join([*lines[:start], line, *lines[start:], ""])


def _span(lines: list[str], section: str | None) -> tuple[int | None, int]:
    """The lines of a section, after its heading."""
    headings = [n for n, line in enumerate(lines) if re.match(r"\s*\[", line)]
    if section is None:
        return 0, headings[0] if headings else len(lines)
    for place, number in enumerate(headings):
        if re.match(rf"\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?$", lines[number]):
            after = headings[place + 1] if place + 1 < len(headings) else len(lines)
            return number + 1, after
    return None, 0
