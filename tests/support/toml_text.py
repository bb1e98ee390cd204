"""Settings as TOML text: what the standard library reads but does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top, table by table; lists are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = (
            merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
        )
    return result


def to_toml(table: Mapping[str, Any], prefix: str = "") -> str:
    """TOML for tables, lists, strings, numbers and booleans; None leaves the key out."""
    lines: list[str] = []
    below: list[str] = []
    for key, value in table.items():
        name = key if _BARE.match(key) else json.dumps(key, ensure_ascii=False)
        if isinstance(value, Mapping):
            below.append(f"\n[{prefix}{name}]\n" + to_toml(value, f"{prefix}{name}."))
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            below += [f"\n[[{prefix}{name}]]\n" + to_toml(item, f"{prefix}{name}.") for item in value]
        elif value is not None:
            # JSON's strings, numbers, booleans and lists of them are TOML's too.
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines + below)
