"""The envelope of a mail transaction out, and the commands that say it."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from mailgov.mail.reply import MailError, Reply

_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(slots=True)  # not frozen: each delivery makes one, and that would take it three times as long
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


def commands(envelope: Envelope, size_bytes: int, offered: Container[str]) -> list[bytes]:
    """MAIL and a RCPT for each recipient; `offered` are the next hop's extensions, in lower case.

    Raises MailError for an address that SMTP cannot say.
    """
    said = [f"MAIL {_mail_argument(envelope, size_bytes, offered)}"]
    wishes = envelope.rcpt_parameters if "dsn" in offered else ()
    for number, recipient in enumerate(envelope.recipients):
        wish = wishes[number] if wishes else ""
        said.append(f"RCPT TO:<{recipient}> {wish}" if wish else f"RCPT TO:<{recipient}>")
    if _CONTROL.search("".join(said)):
        raise MailError(Reply(553, "5.1.3", "The address cannot be written in SMTP"))
    return [f"{command}\r\n".encode() for command in said]


def _mail_argument(envelope: Envelope, size_bytes: int, offered: Container[str]) -> str:
    words = [f"FROM:<{envelope.reverse_path}>"]
    if "size" in offered:
        words.append(f"SIZE={size_bytes}")
    if envelope.eight_bit and "8bitmime" in offered:
        words.append("BODY=8BITMIME")
    if envelope.smtputf8:
        words.append("SMTPUTF8")
    if envelope.mail_parameters and "dsn" in offered:
        words.append(envelope.mail_parameters)
    if envelope.requiretls and "requiretls" in offered:  # who must have it was not opened without it
        words.append("REQUIRETLS")
    return " ".join(words)
