"""The small tables of a report: outside recipients by provider, rejections by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailgov.store.increments import PROVIDERS


@dataclass(frozen=True, slots=True)
class Tables:
    """Counts by kind, of one agency or of the whole report; None where there is nothing to count.

    `outbound_by_provider` names every class, with 0 too; `rejected_by_rule` the rules that rejected.
    """

    outbound_by_provider: dict[str, int] | None = None
    rejected_by_rule: dict[str, int] | None = None

    def items(self) -> Iterator[tuple[str, dict[str, int] | None]]:
        """The tables by the id of their definition, in the report's order."""
        yield "outbound_by_provider", self.outbound_by_provider
        yield "rejected_by_rule", self.rejected_by_rule


def tables(outbound: Iterable[dict[str, int]], rejected: Iterable[dict[str, int]]) -> Tables:
    """The tables that these counts add up to; none at all are tables of nothing but 0."""
    by_provider, by_rule = _added(outbound), _added(rejected)
    return Tables({name: by_provider[name] for name in PROVIDERS}, dict(sorted(by_rule.items())))


def _added(parts: Iterable[dict[str, int]]) -> Counter[str]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return whole
