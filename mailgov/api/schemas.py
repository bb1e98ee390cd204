"""The shapes of answers, with examples; `/docs` shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mailgov.api.problem import MEDIA_TYPE

_TITLES = {
    401: "Unauthorized",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    422: "Invalid request",
    428: "Precondition Required",
    429: "Too Many Requests",
    503: "Service Unavailable",
    504: "Not yet applied",
}


class ProblemBody(BaseModel):
    """An error (RFC 9457). `type` is about:blank or urn:mailgov:problem:<code>."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    instance: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that may answer these errors."""
    return {status: _problem(status) for status in statuses}


def created_problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that makes an object."""
    return problems(401, 403, *more, 409, 413, 422, 429, 503)


def write_problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that changes an object."""
    return problems(401, 403, 404, 409, 412, 413, 422, 428, 429, 503, *more)


def _problem(status: int) -> dict[str, Any]:
    example = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": status,
        "detail": "One sentence about this case.",
        "instance": "/api/v1/…",
    }
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": _TITLES[status], "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}


class Answer(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(extra="forbid")


class Asked(BaseModel):
    """The base of every body that is sent to us: what is not declared is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(Answer):
    status: Literal["ok"]


class Me(Answer):
    """Who a token or a session stands for. Times in ISO 8601 with the province's offset."""

    name: str
    role: str
    agency: str | None
    created_at: str
    expires_at: str | None
    acts: dict[str, Literal["own", "agency", "all"]] = Field(
        description="What the role may do: for oneself, over its own agency's objects, or over everyone's."
    )


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


class UsageBody(Answer):
    """The first figure: counts of a period, per agency and for the province."""

    period: ReportPeriod
    days: int
    observed_days: int
    province: CountsBody | None = Field(description="Null when the report is about one agency.")
    agencies: list[AgencyCounts]
    definitions: list[DefinitionBody]
    sample: bool = Field(description="True when generated sample traffic is among the counts.")
    note: Remark | None
    generated_at: str
