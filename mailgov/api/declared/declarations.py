"""Declarations as answers and questions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from mailgov.admin.context import Actor
from mailgov.api.deps import Text
from mailgov.api.figures import Days
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.identity.roles import Act, allowed
from mailgov.store.declarations import DeclarationView, RegisterLine
from mailgov.usage.register_checks import LINES_LIMIT

Kind = Literal["headcount", "documents", "register", "indicator"]
Calendar = Literal["civil", "administrative"]
Numbers = Annotated[
    dict[str, StrictInt],
    Field(
        max_length=20,
        description="headcount: can_bo, cong_chuc, vien_chuc, khac, and long_leave if known; documents: "
        "sent_ and received_ with dm_only, paper_only, parallel; indicator: numerator and denominator, or "
        "count; register: entries 0 where none was issued.",
        examples=[{"can_bo": 4, "cong_chuc": 60, "vien_chuc": 6, "khac": 2}],
    ),
]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class LineBody(Asked):
    """One line of an issue register; a secret document leaves its class and its day alone."""

    document_class: str = Field("", max_length=20, description="Default: the class that the symbol says.")
    symbol: str | None = Field(None, max_length=200, examples=["12/GM-UBND"])
    issued_on: date
    title: str | None = Field(None, max_length=1000)
    exempt: Literal["secret", "other-system"] | None = None
    queue_id: str | None = Field(
        None, max_length=100, description="The message that a document without a symbol went out with."
    )


class DeclarationBody(Days):
    """One revision of a declaration; `from` and `to` are its days, half-open."""

    id: int
    kind: Kind
    subject: str | None = Field(description="The obligation's id, of an indicator.")
    agency: str | None = Field(description="Null for an indicator of the province as a whole.")
    revision: int
    superseded_by: int | None = Field(description="The revision that counts, where this one does not.")
    numbers: dict[str, int]
    register_lines: list[LineBody] | None = Field(
        alias="register", description="Of a register; null in lists and for anything else."
    )
    reason: str | None
    declared_by: str | None = Field(description="Null for a seat that sees no names.")
    declared_at: str
    sample: bool


class DeclarationPage(Answer):
    items: list[DeclarationBody]
    next: str | None


class DeclarationHistory(Answer):
    """Every revision, the first one first."""

    items: list[DeclarationBody]


class DeclarationQuery(PageQuery):
    """Filters hold together."""

    kind: Kind | None = None
    subject: Text | None = Field(None, description="An obligation's id.", examples=["bd.fibre-wan"])
    agency: Text | None = Field(None, description="An agency's code.")
    period: Text | None = Field(None, description="Only what lies inside it: 2026, 2026-Q4, 2026-11, …")
    calendar: Calendar = "civil"


class Told(Asked):
    """What is declared: numbers, or the lines of a register."""

    numbers: Numbers = Field(default_factory=dict)
    register_lines: list[LineBody] = Field(default_factory=list, alias="register", max_length=LINES_LIMIT)

    def lines(self) -> tuple[RegisterLine, ...]:
        """The lines as acts take them."""
        return tuple(RegisterLine(**line.model_dump()) for line in self.register_lines)


class DeclarationAsked(Told):
    kind: Kind
    agency: Text | None = Field(description="Its code; null for an indicator of the province as a whole.")
    period: Text = Field(
        description="2026, 2026-H2, 2026-Q4, 2026-11 or 2026-11-01..2026-11-30 (both inside)."
    )
    calendar: Calendar = "civil"
    subject: Text | None = Field(None, description="The obligation's id, of an indicator.")
    reason: Reason | None = Field(None, description="Why a jump, or parts that do not add up, are right.")


class CorrectionAsked(Told):
    reason: Reason = Field(description="Why it is corrected; it stays beside the numbers.")


def declaration_body(
    view: DeclarationView, actor: Actor, zone: str, *, superseded_by: int | None = None, whole: bool = True
) -> DeclarationBody:
    """One revision as this caller may see it; `whole` with the lines of its register."""
    named = allowed(actor.role, Act.ACCOUNT_READ)
    lines = None
    if whole and view.series.kind == "register":
        lines = [_line(line, named=named) for line in view.register]
    return DeclarationBody.model_validate(
        {
            "from": view.series.from_date.isoformat(),
            "to": view.series.until_date.isoformat(),
            "id": view.id,
            "kind": view.series.kind,
            "subject": view.series.subject or None,
            "agency": view.series.agency or None,
            "revision": view.revision,
            "superseded_by": superseded_by,
            "numbers": view.content,
            "register": lines,
            "reason": view.reason,
            "declared_by": view.actor if named else None,
            "declared_at": iso(view.created_ms, zone),
            "sample": view.sample,
        }
    )


def _line(line: RegisterLine, *, named: bool) -> LineBody:
    """A title may name people: a seat that sees no names sees none."""
    return LineBody(
        document_class=line.document_class,
        symbol=line.symbol,
        issued_on=line.issued_on,
        title=line.title if named else None,
        exempt=line.exempt,
        queue_id=line.queue_id,
    )
