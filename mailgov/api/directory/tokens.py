"""Bearer tokens as answers and questions; the text is shown once, and the hash never."""

from __future__ import annotations

from pydantic import Field

from mailgov.api.deps import Text
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.identity.roles import Role
from mailgov.store.tokens import TokenView

MOVING = ("last_used_at",)
"""Fields outside a token's tag: they move whenever it is used."""


class TokenBody(Answer):
    """A token for programs. Times in ISO 8601 with the province's offset; null for never."""

    id: int
    name: str
    role: str
    agency: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="To the minute; the ETag does not cover it.")


class NewTokenBody(TokenBody):
    """A new token; `token` is its text, shown this once."""

    token: str


class TokenPage(Answer):
    items: list[TokenBody]
    next: str | None


class NewTokenAsked(Asked):
    name: Text = Field(description="What it is for.", examples=["giám sát"])
    role: Role
    agency: Text | None = Field(None, description="For an agency's own roles.")
    days: int | None = Field(None, description="Until it expires; null for never.", examples=[365])


def token_body(view: TokenView, zone: str) -> TokenBody:
    def moment(at_ms: int | None) -> str | None:
        return None if at_ms is None else iso(at_ms, zone)

    return TokenBody(
        id=view.id,
        name=view.name,
        role=view.role,
        agency=view.agency_code,
        created_at=iso(view.created_ms, zone),
        expires_at=moment(view.expires_ms),
        revoked_at=moment(view.revoked_ms),
        last_used_at=moment(view.last_used_ms),
    )
