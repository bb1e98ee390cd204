"""The obligations of the five documents, held against a second transcription of their numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from mailgov.policy import Obligation, load
from tests.unit.policy.support import shipped_files

OBLIGATIONS: dict[str, Obligation] = {
    one.id: one for document in load(shipped_files()).directives.values() for one in document.obligations
}

PLAN: dict[str, list[int | None]] = {
    "bd.officials-using-mail": [60, 80, 90, 100, None],
    "bd.fibre-wan": [15, 30, 50, 80, 100],
    "bd.online-conferencing": [0, 100, None, None, None],
    "bd.data-centre": [30, 40, 90, 100, None],
    "bd.commune-lan": [15, 30, 40, 50, 60],
    "bd.security-devices": [30, 40, 50, 60, 70],
    "bd.computers": [63, 70, 90, 100, None],
    "bd.agencies-on-document-management": [30, 50, 80, 100, None],
    "bd.documents-through-document-management": [40, 60, 65, 70, 80],
    "bd.one-stop-province": [10, 20, 40, 50, 55],
    "bd.web-sites": [50, 80, 100, None, None],
    "bd.it-officers": [50, 70, 90, 100, None],
    "bd.officials-trained": [60, 80, 90, 100, None],
}
PLAN_COUNTS: dict[str, list[int | None]] = {
    "bd.one-stop-districts": [1, 2, 4, 8, 11],
    "bd.shared-databases": [0, 1, 2, 3, 3],
    "bd.security-trained": [4, 20, 20, 20, 20],
}
OPEN_TARGETS: dict[str, tuple[int, date]] = {
    "bg.electronic-documents": (50, date(2009, 12, 31)),
    "bg.it-officers": (100, date(2009, 12, 31)),
    "bg.computer-literacy": (100, date(2009, 12, 31)),
    "bg.computer-literacy-commune": (90, date(2009, 12, 31)),
    "pt.officials-using-mail": (80, date(2010, 12, 31)),
    "pt.meeting-documents": (100, date(2010, 12, 31)),
    "pt.lan": (100, date(2010, 12, 31)),
    "bn.work-files": (100, date(2019, 4, 19)),
}
BASELINES = {"bn.accounts", "bn.agencies-with-accounts", "bn.certificates"}
DEADLINES = {
    "bg.web-sites": date(2009, 12, 31),
    "pt.mail-system": date(2009, 12, 31),
    "bn.commune-web-sites": date(2019, 6, 30),
    "bn.commune-it-officers": date(2019, 5, 31),
    "bn.data-centre": date(2019, 12, 31),
}
COMPUTED = {
    "bg.electronic-documents",
    "pt.officials-using-mail",
    "pt.meeting-documents",
    "bd.officials-using-mail",
    "bn.accounts",
    "bn.agencies-with-accounts",
    "cb.official-mailboxes",
}
TO_COME = {"sig.share", "bn.pdf-with-source", "cb.head-leads", "cb.mailbox-used", "service.steady"}
"""The service is to count these itself: nobody declares them meanwhile."""
PREFIXES = {
    "bac-giang": ("bg.",),
    "bac-ninh": ("bn.",),
    "binh-dinh": ("bd.",),
    "cao-bang": ("cb.", "sig.", "service."),
    "phu-tho": ("pt.",),
}


@pytest.mark.parametrize("name", sorted(PLAN))
def test_the_plan_states_percentages_year_by_year(name: str) -> None:
    one = OBLIGATIONS[name]
    told = [None if step.percent is None else int(step.percent) for step in one.steps]
    assert (one.kind, one.unit, told) == ("target", "percent", PLAN[name])
    assert [step.by for step in one.steps] == [date(year, 12, 31) for year in range(2011, 2016)]
    assert (one.since, one.until) == (date(2011, 1, 1), date(2015, 12, 31))


@pytest.mark.parametrize("name", sorted(PLAN_COUNTS))
def test_the_plan_states_counts_year_by_year(name: str) -> None:
    one = OBLIGATIONS[name]
    assert (one.kind, one.unit, [step.count for step in one.steps]) == ("target", "count", PLAN_COUNTS[name])
    assert [step.by for step in one.steps] == [date(year, 12, 31) for year in range(2011, 2016)]
    assert one.until == date(2015, 12, 31)


@pytest.mark.parametrize("name", sorted(OPEN_TARGETS))
def test_targets_by_a_date_stay_open(name: str) -> None:
    one = OBLIGATIONS[name]
    percent, by = OPEN_TARGETS[name]
    assert (one.kind, one.until) == ("target", None)
    assert [(step.percent, step.by) for step in one.steps] == [(Decimal(percent), by)]


def test_nothing_else_is_a_target_or_a_baseline() -> None:
    targets = {name for name, one in OBLIGATIONS.items() if one.kind == "target"}
    assert targets == {*PLAN, *PLAN_COUNTS, *OPEN_TARGETS}
    assert {name for name, one in OBLIGATIONS.items() if one.kind == "baseline"} == BASELINES


def test_duties_state_no_number_but_what_is_tolerated_and_the_least() -> None:
    numbered = {
        name: [(step.percent, step.count) for step in one.steps if step.stated]
        for name, one in OBLIGATIONS.items()
        if one.kind == "duty" and any(step.stated for step in one.steps)
    }
    assert numbered == {"cb.official-mailboxes": [(None, 0)], "pt.it-officers": [(None, 1)]}
    assert [name for name, one in OBLIGATIONS.items() if one.at_most] == ["cb.official-mailboxes"]
    for name, by in DEADLINES.items():
        assert [step.by for step in OBLIGATIONS[name].steps] == [by]


def test_cao_bang_states_no_percentage() -> None:
    of_it = [one for one in OBLIGATIONS.values() if one.directive == "cao-bang"]
    assert of_it
    assert all(one.kind == "duty" for one in of_it)
    assert all(step.percent is None for one in of_it for step in one.steps)


def test_people_and_levels_are_those_of_the_texts() -> None:
    everybody = ("can_bo", "cong_chuc", "vien_chuc")
    assert OBLIGATIONS["pt.officials-using-mail"].people == everybody
    assert OBLIGATIONS["bn.accounts"].people == everybody
    assert OBLIGATIONS["bd.officials-using-mail"].people == ("can_bo", "cong_chuc")
    assert OBLIGATIONS["bg.computer-literacy"].people == ("cong_chuc", "vien_chuc")
    assert OBLIGATIONS["bg.computer-literacy-commune"].people == ("cong_chuc",)
    assert OBLIGATIONS["bg.electronic-documents"].levels == ("province", "district")
    assert OBLIGATIONS["pt.meeting-documents"].levels == ("province",)
    assert OBLIGATIONS["bd.commune-lan"].levels == ("commune",)
    assert OBLIGATIONS["pt.officials-using-mail"].levels == ("province", "district", "commune")


def test_exemptions_belong_to_their_own_row() -> None:
    assert {name: one.exemptions for name, one in OBLIGATIONS.items() if one.exemptions} == {
        "pt.meeting-documents": ("secret", "other-system"),
        "cb.official-mailboxes": ("own-sector-mail",),
        "bn.data-centre": ("special-case",),
    }


def test_what_is_not_computed_says_why() -> None:
    assert {name for name, one in OBLIGATIONS.items() if one.measured} == COMPUTED | TO_COME
    assert {name for name, one in OBLIGATIONS.items() if one.reason_vi is None} == COMPUTED


def test_ids_begin_with_their_document() -> None:
    for one in OBLIGATIONS.values():
        assert one.id.startswith(PREFIXES[one.directive]), one.id


def test_a_duty_of_several_documents_names_them_all() -> None:
    assert OBLIGATIONS["sig.share"].also == (
        ("bac-ninh", "mục 1e"),
        ("binh-dinh", "Điều 1, mục 2b"),
        ("binh-dinh", "Điều 1, mục 4b"),
    )
