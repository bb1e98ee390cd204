"""Which of a message's attachments are risky, in words that a reply and a record can bear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailgov.mail.text import one_line

SHOWN = 2
"""Attachments that a reply names; of the others their number."""
RECORDED = 10
NAME_CHARACTERS = 30
_QUOTING = str.maketrans(dict.fromkeys('"[]<>\\', "?"))


@dataclass(frozen=True, slots=True)
class RiskyPart:
    """One of them: its place among `of`, from 1, its kinds of `mail.events.ATTACHMENT_RISKS`, its name.

    The name is the author's own word: for the reply to him alone, never kept. "" where it has none.
    """

    position: int
    of: int
    risks: tuple[str, ...]
    name: str = ""

    @property
    def recorded(self) -> str:
        """`2/5: executable, disguised`."""
        return f"{self.position}/{self.of}: {', '.join(self.risks)}"

    @property
    def told(self) -> str:
        """`attachment 2 of 5 "hoadon.pdf.exe" (executable, disguised)`."""
        name = f' "{self.name}"' if self.name else ""
        return f"attachment {self.position} of {self.of}{name} ({', '.join(self.risks)})"


def recorded(parts: Iterable[RiskyPart]) -> list[str]:
    """As a record and the log have them: the first `RECORDED`, without names, and how many more."""
    found = list(parts)
    more = [f"+{len(found) - RECORDED}"] if len(found) > RECORDED else []
    return [part.recorded for part in found[:RECORDED]] + more


def told(parts: Iterable[RiskyPart]) -> str:
    """As the reply has them: the first `SHOWN`, and how many more; "" for none."""
    found = list(parts)
    more = [f"{len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([part.told for part in found[:SHOWN]] + more)


def shown_name(name: str) -> str:
    """A name on one line, cut in its middle, since what it ends in is what it is."""
    clean = one_line(name, max(1, len(name))).translate(_QUOTING)
    half = NAME_CHARACTERS // 2 - 1
    return clean if len(clean) <= NAME_CHARACTERS else f"{clean[:half]}..{clean[-half:]}"
