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


class SessionSeat(Answer):
    """A role, and the agency that it is held in (null: the province's)."""

    role: str
    agency: str | None


class SessionBody(Answer):
    """Who is signed in, in which of their seats. Times in ISO 8601 with the province's offset."""

    address: str
    name: str
    seat: SessionSeat
    seats: list[SessionSeat] = Field(description="What they may act as; owner of their mailbox is the last.")
    must_change_password: bool = Field(
        description="The password is a first one: nothing is answered but its change and this."
    )
    csrf_token: str = Field(description="To be sent as X-CSRF-Token with whatever changes something.")
    signed_in_at: str
    expires_at: str


class PasswordBody(Answer):
    """A password was set."""

    recovery_code: str = Field(
        description="Shown this once: it sets a new password when this one is forgotten."
    )
    session: SessionBody | None = Field(description="The new session; null after a reset.")
