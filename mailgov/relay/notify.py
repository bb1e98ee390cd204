"""What a sender wishes to be told of a delivery: RET, ENVID, NOTIFY, ORCPT (RFC 3461 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailgov.mail.reply import MailError, Reply
from mailgov.store.spool import QueuedRecipient

DSN_ADVERTISED = False
"""EHLO says DSN once every wish is granted: delay and success reports, RET, ENVID, the next hop's own DSN.
Until then the parameters are taken, checked and kept, since clients send them to whoever took them once."""
ENVID_OCTETS = 100  # RFC 3461 4.4
ORCPT_OCTETS = 500  # RFC 3461 4.2
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")  # RFC 3461 4
_UTF8_XTEXT = re.compile(r"(?:[!-*,-<>-~]|[^\x00-\x7f]|\+[0-9A-F]{2})*\Z")  # RFC 6533 3
_ATOM = re.compile(r"[!#$%&'*+\-/=?^_`{|}~0-9A-Za-z]+\Z")
_EVENTS = ("SUCCESS", "FAILURE", "DELAY")


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


NO_WISHES = MessageWishes()
NOTHING = RecipientWishes()


def wants_failures(recipient: QueuedRecipient) -> bool:
    """Whether its sender wishes to hear that this recipient failed: yes, unless he said otherwise."""
    notify: Sequence[str] | None = (recipient.context.get("dsn") or {}).get("notify")
    return not notify or "FAILURE" in notify


def _printable(xtext: str) -> bool:
    """Well-formed xtext that stands for printable US-ASCII (RFC 3461 4.2, 4.4)."""
    return bool(_XTEXT.match(xtext)) and all(
        32 <= int(code, 16) < 127 for code in re.findall(r"\+([0-9A-F]{2})", xtext)
    )


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _syntax(text: str) -> MailError:
    return MailError(Reply(501, "5.5.4", text))
