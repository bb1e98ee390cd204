"""Declarations and exemptions for tests, written through the store."""

from __future__ import annotations

from datetime import date

from mailgov.store import declarations, exemptions
from mailgov.store.declarations import Series
from mailgov.store.engine import Database
from mailgov.usage.periods import parse


async def headcount(
    db: Database,
    agency: str,
    period: str,
    can_bo: int = 0,
    cong_chuc: int = 0,
    vien_chuc: int = 0,
    khac: int = 0,
    *,
    long_leave: int | None = None,
    revision: int = 1,
    sample: bool = False,
) -> None:
    """The headcount of an agency on the last day of a civil period."""
    content = {"can_bo": can_bo, "cong_chuc": cong_chuc, "vien_chuc": vien_chuc, "khac": khac}
    if long_leave is not None:
        content["long_leave"] = long_leave
    await declare(db, "headcount", agency, period, content, revision=revision, sample=sample)


async def declare(
    db: Database,
    kind: str,
    agency: str,
    period: str,
    content: dict[str, int],
    *,
    subject: str = "",
    revision: int = 1,
    sample: bool = False,
) -> None:
    span = parse(period).span
    async with db.write() as session:
        await declarations.add(
            session,
            Series(kind, agency, span.start, span.end, subject),
            content,
            revision=revision,
            actor="test",
            now_ms=revision,
            reason="sửa" if revision > 1 else None,
            sample=sample,
        )


async def exempt(
    db: Database, obligation: str, agency: str, since: str | None = None, until: str | None = None
) -> None:
    """An exemption; `until` is the first day without it."""
    async with db.write() as session:
        await exemptions.add(
            session,
            obligation=obligation,
            agency=agency,
            valid_from=None if since is None else date.fromisoformat(since),
            valid_until=None if until is None else date.fromisoformat(until),
            reason="thử",
            now_ms=1,
        )
