"""The policy engine: pure. Facts in, Decision out; no I/O (but `read_directory`), no clock.

policy = load(read_directory(path))
while names := policy.wanted(stage, facts):
    …gather each as a value or as Unknown(reason)…
decision = policy.decide(stage, facts, decision_id)
"""

from mailgov.policy.decision import Decision, Seen, facts_from_json, facts_to_json
from mailgov.policy.directives import Directive
from mailgov.policy.engine import Policy
from mailgov.policy.errors import PolicyError
from mailgov.policy.explain import ConditionAnswer, RuleExplanation, explain
from mailgov.policy.facts import BODY_FACTS, FACTS, Facts, FactSpec, FactValue, Stage, Unknown
from mailgov.policy.files import read_directory
from mailgov.policy.given import read_fact
from mailgov.policy.load import load
from mailgov.policy.obligations import Obligation, Step
from mailgov.policy.providers import ProviderClass, Providers
from mailgov.policy.reply import render_reply, without_marks
from mailgov.policy.rules import DatedException, Rule, RuleTest
from mailgov.policy.selftest import TestResult, run_tests

__all__ = [
    "BODY_FACTS",
    "FACTS",
    "ConditionAnswer",
    "DatedException",
    "Decision",
    "Directive",
    "FactSpec",
    "FactValue",
    "Facts",
    "Obligation",
    "Policy",
    "PolicyError",
    "ProviderClass",
    "Providers",
    "Rule",
    "RuleExplanation",
    "RuleTest",
    "Seen",
    "Stage",
    "Step",
    "TestResult",
    "Unknown",
    "explain",
    "facts_from_json",
    "facts_to_json",
    "load",
    "read_directory",
    "read_fact",
    "render_reply",
    "run_tests",
    "without_marks",
]
