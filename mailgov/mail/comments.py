"""Comments of structured header fields (RFC 5322 3.2.2)."""

from __future__ import annotations

import re

_EDGE = re.compile(rb'\\.|["()]', re.DOTALL)


def without_comments(value: bytes) -> bytes:
    """The value with a blank for each comment; one that never ends takes the rest. Linear."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth, start, quoted = 0, 0, False
    for edge in _EDGE.finditer(value):
        sign = edge[0]
        if sign == b'"' and not depth:
            quoted = not quoted
        elif sign == b"(" and not quoted:
            if not depth:
                kept.append(value[start : edge.start()])
            depth += 1
        elif sign == b")" and depth:
            depth -= 1
            if not depth:
                kept.append(b" ")
                start = edge.end()
    if not depth:
        kept.append(value[start:])
    return b"".join(kept)
