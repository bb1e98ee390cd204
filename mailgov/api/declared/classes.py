"""What messages are taken for, and the monthly sample, as answers and questions."""

from __future__ import annotations

from datetime import date

from pydantic import Field, JsonValue

from mailgov.admin.classes import KEEP, SAMPLE_SIZE, SAMPLE_SIZES, ClassView
from mailgov.api.declared.declarations import Reason
from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.store.classes import SampleView

CODE = Field(max_length=20, description="A code of the document types; null: no document.", examples=["GM"])


class ClassChangeBody(Answer):
    """One correction."""

    time: str
    by: str
    class_before: str | None
    class_after: str | None
    symbol_before: str | None
    symbol_after: str | None
    reason: str


class ClassBody(Answer):
    """What a message counts as."""

    queue_id: str
    subject: str | None
    issuer: str | None = Field(description='An agency\'s code, or "@" and the domain of an author outside.')
    document_class: str | None
    symbol: str | None
    rule_class: str | None = Field(description="The class by rule.")
    checked: bool = Field(description="A person has looked at it.")
    document: str | None = Field(description="What makes messages of one issuer one document; null: none.")
    history: list[ClassChangeBody]


class ClassAsked(Asked):
    """What the message is to count as."""

    document_class: str | None = CODE
    symbol: str | None = Field(
        None, max_length=100, description="Its own symbol; null: it has none. Left out, it stays as it is."
    )
    reason: Reason = Field(description="Why; it stays with the message.")

    @property
    def named(self) -> str | None:
        """The symbol as the act takes it."""
        return self.symbol if "symbol" in self.model_fields_set else KEEP


class SampleBody(Answer):
    """A message of a month's sample."""

    queue_id: str
    month: str
    agency: str | None
    subject: str | None
    rule_class: str | None
    confirmed: bool
    confirmed_class: str | None
    confirmed_by: str | None
    confirmed_at: str | None


class SamplePage(Answer):
    items: list[SampleBody]
    next: str | None


MONTH = r"^[12]\d{3}-(0[1-9]|1[0-2])$"


class SampleQuery(PageQuery):
    month: str = Field(pattern=MONTH, examples=["2026-11"])
    agency: Text | None = Field(None, description="An agency's code.")


class SampleAsked(Asked):
    """The month to draw a sample of."""

    month: str = Field(pattern=MONTH, examples=["2026-11"])
    size: int = Field(SAMPLE_SIZE, ge=SAMPLE_SIZES[0], le=SAMPLE_SIZES[-1])


class SampleDrawn(Answer):
    month: str
    drawn: int


class ConfirmAsked(Asked):
    document_class: str | None = CODE


def first_day(month: str) -> date:
    """A month as `MONTH` has it, as its first day."""
    return date.fromisoformat(f"{month}-01")


def class_body(view: ClassView, zone: str) -> ClassBody:
    """A message's class with its history."""
    now = view.now
    return ClassBody(
        queue_id=now.queue_id,
        subject=now.subject,
        issuer=now.issuer,
        document_class=now.document_class,
        symbol=now.symbol,
        rule_class=now.rule_class,
        checked=now.checked,
        document=now.document_key,
        history=[
            ClassChangeBody(
                time=iso(one.at_ms, zone),
                by=one.actor,
                class_before=one.class_before,
                class_after=one.class_after,
                symbol_before=one.symbol_before,
                symbol_after=one.symbol_after,
                reason=one.reason,
            )
            for one in view.changes
        ],
    )


def sample_body(one: SampleView, zone: str) -> SampleBody:
    """A sampled message."""
    return SampleBody(
        queue_id=one.queue_id,
        month=f"{one.month:%Y-%m}",
        agency=one.agency_code or None,
        subject=one.subject,
        rule_class=one.rule_class,
        confirmed=one.confirmed_ms is not None,
        confirmed_class=one.confirmed_class,
        confirmed_by=one.actor,
        confirmed_at=None if one.confirmed_ms is None else iso(one.confirmed_ms, zone),
    )


_SAMPLE: dict[str, JsonValue] = {
    "queue_id": "01KQ3V9QDT0000ABCD",
    "month": "2026-11",
    "agency": "snv",
    "subject": "12/GM-SNV Giấy mời họp",
    "rule_class": "GM",
    "confirmed": True,
    "confirmed_class": "GM",
    "confirmed_by": "token 3 (văn thư)",
    "confirmed_at": "2026-12-02T08:00:00.000+07:00",
}
EXAMPLES: dict[str, dict[str, JsonValue]] = {
    "ClassAsked": {"document_class": "GM", "symbol": "12/GM-SNV", "reason": "thiếu số trong tiêu đề"},
    "ClassBody": {
        "queue_id": "01KQ3V9QDT0000ABCD",
        "subject": "Kính gửi anh chị",
        "issuer": "snv",
        "document_class": "GM",
        "symbol": "12/GM-SNV",
        "rule_class": None,
        "checked": True,
        "document": "2026:12/GM-SNV",
        "history": [
            {
                "time": "2026-11-21T18:00:01.004+07:00",
                "by": "token 3 (văn thư)",
                "class_before": None,
                "class_after": "GM",
                "symbol_before": None,
                "symbol_after": "12/GM-SNV",
                "reason": "thiếu số trong tiêu đề",
            }
        ],
    },
    "ConfirmAsked": {"document_class": "GM"},
    "SampleAsked": {"month": "2026-11", "size": 100},
    "SampleBody": _SAMPLE,
    "SampleDrawn": {"month": "2026-11", "drawn": 100},
    "SamplePage": {"items": [_SAMPLE], "next": None},
}
