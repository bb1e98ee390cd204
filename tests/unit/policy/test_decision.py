from __future__ import annotations

import json

from mailgov.policy import Decision, Stage, Unknown, facts_from_json, facts_to_json
from tests.unit.policy.support import Known

FACTS: Known = {"a": "x", "b": True, "c": 3, "d": None, "e": ("p", "q"), "f": Unknown("DNS timeout"), "g": ()}


def test_facts_survive_the_ledger() -> None:
    assert facts_from_json(json.loads(json.dumps(facts_to_json(FACTS)))) == FACTS


def test_what_the_ledger_cannot_mean_is_unknown() -> None:
    assert facts_from_json({"a": 1.5, "b": [1], "c": {}}) == dict.fromkeys(
        "abc", Unknown("not a fact's value")
    )


def test_a_record_holds_what_was_seen() -> None:
    decision = Decision("d", Stage.RCPT, "accept", "h", rule="r", mode="enforce", seen=tuple(FACTS.items()))
    record = decision.record(position=4)
    assert (record.id, record.stage, record.outcome, record.rule, record.position) == (
        "d",
        "rcpt",
        "accept",
        "r",
        4,
    )
    assert record.facts == facts_to_json(FACTS)
    assert json.loads(json.dumps(record.facts)) == record.facts
