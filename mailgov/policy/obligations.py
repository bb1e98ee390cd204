"""What a document obliges: the `[[obligation]]` tables of its file in `directives/`.

An obligation is a number to reach (target), a figure reported as achieved (baseline) or
something to do (duty). Whether it binds here, and what it asks for on a day, is `usage.targets`'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, cast

from mailgov.policy.source import Reader

Kind = Literal["target", "baseline", "duty"]
Unit = Literal["percent", "count"]

KINDS: tuple[Kind, ...] = ("target", "baseline", "duty")
UNITS: tuple[Unit, ...] = ("percent", "count")
LEVELS = ("province", "district", "commune")
PEOPLE = ("can_bo", "cong_chuc", "vien_chuc")
"""Classes of people that a document may name; the rest (khac) are in no target."""
COUNT_LIMIT = 1_000_000_000
ID_CHARACTERS = 60
TEXT_CHARACTERS = 600

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*\Z")


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be reached by the end of the day `by` (None: from the beginning).

    Without a number it is a deadline of a duty, or a blank cell of a plan: no target stated.
    """

    by: date | None
    percent: Decimal | None = None
    count: int | None = None

    @property
    def stated(self) -> bool:
        return self.percent is not None or self.count is not None


@dataclass(frozen=True, slots=True)
class Obligation:
    """One row: what a document asks for, of whom, and by when. Texts are our own words.

    `since` and `until` are the first and the last local day that it speaks of (None: open). A
    target without `until` stays as the minimum after its last step; one with it ends there.
    """

    id: str
    directive: str
    kind: Kind
    measured: bool
    """True when the service counts it, or is to; otherwise agencies declare it, or nobody can."""
    article: str
    unit: Unit
    levels: tuple[str, ...]
    people: tuple[str, ...]
    since: date | None
    until: date | None
    steps: tuple[Step, ...]
    each: bool
    """True when the number is asked of each agency: of the province, that all of them have it."""
    at_most: bool
    """True when the number is one not to go above, such as a breach of which 0 are tolerated."""
    exemptions: tuple[str, ...]
    """Words for what may be outside it, such as secret; empty: nothing may."""
    summary_vi: str
    summary_en: str
    reason_vi: str | None
    reason_en: str | None
    """Why it has no figure yet; None for one that is computed or declared."""
    also: tuple[tuple[str, str], ...] = ()
    """Other documents, with the article, that ask for the same."""


def read_obligations(reader: Reader, directive: str) -> tuple[Obligation, ...]:
    """The `[[obligation]]` tables of a document's file; raises PolicyError at the first fault."""
    found: list[Obligation] = []
    for table in reader.tables("obligation"):
        obligation = _obligation(table, directive)
        if any(one.id == obligation.id for one in found):
            raise table.error("id", f'"{obligation.id}" stands twice')
        found.append(obligation)
    return tuple(found)


def _obligation(table: Reader, directive: str) -> Obligation:
    key = table.text("id", limit=ID_CHARACTERS)
    if not _ID.match(key):
        raise table.error("id", "two lower-case names joined by a point, such as pt.meeting-documents")
    unit = cast(Unit, table.choice("unit", UNITS, "count"))
    each = table.flag("each", default=False)
    if each and unit == "percent":
        raise table.error("each", "a percentage is of the whole: only a count is asked of each agency")
    since, until = _day(table, "from"), _day(table, "until")
    if since and until and until < since:
        raise table.error("until", "lies before from")
    obligation = Obligation(
        id=key,
        directive=directive,
        kind=cast(Kind, table.choice("kind", KINDS)),
        measured=table.flag("measured", default=False),
        article=table.text("article", limit=80),
        unit=unit,
        levels=_words(table, "levels", LEVELS) or LEVELS,
        people=_words(table, "people", PEOPLE),
        since=since,
        until=until,
        steps=_steps(table, unit),
        each=each,
        at_most=table.flag("at_most", default=False),
        exemptions=table.texts("exemptions"),
        summary_vi=table.text("summary_vi", limit=TEXT_CHARACTERS),
        summary_en=table.text("summary_en", limit=TEXT_CHARACTERS),
        reason_vi=table.optional_text("reason_vi", limit=TEXT_CHARACTERS),
        reason_en=table.optional_text("reason_en", limit=TEXT_CHARACTERS),
        also=tuple(_also(one) for one in table.tables("also")),
    )
    if (obligation.reason_vi is None) is not (obligation.reason_en is None):
        raise table.error("reason_vi", "a reason needs both languages: reason_vi and reason_en")
    if obligation.kind == "target" and not any(step.stated for step in obligation.steps):
        raise table.error("steps", "a target states a number; without one it is a duty")
    table.finish()
    return obligation


def _steps(table: Reader, unit: Unit) -> tuple[Step, ...]:
    steps: list[Step] = []
    for one in table.tables("steps"):
        step = Step(_day(one, "by"), _percent(one), _count(one))
        if step.percent is not None and step.count is not None:
            raise one.error("count", "a step states a percent or a count, not both")
        if step.stated and (step.percent is not None) is not (unit == "percent"):
            raise one.error("percent" if step.percent is not None else "count", f"the unit is {unit}")
        if steps and (step.by is None or steps[-1].by is None or step.by <= steps[-1].by):
            raise one.error("by", "steps stand in the order of their days, and each has one")
        one.finish()
        steps.append(step)
    return tuple(steps)


def _percent(table: Reader) -> Decimal | None:
    value = table.raw("percent")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise table.error("percent", "expected a number from 0 to 100")
    return Decimal(str(value))


def _count(table: Reader) -> int | None:
    value = table.raw("count")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_LIMIT:
        raise table.error("count", f"expected a whole number from 0 to {COUNT_LIMIT}")
    return value


def _words(table: Reader, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    found = table.texts(key)
    for number, word in enumerate(found):
        table.checked_choice(table.at(key, number), word, allowed)
        if word in found[:number]:
            raise table.source.error(table.at(key, number), f'"{word}" stands twice')
    return tuple(word for word in allowed if word in found)


def _also(table: Reader) -> tuple[str, str]:
    pair = table.text("directive", limit=40), table.text("article", limit=80)
    table.finish()
    return pair


def _day(table: Reader, key: str) -> date | None:
    return date.fromisoformat(table.date(key)) if table.has(key) else None
