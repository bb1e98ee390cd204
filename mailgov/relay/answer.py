"""What a next hop answered, as it is kept and told."""

from __future__ import annotations

import re

from aiosmtplib.response import SMTPResponse

from mailgov.mail.reply import Reply
from mailgov.mail.text import one_line

REPLY_LENGTH_LIMIT = 1000
"""Octets of a next hop's words that are kept: enough for people, bounded against floods."""
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s+")


class Ours(SMTPResponse):
    """Stands for a reply that did not come, or that made no sense: the words are ours."""

    __slots__ = ()


def positive(response: SMTPResponse) -> bool:
    """By the first digit alone (RFC 5321 4.2.1): a 252 to RCPT takes the recipient, not yet the message."""
    return 200 <= response.code <= 299


def reply_of(response: SMTPResponse) -> Reply:
    """The next hop's reply, bounded and on one line; anything unusual counts as temporary.

    A 3xx where a transaction ends is unusual: it neither takes the mail nor refuses it.
    """
    code = response.code if 200 <= response.code <= 299 or 400 <= response.code <= 599 else 451
    text = one_line(response.message, 2 * REPLY_LENGTH_LIMIT)
    match = _ENHANCED.match(text)
    enhanced = match[1] if match and match[1][0] == str(code)[0] else f"{code // 100}.0.0"
    words = (text[match.end() :] if match else text)[:REPLY_LENGTH_LIMIT]
    return Reply(code, enhanced, words, heard=not isinstance(response, Ours))
