"""What cannot be looked through is not let through: see docs/policy.md, "What cannot be read".

These are refusals at the door, counted by reason; a message that is only malformed leaves no record.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailgov.mail.encoded_words import VALUE_OCTETS
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Illegible:
    """Why a message is refused, and the reason that it is counted under."""

    reply: Reply
    reason: str


TOO_MANY_FIELDS = Illegible(Reply(550, "5.6.0", "The message header has too many fields"), "header_fields")
MALFORMED = Illegible(
    Reply(550, "5.6.0", "The message header begins with a continued line"), "malformed_header"
)
NUL = Illegible(Reply(550, "5.6.0", "A NUL octet in the name of a header field"), "malformed_header")
LONG_SUBJECT = Illegible(Reply(550, "5.6.0", "The Subject is too long to be read"), "long_subject")
PARTS = Illegible(
    Reply(550, "5.6.0", "The message's parts cannot be read whole: malformed, too many or too deep"),
    "mime_parts",
)


class NotLegible(Exception):
    """A message is not to be taken in, for what `why` tells."""

    def __init__(self, why: Illegible) -> None:
        super().__init__(why.reason)
        self.why = why


def illegible_header(header: HeaderBlock, *, submitted: bool) -> Illegible | None:
    """Why the header cannot be judged, or None.

    Past the last field that was told apart lies what decides: a second From, a Subject, a Bcc.
    That holds for mail from outside too, where no mail program writes so many. Subjects longer
    than what is read of them are refused to our own people only; from outside their beginning tells.
    So is a first line that continues nothing, which we would sign as a part of a field of ours; from
    outside it becomes the body (`intake`). So is a NUL in a field's name (RFC 5322 4), which makes it
    another field for some readers.
    """
    if not header.complete:
        return TOO_MANY_FIELDS
    if submitted and header.begins_folded:
        return MALFORMED
    if submitted and _named_with_nul(header):
        return NUL
    if submitted and sum(map(len, header.all(b"subject"))) > VALUE_OCTETS:
        return LONG_SUBJECT
    return None


def _named_with_nul(header: HeaderBlock) -> bool:
    raw = header.raw
    return b"\0" in raw and any(
        b"\0" in raw[field.start : field.colon if field.name else field.end] for field in header.fields
    )
