"""Reading the `[[obligation]]` tables: what is refused, and where the fault is said to be."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from mailgov.policy import PolicyError, load
from tests.unit.policy.support import shipped_files

DOCUMENT = """
id = "tinh"
kind = "Chỉ thị"
number = "01/CT-UBND"
issuer = "UBND tỉnh"
title_vi = "Thử"
title_en = "A try"
binds_vi = "Mọi cơ quan"
binds_en = "All agencies"
"""
GOOD = """
[[obligation]]
id = "tinh.mail"
kind = "target"
article = "mục 1"
unit = "percent"
summary_vi = "Dùng thư."
summary_en = "Use mail."
steps = [{ by = 2026-12-31, percent = 12.5 }, { by = 2027-12-31 }]
"""


def loaded(text: str) -> object:
    return load({**shipped_files(), "directives/tinh.toml": DOCUMENT + text})


def test_a_province_adds_obligations_of_its_own() -> None:
    policy = load({**shipped_files(), "directives/tinh.toml": DOCUMENT + GOOD})
    (one,) = policy.directives["tinh"].obligations
    assert (one.id, one.directive, one.measured, one.at_most) == ("tinh.mail", "tinh", False, False)
    assert one.levels == ("province", "district", "commune")
    assert [(step.by, step.percent, step.stated) for step in one.steps] == [
        (date(2026, 12, 31), Decimal("12.5"), True),
        (date(2027, 12, 31), None, False),
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ('"tinh.mail"', '"mail"', "id", "two lower-case names joined by a point"),
        ('"target"', '"targt"', "kind", "did you mean target?"),
        ('article = "mục 1"\n', "", "article", "missing"),
        ('unit = "percent"', 'unit = "share"', "unit", "expected one of percent, count"),
        ("percent = 12.5", "percent = 101", "steps[0].percent", "from 0 to 100"),
        ("percent = 12.5", "percent = true", "steps[0].percent", "from 0 to 100"),
        ("percent = 12.5", "percent = nan", "steps[0].percent", "from 0 to 100"),
        ("percent = 12.5", "count = 3", "steps[0].count", "the unit is percent"),
        ("percent = 12.5", "percent = 1, count = 3", "steps[0].count", "not both"),
        ("percent = 12.5", "percents = 1", "steps[0].percents", "unknown key"),
        ("2027-12-31", "2026-12-31", "steps[1].by", "in the order of their days"),
        ("by = 2027-12-31", "percent = 3", "steps[1].by", "in the order of their days"),
        ("2026-12-31, percent = 12.5", "2026-12-31", "steps", "a target states a number"),
        ("steps =", 'levels = ["ward"]\nsteps =', "levels[0]", "expected one of province"),
        ("steps =", 'people = ["khac"]\nsteps =', "people[0]", "expected one of can_bo"),
        ("steps =", 'people = ["can_bo", "can_bo"]\nsteps =', "people[1]", "stands twice"),
        ("steps =", "from = 2026-02-01\nuntil = 2026-01-31\nsteps =", "until", "lies before from"),
        ("steps =", 'reason_vi = "Chưa."\nsteps =', "reason_vi", "both languages"),
        ("steps =", 'since = "x"\nsteps =', "since", "unknown key"),
        ('"tinh.mail"', '"pt.lan"', "id", "stands in directives/phu-tho.toml too"),
        (
            "steps =",
            'also = [{ directive = "phu-th", article = "mục 1" }]\nsteps =',
            "also[0].directive",
            "(did you mean phu-tho?)",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, place: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(PolicyError) as caught:
        loaded(GOOD.replace(old, new, 1))
    assert str(caught.value).startswith("policy/directives/tinh.toml:")
    assert place in str(caught.value)
    assert problem in str(caught.value)


def test_one_id_names_one_obligation() -> None:
    with pytest.raises(PolicyError, match="stands twice"):
        loaded(GOOD + GOOD)


def test_a_setting_that_names_no_document_is_a_warning() -> None:
    adopted = {"province.directives": ["cao-bang", "phu-thoo"], "province.carry_forward": ["nowhere"]}
    warnings = load(shipped_files(), adopted=adopted).warnings
    assert [line for line in warnings if line.startswith("province.")] == [
        'province.directives names "phu-thoo", which no file in directives/ describes'
        " (did you mean phu-tho?)",
        'province.carry_forward names "nowhere", which no file in directives/ describes',
    ]
