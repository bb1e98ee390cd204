"""A rule's own tests: what they may say, and what makes one fail."""

from __future__ import annotations

import pytest

from mailgov.policy import PolicyError, run_tests
from tests.unit.policy.support import policy_of, rule

FREE = '[{ fact = "recipient.local", is = false }, { fact = "recipient.mx_provider", is = "free" }]'


def with_test(test: str, *, mode: str = "enforce") -> str:
    return rule("cold", FREE, mode=mode, more=f"[[rule.test]]\n{test}")


REJECTED = """
expect = "reject"
facts.recipient.local = false
facts.recipient.mx_provider = "free"
"""


@pytest.mark.parametrize("mode", ["enforce", "monitor", "off"])
def test_a_changed_mode_breaks_no_test(mode: str) -> None:
    policy = policy_of(with_test(REJECTED, mode=mode))
    assert [(r.rule, r.name, r.passed) for r in run_tests(policy)] == [("cold", "test 1", True)]


@pytest.mark.parametrize(
    "test",
    [
        'expect = "pass"\nfacts = { "recipient.local" = true }',
        'expect = "accept"\nfacts.recipient = { local = true }',
        'expect = "pass"\nfacts.recipient.local = false\nunknown = ["recipient.mx_provider"]',
        'expect = "accept"\n[rule.test.facts]\n"recipient.local" = false\nrecipient.mx_provider = "gateway"',
    ],
)
def test_facts_read_the_same_dotted_nested_and_quoted(test: str) -> None:
    assert all(result.passed for result in run_tests(policy_of(with_test(test))))


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        (
            'expect = "reject"\nfacts.recipient.local = true',
            "expected reject by cold, but got accept by no rule",
        ),
        ('expect = "pass"\nfacts.recipient.local = false', "asks for recipient.mx_provider, which the test"),
        (
            'expect = "reject"\nfacts.recipient.local = false',
            "asks for recipient.mx_provider, which the test",
        ),
        (REJECTED.replace("reject", "pass"), "let it pass, but it fired"),
        (REJECTED.replace("reject", "accept"), "expected accept, but got reject by cold"),
        ('expect = "reject"\nfacts.recipient.locl = true', "did you mean recipient.local?"),
        ('expect = "reject"\nfacts.recipient.local = 1', "is a flag"),
        ('expect = "reject"\nabsent = ["recipient.vie"]', "did you mean recipient.via?"),
        ('expect = "reject"\nrule = "colt"', 'no rule "colt" (did you mean cold?)'),
        ('expect = "reject"\nstage = "data"', "expected one of rcpt"),
        ('expect = "reject"\nfact = {}', "unknown key"),
        ('expect = "rejects"', "did you mean reject?"),
    ],
)
def test_a_failing_or_faulty_test_keeps_the_policy_from_loading(test: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of(with_test(test))
    assert caught.value.key is not None
    assert caught.value.key.startswith("test[0]")
    assert problem in caught.value.problem
    assert caught.value.line is not None
    assert caught.value.line >= 12


THREE = (
    rule("secret", '[{ fact = "message.secrecy", present = true }]', stage="data")
    + rule(
        "worm",
        '[{ fact = "session.listener", is = "mx" }, { fact = "content.malware", is = "found" }]',
        stage="data",
    )
    + rule(
        "hops",
        '[{ fact = "session.listener", is = "mx" }, { fact = "message.hops", at_least = 9 },'
        ' { fact = "message.size_bytes", at_least = 9 }]',
        stage="data",
        more='[[rule.test]]\nexpect = "reject"\n%s',
    )
    + rule("spam", '[{ fact = "content.spam", is = "spam" }]', stage="data")
)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (
            'facts.session.listener = "mx"',
            "asks for message.secrecy (secret), content.malware (worm), message.hops, message.size_bytes",
        ),
        (
            'facts.session.listener = "mx"\nabsent = ["message.secrecy"]\nfacts.message.hops = 9',
            "asks for content.malware (worm), message.size_bytes, which",
        ),
        (
            "facts.message.size_bytes = 9",
            "asks for message.secrecy (secret), session.listener (worm), message.hops, which",
        ),
    ],
)
def test_all_that_a_test_lacks_is_named_at_once(given: str, asked: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of(THREE.replace("%s", given))
    assert asked in caught.value.problem


def test_what_was_named_is_enough() -> None:
    given = """
facts.session.listener = "mx"
facts.content.malware = "clean"
facts.message.hops = 9
facts.message.size_bytes = 9
absent = ["message.secrecy"]
"""
    assert all(result.passed for result in run_tests(policy_of(THREE.replace("%s", given))))
