"""What a real SMTP client saw and said."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeenReply:
    """One reply; `text` is its last line after the code."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """`status` is the client's exit status, 0 when all was accepted; `text` is its whole output."""

    status: int
    text: str
    replies: tuple[SeenReply, ...]

    @property
    def accepted(self) -> bool:
        return self.status == 0

    @property
    def refusals(self) -> list[SeenReply]:
        """The 4xx and 5xx replies in order."""
        return [reply for reply in self.replies if reply.code >= 400]

    @property
    def refusal(self) -> SeenReply:
        """The first 4xx or 5xx reply; AssertionError with the transcript where there was none."""
        assert self.refusals, f"nothing was refused:\n{self.text}"
        return self.refusals[0]

    @property
    def kept(self) -> SeenReply:
        """The reply to the end of data, a 250; AssertionError with the transcript where there was none."""
        after_data = [
            self.replies[i + 1]
            for i, reply in enumerate(self.replies[:-1])
            if reply.code == 354 and self.replies[i + 1].code == 250
        ]
        assert after_data, f"the message was not kept:\n{self.text}"
        return after_data[-1]


def run_client(argv: Sequence[str], reply_line: re.Pattern[str], timeout_s: float) -> Transcript:
    """Run a client to its end; `reply_line` finds `(code)(blank or dash)(text)` in its output."""
    done = subprocess.run(argv, check=False, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    found = (reply_line.match(line) for line in text.splitlines())
    replies = [SeenReply(int(m[1]), m[3].strip()) for m in found if m and m[2] != "-"]
    return Transcript(done.returncode, text, tuple(replies))
