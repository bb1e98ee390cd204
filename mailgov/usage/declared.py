"""What agencies declared for a period: the latest revision of each, and nothing where none was.

A missing agency has declared nothing, which is not 0. Headcounts are of one day; documents
and registers are of a span, declared for it or for spans that make it up without gap or overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from mailgov.store import declarations
from mailgov.store.declarations import DeclarationView, RegisterLine
from mailgov.store.directory import Session
from mailgov.usage.periods import Span

HEADCOUNT, DOCUMENTS, REGISTER, INDICATOR = "headcount", "documents", "register", "indicator"
KINDS = (HEADCOUNT, DOCUMENTS, REGISTER, INDICATOR)
PERSON_CLASSES = ("can_bo", "cong_chuc", "vien_chuc", "khac")
"""All four are declared; `khac` is in no target."""
LONG_LEAVE = "long_leave"
"""Of these persons, those on long leave: optional, listed apart, taken off nothing."""
DOCUMENT_COUNTS = (
    "sent_dm_only",
    "sent_paper_only",
    "sent_parallel",
    "received_dm_only",
    "received_paper_only",
    "received_parallel",
)
"""dm_only: by document management and not by mail; parallel: electronic and on paper, never added."""
ENTRIES = "entries"
PROVINCE = ""
"""The agency of an indicator that is declared for the province as a whole."""
EXEMPT_REASONS = ("secret", "other-system")
"""Why a line of a register lies outside the target by the target's own words."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where declared numbers come from: the revisions that counted, by their ids."""

    ids: tuple[int, ...]
    restated: bool
    """True when one of them is later than the first of its series."""
    sample: bool


@dataclass(frozen=True, slots=True)
class Headcount:
    """Persons of an agency on one day; `long_leave` None is not declared."""

    can_bo: int
    cong_chuc: int
    vien_chuc: int
    khac: int
    long_leave: int | None
    origin: Origin

    def of(self, classes: Collection[str]) -> int:
        """Persons of these classes together."""
        return sum(getattr(self, name) for name in PERSON_CLASSES if name in classes)

    @property
    def total(self) -> int:
        """Persons of all classes."""
        return self.of(PERSON_CLASSES)


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents of an agency in a span that the mail service does not see."""

    sent_dm_only: int
    sent_paper_only: int
    sent_parallel: int
    received_dm_only: int
    received_paper_only: int
    received_parallel: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Register:
    """An agency's issue register of meeting documents in a span; no line: declared, none issued."""

    lines: tuple[RegisterLine, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class DeclaredIndicator:
    """An indicator that the service cannot measure: a share, or a count alone."""

    numerator: int | None
    denominator: int | None
    count: int | None
    origin: Origin


async def headcounts(session: Session, period: Span, agency: str | None = None) -> dict[str, Headcount]:
    """Headcounts by agency for the period's last day, whatever span they were declared with."""
    found = await declarations.latest(session, HEADCOUNT, agency=agency, ends=period.end)
    newest: dict[str, DeclarationView] = {}
    for view in sorted(found, key=lambda one: one.id):
        newest[view.series.agency] = view
    return {code: _headcount(view) for code, view in sorted(newest.items())}


async def documents(session: Session, period: Span, agency: str | None = None) -> dict[str, Documents]:
    """Declared documents by agency for exactly this period."""
    found = await _exactly(session, DOCUMENTS, period, agency)
    return {
        code: Documents(
            **{name: sum(view.content[name] for view in views) for name in DOCUMENT_COUNTS},
            origin=_origin(views),
        )
        for code, views in found.items()
    }


async def registers(session: Session, period: Span, agency: str | None = None) -> dict[str, Register]:
    """Issue registers by agency for exactly this period, lines in the order of the registers."""
    found = await _exactly(session, REGISTER, period, agency)
    filled = {}
    for code, views in found.items():
        whole = await declarations.with_registers(session, views)
        filled[code] = Register(tuple(line for view in whole for line in view.register), _origin(views))
    return filled


async def indicators(
    session: Session, obligation: str, period: Span, agency: str | None = None
) -> dict[str, DeclaredIndicator]:
    """A declared indicator by agency for exactly this period.

    Most are a state at the period's end, so those of months never add up to a year's.
    """
    found = await declarations.latest(
        session, INDICATOR, agency=agency, subject=obligation, since=period.start, ends=period.end
    )
    return {
        view.series.agency: DeclaredIndicator(
            view.content.get("numerator"),
            view.content.get("denominator"),
            view.content.get("count"),
            _origin([view]),
        )
        for view in found
        if view.series.from_date == period.start
    }


def tiles(period: Span, pieces: Iterable[Span]) -> list[Span] | None:
    """The fewest pieces that make up the period without gap or overlap; None where none do.

    Of equally many the ones with the longer first pieces, so that the answer is always the same.
    """
    by_start: dict[date, list[Span]] = {}
    for piece in set(pieces):
        if period.start <= piece.start < piece.end <= period.end:
            by_start.setdefault(piece.start, []).append(piece)
    best: dict[date, list[Span]] = {period.end: []}
    for start in sorted(by_start, reverse=True):
        ways = [[piece, *best[piece.end]] for piece in by_start[start] if piece.end in best]
        if ways:
            best[start] = min(ways, key=lambda way: (len(way), [-piece.days for piece in way]))
    return best.get(period.start)


async def _exactly(
    session: Session, kind: str, period: Span, agency: str | None
) -> dict[str, list[DeclarationView]]:
    """By agency, the declarations that make up the period; agencies without are left out."""
    found = await declarations.latest(session, kind, agency=agency, since=period.start, until=period.end)
    by_agency: dict[str, dict[Span, DeclarationView]] = {}
    for view in found:
        by_agency.setdefault(view.series.agency, {})[span_of(view)] = view
    chosen = {code: tiles(period, views) for code, views in by_agency.items()}
    return {
        code: [by_agency[code][span] for span in spans] for code, spans in chosen.items() if spans is not None
    }


def span_of(view: DeclarationView) -> Span:
    """The days that a declaration is about."""
    return Span(view.series.from_date, view.series.until_date)


def _headcount(view: DeclarationView) -> Headcount:
    counts = {name: view.content[name] for name in PERSON_CLASSES}
    return Headcount(**counts, long_leave=view.content.get(LONG_LEAVE), origin=_origin([view]))


def _origin(views: Sequence[DeclarationView]) -> Origin:
    return Origin(
        ids=tuple(view.id for view in views),
        restated=any(view.revision > 1 for view in views),
        sample=any(view.sample for view in views),
    )
