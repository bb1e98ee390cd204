"""The envelope of a mail transaction out, and the commands that say it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

from mailgov.mail.reply import MailError, Reply

_CONTROL = re.compile("[\x00-\x1f\x7f]")
Supports = Callable[[str], bool]
"""Whether the next hop named an extension of this name, in lower case, in its answer to EHLO."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one mail transaction out carries."""

    reverse_path: str
    recipients: tuple[str, ...]
    smtputf8: bool
    eight_bit: bool
    mail_parameters: str = ""
    """Wishes for MAIL (RFC 3461), said where the next hop knows DSN."""
    rcpt_parameters: tuple[str, ...] = ()
    """The same for each RCPT, in the order of `recipients`; () for none at all."""
    requiretls: bool = False


def commands(envelope: Envelope, size_bytes: int, supports: Supports) -> list[bytes]:
    """MAIL and a RCPT for each recipient. Raises MailError for an address that SMTP cannot say."""
    said = [f"MAIL {_mail_argument(envelope, size_bytes, supports)}"]
    wishes = envelope.rcpt_parameters if supports("dsn") else ()
    said += [
        f"RCPT TO:<{recipient}> {wish}".rstrip()
        for recipient, wish in zip_longest(envelope.recipients, wishes, fillvalue="")
    ]
    if any(_CONTROL.search(command) for command in said):
        raise MailError(Reply(553, "5.1.3", "The address cannot be written in SMTP"))
    return [f"{command}\r\n".encode() for command in said]


def _mail_argument(envelope: Envelope, size_bytes: int, supports: Supports) -> str:
    words = [f"FROM:<{envelope.reverse_path}>"]
    if supports("size"):
        words.append(f"SIZE={size_bytes}")
    if envelope.eight_bit and supports("8bitmime"):
        words.append("BODY=8BITMIME")
    if envelope.smtputf8:
        words.append("SMTPUTF8")
    if envelope.mail_parameters and supports("dsn"):
        words.append(envelope.mail_parameters)
    if envelope.requiretls and supports("requiretls"):  # who must have it was not opened without it
        words.append("REQUIRETLS")
    return " ".join(words)
