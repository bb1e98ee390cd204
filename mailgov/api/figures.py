"""The shapes of reports: counts, indicators, targets."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from mailgov.api.schemas import Answer


class Remark(Answer):
    """A remark in both languages; programs compare `code`."""

    code: str
    vi: str
    en: str


class Tongues(Answer):
    vi: str
    en: str


class Days(Answer):
    """Half-open local dates: `from` is the first day inside, `to` the first one after."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    from_: str = Field(alias="from")
    to: str


class Lifetime(Answer):
    """As Days, open where an end is null."""

    from_: str | None = Field(alias="from")
    to: str | None


class ReportPeriod(Days):
    text: str
    kind: Literal["year", "half", "quarter", "month", "range"]
    calendar: Literal["civil", "administrative"]
    cut_off_day: int | None
    progress: Literal["whole", "running", "future"]
    label: Tongues
    months: list[Days]


Provider = Literal["free", "paid-foreign", "domestic", "gateway", "unknown"]


class CountsBody(Answer):
    """Counts; null where there is nothing to count, never an invented 0. See `definitions`."""

    name: str | None
    sent_messages: int | None
    automatic_messages: int | None
    messages_to_others: int | None
    recipients: int | None
    received_messages: int | None
    accounts_that_sent: int | None
    active_persons: int | None
    persons_that_sent: int | None
    outbound_by_provider: dict[Provider, int] | None = Field(
        description="Accepted recipients outside the province, by who hosts their mail; every class is named."
    )
    rejected_by_rule: dict[str, int] | None = Field(
        description="Policy rejections by the rule's id; a rule that rejected nothing is not named."
    )


class AgencyCounts(CountsBody):
    agency: str | None = Field(description="Null for what belonged to no agency.")
    level: str | None
    exists: Lifetime
    note: Remark | None


class ArticleBody(Answer):
    directive: str
    document: str
    article: str


class DefinitionBody(Answer):
    id: str
    text: Tongues
    articles: list[ArticleBody]
    definition_hash: str


class Sources(Answer):
    """Where the two numbers come from: their parts, by name; null for one that is not known."""

    measured: dict[str, int | None]
    declared: dict[str, int | None]


Kind = Literal["target", "baseline", "duty", "reference"]
Status = Literal["due", "not_due", "ended"]


class FigureBody(Answer):
    """A figure beside what a document asks for; see docs/usage.md."""

    indicator: str
    directive: str
    article: str
    period: Days
    numerator: int | None
    denominator: int | None
    percent: float | None = Field(
        description="Rounded down to a hundredth; null where the denominator is unknown, 0 or too small."
    )
    target_percent: float | None
    target_count: int | None
    met: bool | None = Field(
        description="Only of a target that binds here and is due, over a whole period observed whole."
    )
    gap: int | None = Field(description="People or documents missing; addresses too many.")
    kind: Kind
    status: Status
    observed_days: int
    days: int
    definition_hash: str
    sources: Sources
    beside: dict[str, int | None] = Field(description="Shown with the figure, never part of it.")
    note: Remark | None = Field(description="The remark that matters most; all of them are `notes`.")
    notes: list[Remark]
    sample: bool


class IndicatorBody(FigureBody):
    """The figure of an agency or of the province."""

    agency: str | None = Field(description="Null is the province.")


class CombinedBody(FigureBody):
    """The sum of the own figures of agencies that succeed one another."""

    agencies: list[str]


class StepBody(Answer):
    """To be reached by the end of the day `by`; without a number none is stated, which is not 0."""

    by: str | None
    percent: float | None
    count: int | None


class TargetBody(Answer):
    """An obligation, and how it stands over the period. `until` and `by` are last days inside."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    indicator: str
    directive: str
    document: str
    article: str
    also: list[ArticleBody]
    kind: Kind
    stated_as: Literal["target", "baseline", "duty"]
    binds: bool
    carried_forward: bool
    status: Status
    measured: bool
    unit: Literal["percent", "count"]
    target_percent: float | None
    target_count: int | None
    levels: list[Literal["province", "district", "commune"]]
    people: list[Literal["can_bo", "cong_chuc", "vien_chuc"]]
    from_: str | None = Field(alias="from")
    until: str | None
    steps: list[StepBody]
    exemptions: list[str]
    summary: Tongues
    reason: Tongues | None = Field(description="Why it has no figure yet.")


class TargetsBody(Answer):
    """What the documents ask for."""

    period: Days
    targets: list[TargetBody]


class UsageBody(Answer):
    """Counts and indicators of a period, per agency and for the province."""

    period: ReportPeriod
    days: int
    observed_days: int
    province: CountsBody | None = Field(description="Null when the report is about one agency.")
    agencies: list[AgencyCounts]
    directive: str | None = Field(description="The one document that the indicators are of, if asked for.")
    indicators: list[IndicatorBody]
    combined: list[CombinedBody] = Field(
        description="Agencies that succeed one another, together; empty where only one of them lived."
    )
    definitions: list[DefinitionBody]
    sample: bool = Field(description="True when generated sample traffic is among the counts.")
    note: Remark | None
    generated_at: str
