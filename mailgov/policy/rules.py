"""Rules and their dated exceptions, as read from `rules.toml` and `exceptions.toml`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast

from mailgov.policy.conditions import Clause, Condition, Test, all_of, condition
from mailgov.policy.directives import Directive, is_key
from mailgov.policy.facts import FACTS, SECRECY_FACTS, FactValue, Stage, Unknown
from mailgov.policy.source import Reader, describe, suggest
from mailgov.policy.when import parse_value, parse_when

Mode = Literal["enforce", "monitor", "off"]
Action = Literal["reject", "allow"]
Expectation = Literal["reject", "accept", "pass"]

RULES_LIMIT = 500
TEXT_CHARACTERS = 240
"""What a client shows of a reply is short, and RFC 5321 4.5.3.1.5 allows 512 octets for all of it."""

CITATION_OCTETS = 250
"""What stands in a reply's bracket beside rule and decision; half of the line."""

RULE_KEYS = (
    "id", "mode", "stage", "document", "article", "action", "status", "text_vi", "text_en", "reading_vi",
    "reading_en", "asks_vi", "asks_en", "next_vi", "next_en", "secrecy_stop", "when", "test",
)  # fmt: skip
TEST_KEYS = ("name", "stage", "expect", "rule", "facts", "absent", "unknown")
EXCEPTION_KEYS = (
    "id", "rule", "account", "agency", "recipient_domain", "from", "until", "reason", "granted_by",
)  # fmt: skip

_STATUS = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}\Z")


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One of a rule's own tests. `expect`: the message is rejected or accepted (by `rule`, where one
    is named), or this rule lets it pass (whatever the others say).
    """

    name: str
    place: str
    line: int | None
    stage: Stage
    facts: Mapping[str, FactValue | Unknown]
    expect: Expectation
    rule: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `when` holds its conditions by stage; texts are one line each and say how to go on."""

    id: str
    mode: Mode
    stages: tuple[Stage, ...]
    document: str
    article: str
    action: Action
    status: str
    text_vi: str
    text_en: str
    reading_vi: str | None
    reading_en: str | None
    asks_vi: str | None
    """What the article asks of the author, in plain words; for the page that explains."""
    asks_en: str | None
    next_vi: tuple[str, ...]
    """What the author can do now, step by step; for the page that explains."""
    next_en: tuple[str, ...]
    secrecy_stop: bool
    when: Mapping[Stage, tuple[Clause, ...]]
    tests: tuple[RuleTest, ...]
    line: int | None

    def test_at(self, stage: Stage) -> Test:
        return all_of([clause.test for clause in self.when[stage]])


@dataclass(frozen=True, slots=True)
class DatedException:
    """Where one rule does not apply, from the first to the last day, both included."""

    id: str
    rule: str
    account: str | None
    agency: str | None
    recipient_domain: str | None
    first_day: str
    last_day: str
    reason: str
    granted_by: str

    def conditions(self) -> tuple[Condition, ...]:
        """What must be proven for it to count; the date comes last, so that it is rarely asked."""
        fields = (
            ("account.address", "is", self.account),
            ("account.agency", "is", self.agency),
            ("recipient.domain", "is", self.recipient_domain),
            ("clock.local_date", "at_least", self.first_day),
            ("clock.local_date", "at_most", self.last_day),
        )
        return tuple(
            condition(f"exception {self.id}", FACTS[fact], operator, value)
            for fact, operator, value in fields
            if value is not None
        )


def read_rules(reader: Reader, directives: Mapping[str, Directive]) -> tuple[Rule, ...]:
    """The rules of `rules.toml` in their order."""
    readers = reader.tables("rule")
    reader.finish()
    if not readers:
        raise reader.error("rule", "there is no rule at all: a policy that accepts everything has them off")
    if len(readers) > RULES_LIMIT:
        raise reader.error("rule", f"over {RULES_LIMIT} rules")
    rules: dict[str, Rule] = {}
    for table in readers:
        rule = _rule(table, directives)
        if rule.id in rules:
            raise table.error("id", f'the id "{rule.id}" is taken by an earlier rule')
        rules[rule.id] = rule
    _check_test_targets(readers, rules)
    return tuple(rules.values())


def _rule(reader: Reader, directives: Mapping[str, Directive]) -> Rule:
    reader.only(RULE_KEYS)
    identifier = reader.text("id")
    if not is_key(identifier):
        raise reader.error("id", "lower-case words joined by hyphens, at most 40 characters")
    stages = _stages(reader)
    status = reader.optional_text("status") or "5.7.1"
    if not _STATUS.match(status):
        raise reader.error("status", f'expected an RFC 3463 status such as 5.7.1, not "{status}"')
    action = cast(Action, reader.choice("action", ("reject", "allow")))
    rule = Rule(
        id=identifier,
        mode=cast(Mode, reader.choice("mode", ("enforce", "monitor", "off"))),
        stages=stages,
        document=_document(reader, directives),
        article=reader.text("article", limit=40),
        action=action,
        status=status,
        text_vi=reader.text("text_vi", limit=TEXT_CHARACTERS),
        text_en=reader.text("text_en", limit=TEXT_CHARACTERS),
        reading_vi=reader.optional_text("reading_vi"),
        reading_en=reader.optional_text("reading_en"),
        asks_vi=reader.optional_text("asks_vi"),
        asks_en=reader.optional_text("asks_en"),
        next_vi=reader.texts("next_vi"),
        next_en=reader.texts("next_en"),
        secrecy_stop=reader.flag("secrecy_stop", default=False),
        when=MappingProxyType({stage: parse_when(reader, "when", stage) for stage in stages}),
        tests=tuple(_test(t, n, stages, identifier, action) for n, t in enumerate(reader.tables("test"))),
        line=reader.source.line(reader.path),
    )
    _check_secrecy(reader, rule)
    if len(f"{directives[rule.document].citation} {rule.article}".encode()) > CITATION_OCTETS:
        raise reader.error(
            "article", f"with its document over {CITATION_OCTETS} octets: it has to fit a reply"
        )
    reader.finish()
    return rule


def _stages(reader: Reader) -> tuple[Stage, ...]:
    value = reader.required("stage")
    names = value if isinstance(value, list) else [value]
    words = [s.value for s in Stage]
    path = reader.at("stage")
    chosen = {
        reader.checked_choice((*path, n) if isinstance(value, list) else path, name, words)
        for n, name in enumerate(names)
    }
    if not chosen:
        raise reader.error("stage", "names no stage")
    return tuple(stage for stage in Stage if stage in chosen)


def _document(reader: Reader, directives: Mapping[str, Directive]) -> str:
    key = reader.text("document")
    if key not in directives:
        raise reader.error("document", f"no file directives/{key}.toml{suggest(key, directives)}")
    return key


def _check_secrecy(reader: Reader, rule: Rule) -> None:
    """A stop for secrecy is recomputed from the mark alone, so it may look at nothing else."""
    if not rule.secrecy_stop:
        return
    if rule.action != "reject":
        raise reader.error("secrecy_stop", "only a rule that rejects can be a stop for secrecy")
    looked_at = {
        f for clauses in rule.when.values() for c in clauses for leaf in c.leaves() for f in leaf.facts
    }
    if not looked_at <= SECRECY_FACTS:
        names = ", ".join(sorted(looked_at - SECRECY_FACTS))
        raise reader.error("when", f"a stop for secrecy looks at the mark alone, not at {names}")


def _test(reader: Reader, number: int, stages: tuple[Stage, ...], rule: str, action: Action) -> RuleTest:
    reader.only(TEST_KEYS)
    expect = cast(Expectation, reader.choice("expect", ("reject", "accept", "pass")))
    default_rule = rule if (expect == "accept") == (action == "allow") else None
    facts: dict[str, FactValue | Unknown] = {}
    for path, name, value in _flattened(reader.sub("facts"), reader.at("facts"), ()):
        _check_fact(reader, path, name)
        facts[name] = parse_value(reader, name, value, path)
    for key, absent in (("absent", None), ("unknown", Unknown("so says the test"))):
        for position, name in enumerate(reader.texts(key)):
            _check_fact(reader, reader.at(key, position), name)
            facts[name] = absent
    result = RuleTest(
        name=reader.optional_text("name") or f"test {number + 1}",
        place=f"test[{number}]",
        line=reader.source.line(reader.path),
        stage=Stage(reader.choice("stage", [s.value for s in stages], default=stages[0].value)),
        facts=MappingProxyType(facts),
        expect=expect,
        rule=None if expect == "pass" else reader.optional_text("rule") or default_rule,
    )
    reader.finish()
    return result


def _flattened(
    reader: Reader, path: tuple[str | int, ...], name: tuple[str, ...]
) -> list[tuple[Any, str, Any]]:
    """`recipient.local = false` reads the same dotted, nested and quoted."""
    found: list[tuple[Any, str, Any]] = []
    for key, value in reader.table.items():
        if isinstance(value, dict) and len(name) < 3:
            inner = Reader(reader.source, (*path, key), value)
            found += _flattened(inner, (*path, key), (*name, key))
        else:
            found.append(((*path, key), ".".join((*name, key)), value))
    return found


def _check_fact(reader: Reader, path: tuple[str | int, ...], name: str) -> None:
    if name not in FACTS:
        raise reader.source.error(path, f"unknown fact {describe(name)}{suggest(name, FACTS)}")


def _check_test_targets(readers: list[Reader], rules: Mapping[str, Rule]) -> None:
    for reader, rule in zip(readers, rules.values(), strict=True):
        for number, test in enumerate(rule.tests):
            if test.rule is not None and test.rule not in rules:
                path = reader.at("test", number, "rule")
                raise reader.source.error(path, f'no rule "{test.rule}"{suggest(test.rule, rules)}')


def read_exceptions(reader: Reader, rules: Collection[Rule]) -> tuple[DatedException, ...]:
    """The exceptions of `exceptions.toml`, each for one rule that it may be granted from."""
    by_id = {rule.id: rule for rule in rules}
    tables = reader.tables("exception")
    reader.finish()
    found: dict[str, DatedException] = {}
    for number, table in enumerate(tables):
        exception = _exception(table, number)
        if exception.id in found:
            raise table.error("id", f'the id "{exception.id}" is taken by an earlier exception')
        _check_exception(table, exception, by_id)
        found[exception.id] = exception
    return tuple(found.values())


def _exception(reader: Reader, number: int) -> DatedException:
    def lower(key: str) -> str | None:
        text = reader.optional_text(key, limit=256)
        return None if text is None else text.lower()

    reader.only(EXCEPTION_KEYS)
    exception = DatedException(
        id=reader.optional_text("id", limit=60) or f"exception-{number + 1}",
        rule=reader.text("rule"),
        account=lower("account"),
        agency=reader.optional_text("agency", limit=60),
        recipient_domain=lower("recipient_domain"),
        first_day=reader.date("from"),
        last_day=reader.date("until"),
        reason=reader.text("reason"),
        granted_by=reader.text("granted_by"),
    )
    reader.finish()
    return exception


def _check_exception(reader: Reader, exception: DatedException, rules: Mapping[str, Rule]) -> None:
    rule = rules.get(exception.rule)
    if rule is None:
        raise reader.error("rule", f'no rule "{exception.rule}"{suggest(exception.rule, rules)}')
    if rule.secrecy_stop:
        raise reader.error("rule", "nobody can be excepted from a stop for secrecy")
    if exception.last_day < exception.first_day:
        raise reader.error("until", "before its first day")
    if exception.account is None and exception.agency is None and exception.recipient_domain is None:
        raise reader.error(
            None, "names neither account, agency nor recipient_domain: for all, change the mode"
        )
    for leaf in exception.conditions():
        for stage in rule.stages:
            if stage not in FACTS[leaf.fact].stages:
                raise reader.error(
                    "rule", f"{rule.id} is asked at stage {stage}, where {leaf.fact} is not known"
                )
