"""Every operator on every kind of value: known, absent, unknown, of another type, not gathered."""

from __future__ import annotations

import pytest

from mailgov.policy import FactValue, Stage, Unknown
from mailgov.policy.conditions import MISSING, NO, UNKNOWN, YES, Verdict, all_of, any_of
from tests.unit.policy.support import Known, policy_of, rule


def verdict_of(condition: str, facts: Known, stage: str = "rcpt") -> Verdict:
    policy = policy_of(rule("probe", f"[{{ {condition} }}]", stage=stage))
    return policy.steps[Stage(stage)][0].test(facts)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ('fact = "recipient.via", is = "list"', "list", YES),
        ('fact = "recipient.via", is = "list"', "alias", NO),
        ('fact = "recipient.via", is = "list"', None, NO),
        ('fact = "recipient.via", is_not = "list"', None, YES),
        ('fact = "recipient.via", is_not = "list"', "list", NO),
        ('fact = "recipient.local", is = true', True, YES),
        ('fact = "recipient.local", is = true', False, NO),
        ('fact = "recipient.local", is = true', 1, UNKNOWN),
        ('fact = "recipient.local", is = true', "true", UNKNOWN),
        ('fact = "recipient.wrote_in_days", is = 1', 1, YES),
        ('fact = "recipient.wrote_in_days", is = 1', True, UNKNOWN),
        ('fact = "recipient.wrote_in_days", at_most = 365', 365, YES),
        ('fact = "recipient.wrote_in_days", at_most = 365', 366, NO),
        ('fact = "recipient.wrote_in_days", at_most = 365', None, NO),
        ('fact = "recipient.wrote_in_days", at_most = 365', "3", UNKNOWN),
        ('fact = "recipient.wrote_in_days", at_least = 365', 365, YES),
        ('fact = "recipient.via", in = ["list", "alias"]', "alias", YES),
        ('fact = "recipient.via", in = ["list", "alias"]', "forward", NO),
        ('fact = "recipient.via", not_in = ["list", "alias"]', "forward", YES),
        ('fact = "recipient.via", not_in = ["list", "alias"]', None, YES),
        ('fact = "recipient.via", present = true', None, NO),
        ('fact = "recipient.via", present = false', None, YES),
        ('fact = "account.addresses", present = true', (), NO),
        ('fact = "recipient.via", known = true', None, YES),
        ('fact = "recipient.via", known = true', Unknown("away"), NO),
        ('fact = "recipient.via", known = false', Unknown("away"), YES),
        ('fact = "recipient.via", is = "list"', Unknown("away"), UNKNOWN),
        ('fact = "recipient.via", is_not = "list"', Unknown("away"), UNKNOWN),
        ('fact = "recipient.via", present = true', Unknown("away"), UNKNOWN),
        ('fact = "recipient.domain", under = "gov.vn"', "moha.gov.vn", YES),
        ('fact = "recipient.domain", under = "gov.vn"', "gov.vn", YES),
        ('fact = "recipient.domain", under = "GOV.vn."', "gov.vn", YES),
        ('fact = "recipient.domain", under = "gov.vn"', "mygov.vn", NO),
        ('fact = "recipient.domain", under = "gov.vn"', "gov.vn.example", NO),
        ('fact = "recipient.domain", not_under = "gov.vn"', "example.org", YES),
        ('fact = "recipient.address", under = "gov.vn"', "a@moha.gov.vn", YES),
        ('fact = "recipient.address", under = "gov.vn"', "gov.vn@example.org", NO),
        ('fact = "account.addresses", under = "gov.vn"', ("a@x.gov.vn", "b@gov.vn"), YES),
        ('fact = "account.addresses", under = "gov.vn"', ("a@x.gov.vn", "b@example.org"), NO),
        ('fact = "account.addresses", under = "gov.vn"', (), NO),
        ('fact = "account.address", is = "An@Caobang.GOV.vn"', "an@caobang.gov.vn", YES),
        ('fact = "mail.reverse_path", is = ""', "", YES),
        ('fact = "clock.local_date", at_least = 2026-01-02', "2026-01-02", YES),
        ('fact = "clock.local_date", at_most = "2026-01-02"', "2026-01-03", NO),
        ('fact = "clock.local_date", at_most = 2026-01-02', "soon", UNKNOWN),
    ],
)
def test_operator(condition: str, value: FactValue | Unknown, expected: Verdict) -> None:
    name = condition.split('"')[1]
    assert verdict_of(condition, {name: value}) is expected
    assert verdict_of(condition, {}) is MISSING


@pytest.mark.parametrize(
    ("value", "members", "expected"),
    [
        ("a@x.vn", ("a@x.vn", "b@x.vn"), YES),
        ("c@x.vn", ("a@x.vn",), NO),
        ("c@x.vn", None, NO),
        (None, ("a@x.vn",), NO),
        (("a@x.vn", "b@x.vn"), ("a@x.vn", "b@x.vn", "c@x.vn"), YES),
        (("a@x.vn", "d@x.vn"), ("a@x.vn",), NO),
        ((), ("a@x.vn",), NO),
        (Unknown("away"), ("a@x.vn",), UNKNOWN),
        ("a@x.vn", Unknown("away"), UNKNOWN),
        (7, ("a@x.vn",), UNKNOWN),
        ("a@x.vn", "a@x.vn", UNKNOWN),
    ],
)
def test_in_fact_and_its_opposite(
    value: FactValue | Unknown, members: FactValue | Unknown, expected: Verdict
) -> None:
    facts: Known = {"message.author": value, "account.addresses": members}
    opposite = {YES: NO, NO: YES}.get(expected, expected)
    condition = 'fact = "message.author", {} = "account.addresses"'
    assert verdict_of(condition.format("in_fact"), facts, "data") is expected
    assert verdict_of(condition.format("not_in_fact"), facts, "data") is opposite
    assert verdict_of(condition.format("in_fact"), {"message.author": value}, "data") is MISSING


@pytest.mark.parametrize(
    ("verdicts", "every", "one"),
    [
        ((YES, YES), YES, YES),
        ((YES, NO), NO, YES),
        ((MISSING, NO), NO, MISSING),
        ((UNKNOWN, MISSING), UNKNOWN, MISSING),
        ((MISSING, UNKNOWN), UNKNOWN, MISSING),
        ((YES, MISSING), MISSING, YES),
        ((YES, UNKNOWN), UNKNOWN, YES),
        ((NO, UNKNOWN), NO, UNKNOWN),
        ((NO, NO), NO, NO),
    ],
)
def test_all_of_and_any_of(verdicts: tuple[Verdict, ...], every: Verdict, one: Verdict) -> None:
    tests = [lambda facts, verdict=verdict: verdict for verdict in verdicts]
    assert all_of(tests)({}) is every
    assert any_of(tests)({}) is one


def test_alternatives_of_conditions_and_of_lists() -> None:
    when = """[ { any = [
      { fact = "account.citizen_desk", is = true },
      [ { fact = "recipient.local", is = true }, { fact = "recipient.via", is = "list" } ],
    ] } ]"""
    step = policy_of(rule("probe", when)).steps[Stage.RCPT][0]
    assert step.test({"account.citizen_desk": True}) is YES
    assert step.test({"account.citizen_desk": False}) is MISSING
    desk: Known = {"account.citizen_desk": False}
    assert step.clauses[0].missing(desk) == ("recipient.local",)
    assert step.test({**desk, "recipient.local": False}) is NO
    assert step.test({**desk, "recipient.local": True, "recipient.via": "list"}) is YES
