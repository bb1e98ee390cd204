"""The kinds of load that the bench knows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of load.

    `size_bytes` is a message's; `kept` sends all of a session on one connection; `submission` signs in
    first, by STARTTLS and AUTH.
    """

    messages: int
    sessions: int
    size_bytes: int
    kept: bool = False
    submission: bool = False

    def __str__(self) -> str:
        sessions = "1 session" if self.sessions == 1 else f"{self.sessions} sessions"
        manner = "kept connections" if self.kept else "one message a connection"
        signed_in = ", submission with STARTTLS and AUTH" if self.submission else ""
        return f"{sessions}, {_size(self.size_bytes)}, {manner}{signed_in}"

    def scaled(self, factor: float) -> Shape:
        """The same with more or fewer messages, one for each session at least."""
        return dataclasses.replace(self, messages=max(self.sessions, round(self.messages * factor)))


def _size(size_bytes: int) -> str:
    return f"{size_bytes // 1024} KB" if size_bytes % 1024 == 0 else f"{size_bytes} bytes"


SHAPES = {
    "20": Shape(3000, 20, 4096),
    "1": Shape(1000, 1, 4096),
    "100": Shape(3000, 100, 4096),
    "100k": Shape(1500, 20, 100 * 1024),
    "kept": Shape(3000, 20, 4096, kept=True),
    "submission": Shape(1500, 20, 4096, submission=True),
    "submission-kept": Shape(3000, 20, 4096, kept=True, submission=True),
}
"""By name; the first is the one that the targets are about."""
