"""Whatever the facts and whatever the rules: a decision comes, the questions end, and both repeat."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailgov.policy import (
    FACTS,
    Decision,
    FactSpec,
    Policy,
    PolicyError,
    Stage,
    Unknown,
    explain,
    facts_from_json,
    load,
    render_reply,
)
from mailgov.policy.facts import LISTENERS
from tests.unit.policy.support import Known, policy_of, rule, shipped_files

STAGES = st.sampled_from(list(Stage))
UNKNOWN = st.builds(Unknown, st.text(max_size=30))
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.lists(st.text(max_size=10), max_size=3).map(tuple),
    UNKNOWN,
    st.sampled_from(["free", "submission", "alias", "MẬT", "2026-11-21", ""]),
)
FACT_NAMES = st.sampled_from(sorted(FACTS))


@cache
def shipped() -> Policy:
    return load(shipped_files())


def typed(spec: FactSpec) -> st.SearchStrategy[Any]:
    """A value of the fact's type, or absent, or unknown."""
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "word": st.sampled_from(spec.values or ("",)),
        "flag": st.booleans(),
        "number": st.integers(0, 400),
        "text": st.sampled_from(["", "a@x.vn", "x.vn", "gmail.com"]),
        "list": st.lists(st.sampled_from(["a@x.vn", "b@y.vn"]), max_size=2).map(tuple),
        "date": st.sampled_from(["2026-11-01", "2026-11-21"]),
    }
    return st.one_of(by_kind[spec.kind], by_kind[spec.kind], st.none(), UNKNOWN)


ALL_TYPED = st.fixed_dictionaries({name: typed(spec) for name, spec in FACTS.items()})


@st.composite
def conditions(draw: st.DrawFn, stage: Stage) -> str:
    spec = draw(st.sampled_from([s for s in FACTS.values() if stage in s.stages]))
    known = f"known = {draw(st.sampled_from(['true', 'false']))}"
    by_kind = {
        "word": [f'is = "{(spec.values or ("",))[0]}"', "present = true"],
        "flag": ["is = true", "is = false"],
        "number": ["at_most = 200", "at_least = 100", "present = false"],
        "text": ['is_not = "gmail.com"', 'in = ["x.vn", "a@x.vn"]']
        + (['in_fact = "account.addresses"'] if stage is not Stage.CONNECT else []),
        "list": ['under = "x.vn"', "present = true"],
        "date": ["at_most = 2026-11-10"],
    }
    return f'{{ fact = "{spec.name}", {draw(st.sampled_from([known, *by_kind[spec.kind]]))} }}'


@st.composite
def policies(draw: st.DrawFn) -> tuple[Policy, Stage]:
    """Some rules at one stage, of any mode and action, with alternatives and exceptions."""
    stage = draw(STAGES)
    rules, exceptions = [], []
    for number in range(draw(st.integers(1, 5))):
        clauses = draw(st.lists(conditions(stage), min_size=1, max_size=3))
        if draw(st.booleans()):
            one, group = draw(conditions(stage)), draw(st.lists(conditions(stage), min_size=1, max_size=2))
            clauses.append(f"{{ any = [{one}, [{', '.join(group)}]] }}")
        mode = draw(st.sampled_from(["enforce", "monitor", "off"]))
        action = draw(st.sampled_from(["reject", "allow"]))
        rules.append(
            rule(f"r{number}", f"[{', '.join(clauses)}]", stage=stage.value, mode=mode, action=action)
        )
        if stage is not Stage.CONNECT and draw(st.booleans()):
            exceptions.append(
                f'[[exception]]\nrule = "r{number}"\naccount = "a@x.vn"\nfrom = 2026-11-01\n'
                f'until = 2026-11-10\nreason = "x"\ngranted_by = "y"\n'
            )
    return policy_of("".join(rules), "".join(exceptions)), stage


def gather(policy: Policy, stage: Stage, truth: Known) -> Known:
    """Answer every question; fail when a question repeats."""
    facts: Known = {}
    while names := policy.wanted(stage, facts):
        for name in names:
            assert name in FACTS
            assert name not in facts
            facts[name] = truth[name]
    return facts


def essence(decision: Decision) -> tuple[object, ...]:
    return (decision.outcome, decision.rule, decision.mode, decision.watched, decision.excepted)


@given(STAGES, st.dictionaries(st.one_of(FACT_NAMES, st.text(max_size=5)), ANYTHING, max_size=20))
def test_decide_never_raises(stage: Stage, facts: Known) -> None:
    policy = shipped()
    decision = policy.decide(stage, facts, "d")
    assert decision == policy.decide(stage, dict(reversed(facts.items())), "d")
    assert isinstance(policy.wanted(stage, facts), tuple)
    assert len(explain(policy, stage, facts)) == sum(stage in rule.stages for rule in policy.rules)
    decision.record()


@given(STAGES, ALL_TYPED)
def test_the_shipped_policys_questions_end(stage: Stage, truth: Known) -> None:
    facts = gather(shipped(), stage, truth)
    assert essence(shipped().decide(stage, facts, "d")) == essence(shipped().decide(stage, truth, "d"))
    if truth["recipient.local"] is True:
        assert not {"recipient.mx_provider", "recipient.wrote_in_days", "route.mx_provider"} & set(facts)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(policies(), st.lists(ALL_TYPED, min_size=5, max_size=5))
def test_any_policys_questions_end_and_more_facts_change_nothing(
    made: tuple[Policy, Stage], truths: list[Known]
) -> None:
    policy, stage = made
    for truth in truths:
        facts = gather(policy, stage, truth)
        decision = policy.decide(stage, facts, "d")
        assert decision == policy.decide(stage, dict(facts), "d")
        assert not any("not gathered" in line for line in decision.unsure)
        assert essence(decision) == essence(policy.decide(stage, truth, "d"))
        deciding = [e.rule for e in explain(policy, stage, facts) if e.decides]
        assert deciding in ([], [decision.rule])
        assert deciding or not decision.rejected


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(policies(), ALL_TYPED, st.sampled_from([*LISTENERS, "elsewhere", None]))
def test_one_walk_asks_and_decides_as_two_do(
    made: tuple[Policy, Stage], truth: Known, listener: str | None
) -> None:
    for policy, stage in (made, (shipped(), made[1])):
        settling: Known = {"session.listener": listener}
        asking = dict(settling)
        while isinstance(settled := policy.settle(stage, settling, "d"), tuple):
            wanted = policy.wanted(stage, asking)
            assert settled == wanted
            settling |= {name: truth[name] for name in settled}
            asking |= {name: truth[name] for name in wanted}
        decided = policy.decide(stage, asking, "d")
        assert settled == (decided if decided.rule else replace(decided, seen=()))


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    policies(),
    ALL_TYPED,
    st.sampled_from([*LISTENERS, "elsewhere", None]),
    st.sets(st.sampled_from(sorted(FACTS))),
)
def test_where_a_policy_is_silent_it_asks_nothing_and_has_nothing_against(
    made: tuple[Policy, Stage], truth: Known, listener: str | None, ungathered: set[str]
) -> None:
    for policy, stage in (made, (shipped(), made[1])):
        facts = {**{n: v for n, v in truth.items() if n not in ungathered}, "session.listener": listener}
        kept = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
        if policy.silent(stage, kept):
            decision = policy.settle(stage, facts, "d")
            assert not isinstance(decision, tuple)
            assert not any((decision.rejected, decision.rule, decision.watched, decision.unsure))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(policies(), ALL_TYPED)
def test_a_decision_is_recomputed_from_what_its_record_keeps(
    made: tuple[Policy, Stage], truth: Known
) -> None:
    policy, stage = made
    decision = policy.decide(stage, truth, "d")
    assert policy.decide(stage, decision.facts, "d") == decision
    assert essence(policy.decide(stage, facts_from_json(decision.record().facts or {}), "d")) == essence(
        decision
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(policies(), ALL_TYPED)
def test_nothing_is_asked_past_the_deciding_rule(made: tuple[Policy, Stage], truth: Known) -> None:
    policy, stage = made
    facts = gather(policy, stage, truth)
    decision = policy.decide(stage, facts, "d")
    names = [step.rule.id for step in policy.steps[stage]]
    reached = [e.rule for e in explain(policy, stage, facts) if e.reached]
    allowed = {name for step in policy.steps[stage] if step.rule.id in reached for name in step.facts}
    assert set(facts) <= allowed
    assert reached == names[: len(reached)]
    if decision.rejected:
        assert reached[-1] == decision.rule


@given(
    st.text(max_size=600),
    st.text(max_size=100),
    st.text(max_size=40),
    st.text(alphabet="0123456789abcdef", min_size=32, max_size=64),
    st.text(max_size=600),
    st.booleans(),
)
def test_a_reply_is_one_bounded_line_that_names_its_decision(
    text: str, citation: str, article: str, decision_id: str, url: str, utf8: bool
) -> None:
    cited = citation.encode(errors="ignore")[:200].decode(errors="ignore")
    decision = Decision(
        id=decision_id,
        stage=Stage.RCPT,
        outcome="reject",
        policy_hash="",
        rule="cold-free-mail",
        citation=cited,
        article=article[:12],
        text_vi=text,
    )
    english = replace(decision, text_en=text[::-1])
    line = render_reply(english, utf8=utf8, public_url=url, abroad=True).line()
    assert len(line.encode()) + 2 <= 512
    line = render_reply(decision, utf8=utf8, public_url=url).line()
    assert len(line.encode()) + 2 <= 512
    assert line.startswith("550 5.7.1 ")
    assert line.endswith(f"; decision {decision_id}]")
    assert not any(c in line for c in "\r\n\0")
    assert utf8 or line.isascii()


def fault_of(files: dict[str, str]) -> PolicyError | None:
    try:
        load(files)
    except PolicyError as error:
        return error
    return None


@settings(max_examples=60)
@given(st.sampled_from(["rules.toml", "providers.toml", "directives/cao-bang.toml"]), st.floats(0, 1))
def test_a_half_written_file_loads_or_is_refused_with_its_place(name: str, part: float) -> None:
    files = shipped_files()
    text = files[name][: int(len(files[name]) * part)]
    fault = fault_of({**files, name: text})
    if fault is not None:
        assert fault.line is not None
        assert fault.file in {f"policy/{name}", "policy/rules.toml"}


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("[]{}=.,\"'#\n ab1\\-é"), max_size=40))
def test_a_fault_anywhere_in_a_text_is_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load({**shipped_files(), "rules.toml": text})
    assert caught.value.line is not None
    assert "\n" not in str(caught.value)
