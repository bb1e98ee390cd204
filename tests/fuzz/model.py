"""What may be said in an SMTP session, and what it may be answered: RFC 5321 3.3 and 4.1.4 in a few lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.fuzz.edge import SIZE_LIMIT

REFUSED = frozenset({500, 550, 552, 554})
"""For good, as a message is."""
OUT_OF_ORDER = frozenset({503})
GOOD_START = b"From: <"
COMMAND_OCTETS = 512
LINE_OCTETS = 1000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def bare(message: bytes) -> bool:
    """True where a CR or LF stands alone (RFC 5321 2.3.8)."""
    return not message.count(b"\r\n") == message.count(b"\r") == message.count(b"\n")


def message_answers(message: bytes, *, submitted: bool) -> frozenset[int]:
    """What may answer the end of a message: one that starts well is taken, or refused for what is wrong."""
    if bare(message) or len(message) > SIZE_LIMIT:
        return REFUSED
    if submitted and max(map(len, message.split(b"\r\n"))) + 2 > LINE_OCTETS:
        return REFUSED
    return frozenset({250}) if message.startswith(GOOD_START) else REFUSED | {250}


@dataclass(frozen=True, slots=True)
class Command:
    """`octets` as they go out; `codes` is what may answer them where they are in order."""

    verb: str
    octets: bytes
    codes: frozenset[int]
    content: bytes = b""
    """BDAT's chunk."""
    last: bool = False

    @property
    def argument(self) -> str:
        """What stands behind the command, without blanks around it."""
        return self.octets.partition(b" ")[2].strip().decode("utf-8", "surrogateescape")


@dataclass
class Model:
    """A session's state as its client may know it."""

    authenticates: bool
    tls: bool
    helo: bool = False
    account: bool = False
    mail: bool = False
    recipients: int = 0
    chunks: bytes | None = None
    """What came of a message by BDAT."""
    refused: bool = False
    over: bool = False
    kept: list[bytes] = field(default_factory=list)
    """Messages that were answered 250."""

    def allowed(self, command: Command) -> frozenset[int]:
        """The codes that may answer it now; a line may be too long before all else (RFC 5321 4.5.3.1.4)."""
        codes = self._allowed(command)
        long = command.verb != "BDAT" and len(command.octets) > COMMAND_OCTETS
        return codes | {500} if long else codes

    def _allowed(self, command: Command) -> frozenset[int]:
        if command.verb != "BDAT" and _CONTROL.search(command.argument):
            return frozenset({500, 501})
        if command.verb in {"MAIL", "RCPT", "DATA", "AUTH"} and not self.helo:
            return OUT_OF_ORDER
        if command.verb == "BDAT" and 501 not in command.codes:
            return self._chunk(command)
        match command.verb:
            case "MAIL" if self.mail:
                return OUT_OF_ORDER
            case "MAIL" if self.authenticates and not self.account:
                return frozenset({530})
            case "RCPT" if not self.mail or self.chunks is not None:
                return OUT_OF_ORDER
            case "DATA" if not self.recipients or self.chunks is not None:
                return OUT_OF_ORDER
            case "AUTH" if not self.authenticates:
                return frozenset({502})
            case "AUTH" if not self.tls:
                return frozenset({538})
            case "AUTH" if self.account or self.mail:
                return OUT_OF_ORDER
            case "STARTTLS" if self.tls:
                return OUT_OF_ORDER
        return command.codes

    def _chunk(self, command: Command) -> frozenset[int]:
        if self.chunks is None and not (self.helo and self.recipients):
            return OUT_OF_ORDER
        answers = command.codes
        if command.last:
            answers = self.answers((self.chunks or b"") + command.content)
        return answers - {250} if self.refused else answers

    def answers(self, message: bytes) -> frozenset[int]:
        """What may answer a whole message."""
        return message_answers(message, submitted=self.account)

    def heard(self, command: Command, code: int) -> None:
        """The state after that answer."""
        match command.verb, code:
            case (("HELO" | "EHLO"), 250):
                self.helo = True
                self.reset()
            case "RSET", 250:
                self.reset()
            case "MAIL", 250:
                self.mail = True
            case "RCPT", 250:
                self.recipients += 1
            case "STARTTLS", 220:
                self.tls, self.helo, self.account = True, False, False
                self.reset()
            case "AUTH", 235:
                self.account = True
            case "QUIT", 221:
                self.over = True
            case "BDAT", 501:
                self.over = True
            case "BDAT", 503:
                pass
            case "BDAT", _:
                self.chunks = (self.chunks or b"") + command.content
                self.refused |= code != 250
                if command.last:
                    self.ended(self.chunks, code)

    def ended(self, message: bytes, code: int) -> None:
        """A message was sent whole and answered."""
        if code == 250:
            # A last line that BDAT left open is closed as DATA does it.
            self.kept.append(message if message.endswith(b"\r\n") else message + b"\r\n")
        self.reset()

    def reset(self) -> None:
        self.mail, self.recipients, self.chunks, self.refused = False, 0, None, False
