"""SMTP replies and the errors that carry them.

A reply has a code (RFC 5321 4.2), an enhanced status code (RFC 3463) and a text that
strangers may read. What only the operator may read travels beside it, as the cause.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: `code` three digits, `enhanced` as `X.Y.Z`, `text` without line ends."""

    code: int
    enhanced: str
    text: str
    heard: bool = field(default=False, compare=False)
    """True for the words of a next hop; all others are our own, and a report must not blame them on it."""

    def line(self) -> str:
        """The reply as one line without its CRLF, such as `550 5.1.1 No such mailbox`."""
        return f"{self.code} {self.enhanced} {self.text}"

    @property
    def positive(self) -> bool:
        """True for 2xx: the only kind that is final for a delivery (RFC 5321 4.2.1)."""
        return 200 <= self.code < 300

    @property
    def transient(self) -> bool:
        """True for 4xx: the same attempt may succeed later (RFC 5321 4.2.1)."""
        return 400 <= self.code < 500


class MailError(Exception):
    """A refusal: `reply` goes to the peer, `cause` to the log alone."""

    def __init__(self, reply: Reply, cause: str = "") -> None:
        super().__init__(f"{reply.line()} ({cause})" if cause else reply.line())
        self.reply = reply
        self.cause = cause


INTERNAL_ERROR = Reply(451, "4.3.0", "Local error in processing, please try again later")
"""What a peer hears when something inside broke: never a 5xx, for the mail may be good."""

OUT_OF_STORAGE = Reply(452, "4.3.1", "Insufficient system storage, please try again later")


def set_aside(times: int) -> Reply:
    """Why a message is held for a person: it may be what breaks us."""
    return Reply(451, "4.3.0", f"Set aside: {times} times the service died or broke while it worked on this")
