"""The indicators that the service computes, by the id of the obligation that asks for each.

A module of this folder offers `INDICATORS`, a tuple of `Indicator`; adding it to `_PARTS` below
is all that a new one needs: rows, province sums' coverage, percent, target, gap and notes on
odd numbers are made in one place from the figures it gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mailgov.usage.indicators import accounts, documents, mailboxes, meeting_documents, people
from mailgov.usage.indicators.row import Activity, Counter, Figure, Indicator, IndicatorRow, Parts, Question

_PARTS: tuple[tuple[Indicator, ...], ...] = (
    people.INDICATORS,
    accounts.INDICATORS,
    mailboxes.INDICATORS,
    documents.INDICATORS,
    meeting_documents.INDICATORS,
)

REGISTRY: Mapping[str, Indicator] = MappingProxyType({one.id: one for part in _PARTS for one in part})
"""By obligation id. An obligation that is not here gets a row that says why it has no figure."""

__all__ = ["REGISTRY", "Activity", "Counter", "Figure", "Indicator", "IndicatorRow", "Parts", "Question"]
