"""Order, laziness, modes and exceptions of a decision."""

from __future__ import annotations

import pytest

from mailgov.policy import Policy, Stage, Unknown, explain, facts_from_json
from tests.unit.policy.support import Known, policy_of, rule

LOCAL = '[{ fact = "recipient.local", is = true }]'
FREE = '[{ fact = "recipient.local", is = false }, { fact = "recipient.mx_provider", is = "free" }]'
WROTE = '[{ fact = "recipient.wrote_in_days", at_most = 365 }]'
COLD: Known = {"recipient.local": False, "recipient.mx_provider": "free"}


def test_the_first_rule_that_fires_decides() -> None:
    policy = policy_of(rule("kept", WROTE, action="allow") + rule("cold", FREE))
    assert policy.decide(Stage.RCPT, {**COLD, "recipient.wrote_in_days": 9}, "d").rule == "kept"
    decision = policy.decide(Stage.RCPT, {**COLD, "recipient.wrote_in_days": None}, "d")
    assert (decision.id, decision.outcome, decision.rule, decision.mode) == ("d", "reject", "cold", "enforce")
    assert (decision.document, decision.article, decision.status) == ("cao-bang", "mục 1b", "5.7.1")
    assert [(seen.condition, seen.value) for seen in decision.matched] == [
        ("recipient.local is false", False),
        ('recipient.mx_provider is "free"', "free"),
    ]
    assert decision.policy_hash == policy.hash


def test_no_rule_means_accept() -> None:
    policy = policy_of(rule("cold", FREE))
    decision = policy.decide(Stage.RCPT, {"recipient.local": True}, "d")
    assert (decision.outcome, decision.rule, decision.mode, decision.text_vi) == ("accept", None, None, None)
    assert policy.wanted(Stage.CONNECT, {}) == ()
    assert policy.decide(Stage.CONNECT, {}, "d").outcome == "accept"


def test_facts_are_wanted_in_order_and_no_further_than_needed() -> None:
    policy = policy_of(rule("cold", FREE) + rule("late", WROTE))
    assert policy.wanted(Stage.RCPT, {}) == ("recipient.local",)
    assert policy.wanted(Stage.RCPT, {"recipient.local": False}) == ("recipient.mx_provider",)
    assert policy.wanted(Stage.RCPT, COLD) == ()
    assert policy.wanted(Stage.RCPT, {"recipient.local": True}) == ("recipient.wrote_in_days",)
    assert policy.wanted(Stage.RCPT, {"recipient.mx_provider": "domestic"}) == ("recipient.wrote_in_days",)


def test_an_unknown_fact_ends_the_questions_of_its_rule_and_is_noted() -> None:
    policy = policy_of(rule("cold", FREE))
    facts: Known = {"recipient.local": Unknown("directory\naway")}
    assert policy.wanted(Stage.RCPT, facts) == ()
    decision = policy.decide(Stage.RCPT, facts, "d")
    assert decision.outcome == "accept"
    assert decision.unsure == ("cold: recipient.local unknown (directory away)",)


def test_what_was_not_gathered_counts_as_unknown() -> None:
    policy = policy_of(rule("cold", FREE) + rule("local", LOCAL))
    decision = policy.decide(Stage.RCPT, {}, "d")
    assert decision.outcome == "accept"
    assert decision.unsure == ("cold: recipient.local not gathered", "local: recipient.local not gathered")
    assert policy.decide(Stage.RCPT, {"recipient.local": 3}, "d").unsure[1] == (
        "local: recipient.local unknown (not of its type)"
    )


def test_monitor_is_noted_and_ends_nothing() -> None:
    policy = policy_of(rule("watch", FREE, mode="monitor") + rule("cold", FREE))
    decision = policy.decide(Stage.RCPT, COLD, "d")
    assert (decision.rule, decision.mode, decision.watched) == ("cold", "enforce", ("watch",))


def test_a_watched_rule_alone_is_named_and_rejects_nothing() -> None:
    policy = policy_of(rule("watch", FREE, mode="monitor") + rule("quiet", FREE, mode="off"))
    decision = policy.decide(Stage.RCPT, COLD, "d")
    assert (decision.outcome, decision.rule, decision.mode) == ("accept", "watch", "monitor")
    assert (decision.watched, decision.status) == (("watch",), None)
    record = decision.record(2)
    assert (record.outcome, record.mode, record.position) == ("accept", "monitor", 2)


def test_a_watched_allow_hides_the_watched_rules_behind_it_as_if_enforced() -> None:
    rules = rule("kept", WROTE, action="allow", mode="monitor") + rule("cold", FREE, mode="monitor")
    policy = policy_of(rules)
    wrote: Known = {**COLD, "recipient.wrote_in_days": 3}
    assert policy.decide(Stage.RCPT, wrote, "d").watched == ()
    assert policy.decide(Stage.RCPT, wrote, "d").rule == "kept"
    assert policy.wanted(Stage.RCPT, {"recipient.wrote_in_days": 3}) == ()
    assert policy.decide(Stage.RCPT, {**COLD, "recipient.wrote_in_days": None}, "d").watched == ("cold",)
    enforced = policy_of(rules + rule("last", FREE))
    assert enforced.decide(Stage.RCPT, wrote, "d").rule == "last"


EXCEPTION = """
[[exception]]
id = "survey"
rule = "cold"
agency = "STC"
recipient_domain = "Gmail.com"
from = 2026-11-01
until = "2026-11-30"
reason = "survey of enterprises"
granted_by = "VP UBND"
"""
GRANTED: Known = {
    **COLD,
    "account.agency": "STC",
    "recipient.domain": "gmail.com",
    "clock.local_date": "2026-11-30",
}


@pytest.fixture(scope="module")
def excepting() -> Policy:
    return policy_of(rule("cold", FREE), EXCEPTION)


def test_an_exception_counts_from_its_first_to_its_last_day(excepting: Policy) -> None:
    for day, outcome in [
        ("2026-10-31", "reject"),
        ("2026-11-01", "accept"),
        ("2026-11-30", "accept"),
        ("2026-12-01", "reject"),
    ]:
        decision = excepting.decide(Stage.RCPT, {**GRANTED, "clock.local_date": day}, "d")
        assert decision.outcome == outcome, day
    accepted = excepting.decide(Stage.RCPT, GRANTED, "d")
    assert (accepted.rule, accepted.mode, accepted.excepted) == ("cold", "enforce", ("survey",))
    assert accepted.record().facts == {**GRANTED}


def test_an_exception_has_to_be_proven(excepting: Policy) -> None:
    for name in ("account.agency", "recipient.domain", "clock.local_date"):
        assert excepting.decide(Stage.RCPT, {**GRANTED, name: Unknown("away")}, "d").rejected
        assert excepting.decide(Stage.RCPT, {k: v for k, v in GRANTED.items() if k != name}, "d").rejected
    assert excepting.decide(Stage.RCPT, {**GRANTED, "account.agency": "SNV"}, "d").rejected


def test_an_exceptions_facts_are_wanted_only_once_its_rule_fires(excepting: Policy) -> None:
    assert excepting.wanted(Stage.RCPT, {"recipient.local": True}) == ()
    assert excepting.wanted(Stage.RCPT, COLD) == ("account.agency",)
    other: Known = {**COLD, "account.agency": "SNV"}
    assert excepting.wanted(Stage.RCPT, other) == ()


def test_explain_shows_every_rule_condition_and_value() -> None:
    policy = policy_of(
        rule("kept", WROTE, action="allow")
        + rule("cold", FREE)
        + rule("late", FREE)
        + rule("off", LOCAL, mode="off"),
        EXCEPTION,
    )
    facts: Known = {**COLD, "recipient.wrote_in_days": Unknown("guard away")}
    kept, cold, late, off = explain(policy, Stage.RCPT, facts)
    assert (kept.answer, kept.reached, kept.decides) == ("unknown", True, False)
    assert (cold.answer, cold.reached, cold.decides) == ("fires", True, True)
    assert (late.answer, late.reached, late.decides) == ("fires", False, False)
    assert (off.answer, off.mode, off.reached) == ("does not apply", "off", False)
    assert [(c.key, c.condition, c.value, c.answer) for c in cold.conditions] == [
        ("when[0]", "recipient.local is false", False, "true"),
        ("when[1]", 'recipient.mx_provider is "free"', "free", "true"),
    ]
    assert kept.conditions[0].value == Unknown("guard away")
    (_, excepted, _, _) = explain(policy, Stage.RCPT, {**GRANTED, "recipient.wrote_in_days": None})
    assert (excepted.answer, excepted.exception, excepted.decides) == ("excepted", "survey", False)
    assert explain(policy, Stage.RCPT, {})[0].answer == "not gathered"


def test_at_route_the_mx_really_used_takes_the_place_of_the_one_looked_up() -> None:
    policy = policy_of(rule("cold", FREE, stage='["rcpt", "route"]'))
    assert policy.wanted(Stage.ROUTE, {"recipient.local": False}) == ("route.mx_provider",)
    assert policy.decide(Stage.ROUTE, {**COLD, "route.mx_provider": "domestic"}, "d").outcome == "accept"
    late: Known = {"recipient.local": False, "recipient.mx_provider": "unknown", "route.mx_provider": "free"}
    assert policy.decide(Stage.ROUTE, late, "d").rule == "cold"


def test_a_stop_for_secrecy_records_the_mark_and_nothing_else() -> None:
    stop = rule(
        "stop", '[{ fact = "message.secrecy", present = true }]', stage="data", more="secrecy_stop = true"
    )
    first = rule("other", '[{ fact = "message.subject", is = "x" }]', stage="data")
    policy = policy_of(first + stop)
    decision = policy.decide(Stage.DATA, {"message.subject": "y", "message.secrecy": "TỐI MẬT"}, "d")
    assert decision.secrecy == "TỐI MẬT"
    record = decision.record()
    assert record.facts == {"message.secrecy": "TỐI MẬT"}
    again = policy.decide(Stage.DATA, facts_from_json(record.facts), "d")
    assert (again.outcome, again.rule) == (decision.outcome, decision.rule)
    assert policy.decide(Stage.DATA, {"message.subject": "x", "message.secrecy": "MẬT"}, "d").secrecy is None
