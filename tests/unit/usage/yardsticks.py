"""Reports with indicators against the shipped documents, for tests."""

from __future__ import annotations

from typing import Any

from mailgov.policy import load
from mailgov.settings import ProvinceSettings, Settings
from mailgov.store.engine import Database
from mailgov.usage.indicators.report import Yardsticks
from mailgov.usage.indicators.row import IndicatorRow
from mailgov.usage.report import UsageReport, usage_report
from tests.unit.policy.support import shipped_files
from tests.unit.usage.traffic import at_ms

POLICY = load(shipped_files())
ALL = ["cao-bang", "bac-giang", "phu-tho", "bac-ninh", "binh-dinh"]
ADOPTED = ProvinceSettings(directives=ALL, carry_forward=["binh-dinh"])
OVER = at_ms("2027-01-10")


async def report_of(
    db: Database,
    period: str,
    *,
    province: ProvinceSettings = ADOPTED,
    now_ms: int = OVER,
    directive: str | None = None,
    **asked: Any,
) -> UsageReport:
    """A report whose province has adopted all five documents and carries the plan forward."""
    return await usage_report(
        db,
        period=period,
        settings=Settings(province=province),
        now_ms=now_ms,
        yardsticks=Yardsticks(POLICY.directives, POLICY.providers, directive),
        **asked,
    )


def row(report: UsageReport, indicator: str, agency: str | None) -> IndicatorRow:
    """The one row of an indicator for an agency or (None) the province."""
    assert report.indicators is not None
    (found,) = [one for one in report.indicators.rows if (one.indicator, one.agency) == (indicator, agency)]
    return found


def figure(one: IndicatorRow) -> tuple[int | None, int | None, float | None]:
    return one.numerator, one.denominator, one.percent


def codes(one: IndicatorRow) -> list[str]:
    """The codes of the row's remarks."""
    return [note.code for note in one.notes]
