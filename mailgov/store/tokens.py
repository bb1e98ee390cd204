"""Bearer tokens for programs: found by the SHA-256 of their text, which is not kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.tables import Token


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token without its secret. Times in milliseconds; None for never."""

    id: int
    name: str
    role: str
    agency_code: str | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None

    def valid(self, now_ms: int) -> bool:
        """True while it is neither revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


async def add_token(
    session: Session,
    *,
    name: str,
    token_hash: str,
    role: str,
    agency: str | None,
    expires_ms: int | None,
    now_ms: int,
) -> TokenView:
    """A new token under its hash (hex)."""
    row = Token(
        name=name, hash=token_hash, role=role, agency_code=agency, created_ms=now_ms, expires_ms=expires_ms
    )
    session.add(row)
    await session.flush()
    return _view(row)


async def find_token(session: Session, token_hash: str) -> TokenView | None:
    """The token with that hash, valid or not: ask `TokenView.valid`."""
    row = (await session.execute(select(Token).where(col(Token.hash) == token_hash))).scalar_one_or_none()
    return None if row is None else _view(row)


async def get_token(session: Session, token_id: int) -> TokenView | None:
    """The token with that id."""
    row = (await session.execute(select(Token).where(col(Token.id) == token_id))).scalar_one_or_none()
    return None if row is None else _view(row)


async def list_tokens(session: Session) -> list[TokenView]:
    """All tokens, the oldest first."""
    rows = (await session.execute(select(Token).order_by(col(Token.id)))).scalars()
    return [_view(row) for row in rows]


async def revoke_token(session: Session, token_id: int, now_ms: int) -> None:
    """End a token for good."""
    await session.execute(update(Token).where(col(Token.id) == token_id).values(revoked_ms=now_ms))


async def note_use(session: Session, token_id: int, now_ms: int) -> None:
    """Remember when a token was last used; a hint for people, callers write it at most once a minute."""
    await session.execute(update(Token).where(col(Token.id) == token_id).values(last_used_ms=now_ms))


def _view(row: Token) -> TokenView:
    return TokenView(
        id=row.id or 0,
        name=row.name,
        role=row.role,
        agency_code=row.agency_code,
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        revoked_ms=row.revoked_ms,
        last_used_ms=row.last_used_ms,
    )
