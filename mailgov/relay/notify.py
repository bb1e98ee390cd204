"""What a sender wishes to be told (RFC 3461 4): RET, ENVID, NOTIFY, ORCPT; kept, granted and passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mailgov.mail.reply import MailError, Reply
from mailgov.store.spool import QueuedMessage, QueuedRecipient

ENVID_OCTETS = 100  # RFC 3461 4.4
ORCPT_OCTETS = 500  # RFC 3461 4.2
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")  # RFC 3461 4
_UTF8_XTEXT = re.compile(r"(?:[!-*,-<>-~]|[^\x00-\x7f]|\+[0-9A-F]{2})*\Z")  # RFC 6533 3
_ATOM = re.compile(r"[!#$%&'*+\-/=?^_`{|}~0-9A-Za-z]+\Z")
_CODE = re.compile(r"\+([0-9A-F]{2})")
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")  # RFC 6533 3
_LAST_CHARACTER = 0x10FFFF
_EVENTS = ("SUCCESS", "FAILURE", "DELAY")
CAUSED_BY_STRANGER = "caused_by_stranger"
"""In a message's context."""


@dataclass(frozen=True, slots=True)
class MessageWishes:
    """MAIL's part: how much of the message a report returns, and the sender's own name for it."""

    ret: str | None = None
    envid: str | None = None
    """As xtext, in the case it came in."""

    @classmethod
    def read(cls, given: Mapping[str, str | None]) -> MessageWishes:
        """From MAIL's parameters. Raises MailError 501 5.5.4 for malformed ones."""
        ret, envid = given.get("RET"), given.get("ENVID")
        if "RET" in given and (ret or "").upper() not in {"FULL", "HDRS"}:
            raise _syntax("RET takes FULL or HDRS")
        if "ENVID" in given and not (envid and len(envid) <= ENVID_OCTETS and _printable(envid)):
            raise _syntax(f"ENVID takes xtext of {ENVID_OCTETS} characters at most")
        return cls(ret.upper() if ret else None, envid)

    def context(self) -> dict[str, object]:
        """For the spool; empty when nothing was wished."""
        wishes = {"ret": self.ret, "envid": self.envid}
        return {"dsn": wishes} if any(wishes.values()) else {}


@dataclass(frozen=True, slots=True)
class RecipientWishes:
    """RCPT's part: when to report, and the address that the sender had."""

    notify: tuple[str, ...] | None = None
    orcpt: str | None = None
    """`type;xtext`, in the case it came in."""

    @classmethod
    def read(cls, given: Mapping[str, str | None], *, smtputf8: bool = False) -> RecipientWishes:
        """From RCPT's parameters. Raises MailError 501 5.5.4 for malformed ones and 555 for any other."""
        if not given:
            return NOTHING
        if not given.keys() <= {"NOTIFY", "ORCPT"}:
            raise MailError(Reply(555, "5.5.4", "RCPT parameter not recognized or not implemented"))
        notify = orcpt = None
        if "NOTIFY" in given:
            notify = tuple((given["NOTIFY"] or "").upper().split(","))
            if notify != ("NEVER",) and not (set(notify) <= set(_EVENTS) and len(set(notify)) == len(notify)):
                raise _syntax("NOTIFY takes NEVER, or some of SUCCESS, FAILURE, DELAY")
        if "ORCPT" in given:
            orcpt = given["ORCPT"] or ""
            kind, _, address = orcpt.partition(";")
            fits = len(orcpt.encode("utf-8", "surrogateescape")) <= ORCPT_OCTETS and _ATOM.match(kind)
            if kind.lower() == "utf-8" and smtputf8:
                good = bool(_UTF8_XTEXT.match(address)) and not _surrogates(address)
            else:
                good = _printable(address)
            if not (fits and address and good):
                raise _syntax(f"ORCPT takes type;xtext of {ORCPT_OCTETS} characters at most")
        return cls(notify, orcpt)

    def context(self) -> dict[str, object]:
        """For the spool; empty when nothing was wished."""
        if self.notify is None and self.orcpt is None:
            return {}
        return {"dsn": {"notify": list(self.notify) if self.notify else None, "orcpt": self.orcpt}}

    def for_member(self) -> RecipientWishes:
        """What holds for each member of a list: one report of success, that of the list, is enough.

        RFC 3461 5.2.7.3; failures and delays of the members are still told.
        """
        if self.notify is None or "SUCCESS" not in self.notify:
            return self
        return replace(self, notify=tuple(one for one in self.notify if one != "SUCCESS") or ("NEVER",))


NO_WISHES = MessageWishes()
NOTHING = RecipientWishes()


def wants_failures(recipient: QueuedRecipient) -> bool:
    """Whether its sender wishes to hear that this recipient failed: yes, unless he said otherwise."""
    notify = _notify(recipient)
    return not notify or "FAILURE" in notify


def wants_success(recipient: QueuedRecipient) -> bool:
    """Whether its sender asked to hear that the message arrived."""
    return "SUCCESS" in _notify(recipient)


def wants_delays(message: QueuedMessage, recipient: QueuedRecipient) -> bool:
    """Whether its sender is to hear that this recipient waits.

    Where he said nothing RFC 3461 4.1 leaves it to us: our own people are told of what they wrote
    themselves. Machines and strangers hear of delays when they ask.
    """
    if notify := _notify(recipient):
        return "DELAY" in notify
    return not message.context.get("automatic") and not is_strangers(message)


def is_strangers(message: QueuedMessage) -> bool:
    """True for mail from outside, whose reverse-path may be anybody's."""
    return message.context.get("outside") is not None


def caused_by_stranger(message: QueuedMessage) -> bool:
    """True for a report of ours about a stranger's mail: he has chosen where it goes."""
    return bool(message.context.get(CAUSED_BY_STRANGER))


def mail_parameters(message: QueuedMessage) -> str:
    """For MAIL at a next hop that knows DSN: RET and ENVID as they came (RFC 3461 5.2.1)."""
    wishes: dict[str, str | None] | None = message.context.get("dsn")
    if not wishes:
        return ""
    return " ".join(f"{name.upper()}={value}" for name, value in wishes.items() if value)


def rcpt_parameters(message: QueuedMessage, recipient: QueuedRecipient) -> str:
    """For RCPT at a next hop that knows DSN: NOTIFY as it came, and ORCPT.

    An address of ours that led elsewhere is named as the original one where the sender named none
    (RFC 3461 5.2.1 c). A bounce asks for no reports: nobody could be told.
    """
    wishes, original = recipient.context.get("dsn"), recipient.context.get("original")
    if not wishes and original in (None, recipient.address):
        return ""
    words: list[str] = []
    if notify := _notify(recipient):
        words.append(f"NOTIFY={','.join(notify)}")
    orcpt = _wishes(recipient).get("orcpt")
    if orcpt is None and message.reverse_path and original and original != recipient.address:
        orcpt = f"{'rfc822' if original.isascii() else 'utf-8'};{_NOT_XTEXT.sub(_as_xtext, original)}"
    if orcpt and not message.smtputf8:
        orcpt = _NOT_ASCII.sub(_as_embedded, orcpt)
    if orcpt and len(orcpt.encode("utf-8", "surrogateescape")) <= ORCPT_OCTETS:
        words.append(f"ORCPT={orcpt}")
    return " ".join(words)


def envelope_id(message: QueuedMessage) -> str | None:
    """The sender's own name for the message, readable."""
    envid = (message.context.get("dsn") or {}).get("envid")
    return decoded(envid) if envid else None


def returned(message: QueuedMessage) -> Literal["FULL", "HDRS"]:
    """How much of the message a report of a failure brings back; where nothing was said, its header."""
    return "FULL" if (message.context.get("dsn") or {}).get("ret") == "FULL" else "HDRS"


def original_recipient(orcpt: str) -> str:
    """ORCPT with its xtext undone, and RFC 6533 3's embedded characters too: `type;address`."""
    kind, _, address = orcpt.partition(";")
    address = decoded(address)
    if kind.lower() == "utf-8":
        address = _EMBEDDED.sub(_embedded, address)
    return f"{kind};{address}"


def decoded(xtext: str) -> str:
    """What xtext stands for (RFC 3461 4)."""
    return _CODE.sub(lambda match: chr(int(match[1], 16)), xtext)


def _wishes(recipient: QueuedRecipient) -> dict[str, Any]:
    return recipient.context.get("dsn") or {}


def _notify(recipient: QueuedRecipient) -> Sequence[str]:
    return _wishes(recipient).get("notify") or ()


def _as_xtext(match: re.Match[str]) -> str:
    return f"+{ord(match[0]):02X}" if match[0].isascii() else match[0]


def _as_embedded(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match[0]):X}}}"


def _embedded(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number <= _LAST_CHARACTER and not 0xD800 <= number <= 0xDFFF else match[0]


def _printable(xtext: str) -> bool:
    """Well-formed xtext that stands for printable US-ASCII (RFC 3461 4.2, 4.4)."""
    return bool(_XTEXT.match(xtext)) and all(
        32 <= int(code, 16) < 127 for code in re.findall(r"\+([0-9A-F]{2})", xtext)
    )


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _syntax(text: str) -> MailError:
    return MailError(Reply(501, "5.5.4", text))
