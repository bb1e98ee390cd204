"""Lists by name: a page, and where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from pydantic import Field

from mailgov.api import cursor
from mailgov.api.deps import Parameters
from mailgov.api.problem import Problem

T = TypeVar("T")


class HasId(Protocol):
    """A row with its number."""

    @property
    def id(self) -> int: ...


Numbered = TypeVar("Numbered", bound=HasId)
LIMIT_MAX = 500


class PageQuery(Parameters):
    """What every list of names takes; subclasses add filters."""

    limit: int = Field(50, ge=1, le=LIMIT_MAX)
    cursor: str | None = Field(None, max_length=cursor.CURSOR_LIMIT, description="`next` of the page before.")

    def filters(self) -> dict[str, object]:
        """What a cursor belongs to."""
        return {name: value for name, value in self if name not in ("limit", "cursor")}

    def after(self, size: int = 1) -> tuple[str, ...] | None:
        """The names that the page goes on after; None for the first page. Raises Problem."""
        if self.cursor is None:
            return None
        try:
            return cursor.decode_names(self.cursor, self.filters(), size)
        except cursor.CursorError as error:
            raise Problem(422, "invalid-request", f"query cursor: {error}") from None

    def after_id(self) -> int | None:
        """The row's id that the page goes on after; None for the first page. Raises Problem."""
        if self.cursor is None:
            return None
        try:
            (row,) = cursor.decode(self.cursor, self.filters(), 1)
        except cursor.CursorError as error:
            raise Problem(422, "invalid-request", f"query cursor: {error}") from None
        return row

    def cut_rows(self, found: Sequence[Numbered]) -> tuple[Sequence[Numbered], str | None]:
        """As `cut`, for rows that have an id."""
        page = found[: self.limit]
        more = len(found) > len(page)
        return page, cursor.encode((page[-1].id,), self.filters()) if more else None

    def cut(self, found: Sequence[T], name: Callable[[T], tuple[str, ...]]) -> tuple[Sequence[T], str | None]:
        """One page of rows that were asked for with one more than `limit`, and the cursor of the next."""
        page = found[: self.limit]
        more = len(found) > len(page)
        return page, cursor.encode_names(name(page[-1]), self.filters()) if more else None
