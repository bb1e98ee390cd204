"""What is asked for over a period: steps, plans that end, blanks, documents that do not bind."""

from __future__ import annotations

import pytest

from mailgov.policy import Obligation, load
from mailgov.settings import ProvinceSettings
from mailgov.usage.periods import parse
from mailgov.usage.targets import Standing, UnknownDirective, chosen, standing
from tests.unit.policy.support import shipped_files

DIRECTIVES = load(shipped_files()).directives
OBLIGATIONS: dict[str, Obligation] = {
    one.id: one for document in DIRECTIVES.values() for one in document.obligations
}
ALL = ["cao-bang", "bac-giang", "phu-tho", "bac-ninh", "binh-dinh"]
ADOPTED = ProvinceSettings(directives=ALL)
CARRYING = ProvinceSettings(directives=ALL, carry_forward=["binh-dinh"])
ALONE = ProvinceSettings(directives=["cao-bang"])


def stands(name: str, period: str, province: ProvinceSettings = ADOPTED) -> Standing:
    return standing(OBLIGATIONS[name], province, parse(period).span)


def asked(found: Standing) -> float | None:
    return None if found.step is None or found.step.percent is None else float(found.step.percent)


@pytest.mark.parametrize(
    ("name", "period", "status", "percent"),
    [
        ("pt.officials-using-mail", "2010-11", "not_due", 80),
        ("pt.officials-using-mail", "2010-12", "due", 80),
        ("pt.officials-using-mail", "2010", "due", 80),
        ("pt.officials-using-mail", "2026-Q4", "due", 80),
        ("bg.electronic-documents", "2009-Q3", "not_due", 50),
        ("bg.electronic-documents", "2009-H2", "due", 50),
        ("bg.electronic-documents", "2009", "not_due", 50),  # it begins in the second half of the year
        ("bg.electronic-documents", "2010-01", "due", 50),
        ("bd.officials-using-mail", "2010", "not_due", 60),
        ("bd.officials-using-mail", "2011-Q3", "not_due", 60),
        ("bd.officials-using-mail", "2011", "due", 60),
        ("bd.officials-using-mail", "2012-Q1", "due", 60),
        ("bd.officials-using-mail", "2012", "due", 80),
        ("bd.officials-using-mail", "2014", "due", 100),
        ("bd.officials-using-mail", "2016-01", "ended", 100),
        ("bd.officials-using-mail", "2015-12-01..2016-01-31", "ended", 100),
        ("bd.commune-lan", "2015", "due", 60),
        ("bd.online-conferencing", "2011", "due", 0),  # 0 is stated
        ("bn.accounts", "2018", "not_due", 100),
        ("bn.accounts", "2026", "due", 100),
    ],
)
def test_the_step_of_a_period(name: str, period: str, status: str, percent: float) -> None:
    found = stands(name, period)
    assert (found.status, asked(found), found.silent) == (status, percent, False)


@pytest.mark.parametrize("period", ["2015", "2015-02", "2014-12-31..2015-01-01"])
def test_a_blank_cell_states_no_target_which_is_not_zero(period: str) -> None:
    found = stands("bd.officials-using-mail", period, CARRYING)
    assert (found.silent, asked(found), found.judged, found.kind) == (True, None, False, "target")


@pytest.mark.parametrize("year", range(2013, 2016))
def test_every_blank_year_is_blank(year: int) -> None:
    assert stands("bd.online-conferencing", str(year)).silent is True


def test_a_plan_ends_unless_it_is_carried_forward() -> None:
    over = stands("bd.officials-using-mail", "2026-Q4")
    assert (over.kind, over.status, over.judged, over.carried) == ("reference", "ended", False, False)
    kept = stands("bd.officials-using-mail", "2026-Q4", CARRYING)
    assert (kept.kind, kept.status, kept.judged, kept.carried) == ("target", "due", True, True)
    assert asked(kept) == 100
    counted = stands("bd.one-stop-districts", "2026", CARRYING)
    assert counted.step is not None
    assert counted.step.count == 11


def test_carrying_forward_what_was_not_adopted_binds_nobody() -> None:
    found = stands("bd.officials-using-mail", "2026", ProvinceSettings(directives=[], carry_forward=ALL))
    assert (found.kind, found.status, found.judged) == ("reference", "ended", False)


@pytest.mark.parametrize("name", ["pt.officials-using-mail", "bn.accounts", "bg.web-sites", "pt.lan"])
def test_what_neither_binds_nor_is_adopted_is_a_reference(name: str) -> None:
    found = stands(name, "2026", ALONE)
    assert (found.kind, found.judged) == ("reference", False)
    assert found.step == OBLIGATIONS[name].steps[-1]  # still told, as a benchmark


@pytest.mark.parametrize(
    ("name", "period", "kind", "status"),
    [
        ("cb.official-mailboxes", "2026", "duty", "due"),
        ("bn.commune-web-sites", "2019-05", "duty", "not_due"),
        ("bn.commune-web-sites", "2019-06", "duty", "due"),
        ("bd.mail-training", "2014", "duty", "due"),
        ("bd.mail-training", "2026", "reference", "ended"),
        ("bn.accounts", "2026", "baseline", "due"),
    ],
)
def test_only_targets_are_judged(name: str, period: str, kind: str, status: str) -> None:
    found = stands(name, period)
    assert (found.kind, found.status, found.judged) == (kind, status, False)


def test_one_document_is_chosen_with_what_others_hold_for_it() -> None:
    ids = {one.id for one in chosen(DIRECTIVES, "binh-dinh")}
    assert {"bd.officials-using-mail", "sig.share"} <= ids
    assert not any(name.startswith(("pt.", "bg.", "cb.")) for name in ids)
    assert {one.id for one in chosen(DIRECTIVES, None)} == set(OBLIGATIONS)
    assert chosen(DIRECTIVES, "luat-117-2025") == []
    with pytest.raises(UnknownDirective):
        chosen(DIRECTIVES, "binh-din")
