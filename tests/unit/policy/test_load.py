"""A fault in a policy file is one line that says file, line, key and problem."""

from __future__ import annotations

import pytest

from mailgov.policy import PolicyError, load
from tests.unit.policy.support import policy_of, rule, shipped_files

WHEN = '[{ fact = "recipient.local", is = false }]'


def fault_of(name: str, text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        load({**shipped_files(), name: text})
    return caught.value


def rule_fault(text: str) -> str:
    return str(fault_of("rules.toml", text))


def test_a_misspelt_fact_is_named_with_its_line() -> None:
    when = '[\n  { fact = "recipent.local", is = true },\n]'
    assert rule_fault(rule("a", when)) == (
        'policy/rules.toml:12: key "when[0].fact": '
        'unknown fact "recipent.local" (did you mean recipient.local?)'
    )


@pytest.mark.parametrize(
    ("when", "key", "problem"),
    [
        ('[{ fact = "recipient.mx_provider", is = "fre" }]', "when[0].is", "(did you mean free?)"),
        ('[{ fact = "recipient.local", si = true }]', "when[0].si", "unknown operator"),
        ('[{ fact = "recipient.local" }]', "when[0]", "one fact and one operator"),
        ('[{ fact = "recipient.local", is = true, known = true }]', "when[0]", "one fact and one operator"),
        ("[{ is = true }]", "when[0].fact", "missing"),
        ('[{ fact = "recipient.local", at_most = 3 }]', "when[0].at_most", "it takes is, known"),
        ('[{ fact = "recipient.local", is = "yes" }]', "when[0].is", "is a flag"),
        ('[{ fact = "recipient.wrote_in_days", at_most = true }]', "when[0].at_most", "is a number"),
        ('[{ fact = "recipient.via", in = [] }]', "when[0].in", "an empty list"),
        ('[{ fact = "recipient.via", in = "list" }]', "when[0].in", "expected an array"),
        ('[{ fact = "recipient.via", in = ["list", "lst"] }]', "when[0].in[1]", "did you mean list?"),
        ('[{ fact = "account.kind", under = "vn" }]', "when[0].under", "neither a domain nor an address"),
        ('[{ fact = "recipient.domain", under = "a@vn" }]', "when[0].under", "expected a domain"),
        ('[{ fact = "recipient.address", in_fact = "recipient.domain" }]', "when[0].in_fact", "not a list"),
        ('[{ fact = "clock.local_date", at_most = "2026-13-01" }]', "when[0].at_most", "expected a date"),
        ('[{ fact = "message.subject", is = "x" }]', "when[0].fact", "not known at stage rcpt (only at data"),
        ('[{ fact = "route.mx_provider", is = "free" }]', "when[0].fact", "(only at route)"),
        ("[{ any = [] }]", "when[0].any", "at least one alternative"),
        ("[{ any = [3] }]", "when[0].any[0]", "expected a condition"),
        ("[{ any = [[]] }]", "when[0].any[0]", "expected a condition"),
        ('[{ any = [{ fact = "x", is = 1 }] }]', "when[0].any[0].fact", "unknown fact"),
        ('[{ any = [[{ fact = "x", is = 1 }]] }]', "when[0].any[0][0].fact", "unknown fact"),
        (f'[{{ any = {WHEN}, fact = "x" }}]', "when[0].fact", "unknown key"),
        ("[]", "when", "at least one condition"),
        ("[3]", "when[0]", "expected a table"),
        ('"always"', "when", "expected an array"),
    ],
)
def test_faults_in_conditions(when: str, key: str, problem: str) -> None:
    error = fault_of("rules.toml", rule("a", when))
    assert (error.file, error.line, error.key) == ("policy/rules.toml", 11, key)
    assert problem in error.problem
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('id = "a"', 'id = "A b"', "id", "lower-case words"),
        ('id = "a"', "", "id", "missing"),
        ('mode = "enforce"', 'mode = "enforced"', "mode", "(did you mean enforce?)"),
        ('mode = "enforce"', "mode = true", "mode", "expected one of"),
        ('stage = "rcpt"', 'stage = ["rcpt", "rout"]', "stage[1]", "did you mean route?"),
        ('stage = "rcpt"', "stage = []", "stage", "names no stage"),
        ('document = "cao-bang"', 'document = "caobang"', "document", "did you mean cao-bang?"),
        ("text_vi =", "txt_vi =", "txt_vi", "unknown key (did you mean text_vi?)"),
        ('mode = "enforce"', 'mdoe = "enforce"', "mdoe", "unknown key (did you mean mode?)"),
        ('id = "a"', 'di = "a"', "di", "unknown key"),
        ('text_vi = "', 'test = [{ expct = "pass" }]\ntext_vi = "', "test[0].expct", "did you mean expect?"),
        ('text_en = "Not', 'text_en = "Not\\r\\n250 fine', "text_en", "control characters"),
        ('text_en = "Not', f'text_en = "{"x" * 240}', "text_en", "over 240 characters"),
        (
            'action = "reject"',
            'action = "allow"\nsecrecy_stop = true',
            "secrecy_stop",
            "only a rule that rejects",
        ),
        ('action = "reject"', 'action = "reject"\nsecrecy_stop = true', "when", "looks at the mark alone"),
        ('action = "reject"', 'action = "reject"\nstatus = "2.7.1"', "status", "RFC 3463"),
        ('action = "reject"', 'action = "reject"\ncolour = "red"', "colour", "unknown key"),
    ],
)
def test_faults_in_a_rule(old: str, new: str, key: str, problem: str) -> None:
    text = rule("a", WHEN)
    assert old in text
    error = fault_of("rules.toml", text.replace(old, new))
    assert error.key == key
    assert problem in error.problem
    assert error.line is not None


def test_a_misspelt_key_has_its_own_line() -> None:
    assert rule_fault(rule("a", WHEN).replace("mode =", "mdoe =")).startswith(
        'policy/rules.toml:4: key "mdoe": unknown key (did you mean mode?)'
    )


def test_a_misspelt_key_of_an_exception_comes_before_what_is_missing() -> None:
    error = fault_of("exceptions.toml", '[[exception]]\nrul = "cold-free-mail"\n')
    assert (error.line, error.key) == (2, "rul")
    assert error.problem == "unknown key (did you mean rule?)"


def test_the_second_rule_of_an_id_is_refused_at_its_own_line() -> None:
    assert rule_fault(rule("a", WHEN) + rule("a", WHEN)).startswith(
        'policy/rules.toml:15: key "id": the id "a"'
    )


def test_syntax_errors_carry_their_line() -> None:
    assert rule_fault("[[rule]]\nid = a\n").startswith("policy/rules.toml:2: not TOML: ")
    assert rule_fault('[[rule]]\nid = "a').startswith("policy/rules.toml:2: not TOML: ")
    assert rule_fault("x = 1\nx = 2").startswith("policy/rules.toml:2: not TOML: ")
    assert "nested too deep" in rule_fault("x = " + "[" * 100_000)


@pytest.mark.parametrize("name", ["rules.toml", "exceptions.toml", "providers.toml", "document_types.toml"])
def test_a_missing_file_is_named(name: str) -> None:
    files = shipped_files()
    del files[name]
    with pytest.raises(PolicyError, match=f"^policy/{name}: the file is missing$"):
        load(files)


def test_an_emptied_file_is_not_a_policy() -> None:
    assert rule_fault("").startswith('policy/rules.toml:1: key "rule": there is no rule at all')


def test_a_file_that_nobody_reads_is_refused() -> None:
    assert "did you mean exceptions.toml?" in str(fault_of("exeptions.toml", ""))
    assert "not a policy file" in str(fault_of("directives/old/x.toml", ""))


def test_the_directory_is_named_as_the_province_knows_it() -> None:
    with pytest.raises(PolicyError, match=r"^/etc/mailgov/policy/rules\.toml:1: "):
        load({**shipped_files(), "rules.toml": "x"}, directory="/etc/mailgov/policy")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "providers.toml",
            "[mx]\nfree = ['Google.com']",
            ':2: key "mx.free[0]": "Google.com" is not a domain',
        ),
        (
            "providers.toml",
            "[mx]\nfree = ['a.b']\ngateway = ['a.b']",
            ':3: key "mx.gateway[0]": a.b is listed twice',
        ),
        ("providers.toml", "[mx]\npaid = ['a.b']", ':2: key "mx.paid": unknown key'),
        ("document_types.toml", "\n[[type]]\ncode = 3", ':3: key "code": '),
        ("document_types.toml", '[reply]\nprefixes = ["a", 3]', ':2: key "reply.prefixes[1]": '),
        ("directives/cao-bang.toml", 'id = "cao-bng"', ':1: key "id": "cao-bng" is not the name of the file'),
        ("directives/x-y.toml", 'id = "x-y"\nkind = "Luật"\nnumber = "no\\nne"', ':3: key "number": control'),
        (
            "directives/x-y.toml",
            'id = "x-y"\nkind = "Luật"\nnumber = "số 3"',
            ':3: key "number": "số 3" does not',
        ),
    ],
)
def test_faults_in_other_files(name: str, text: str, problem: str) -> None:
    assert str(fault_of(name, text)).startswith(f"policy/{name}{problem}")


EXCEPTION = """
[[exception]]
rule = "a"
account = "stc@caobang.gov.vn"
from = 2026-11-01
until = 2026-11-30
reason = "survey"
granted_by = "VP UBND"
"""


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('rule = "a"', 'rule = "ab"', "rule", 'no rule "ab" (did you mean a?)'),
        ("until = 2026-11-30", "until = 2026-10-30", "until", "before its first day"),
        ("until = 2026-11-30", "", "until", "missing"),
        ("until = 2026-11-30", "until = 2026-11-30T00:00:00", "until", "expected a date"),
        ('account = "stc@caobang.gov.vn"', "", None, "change the mode"),
        ("reason =", "raison =", "raison", "unknown key (did you mean reason?)"),
        ("reason =", "why = 1\nreason =", "why", "unknown key"),
    ],
)
def test_faults_in_exceptions(old: str, new: str, key: str | None, problem: str) -> None:
    assert old in EXCEPTION
    with pytest.raises(PolicyError) as caught:
        policy_of(rule("a", WHEN), EXCEPTION.replace(old, new))
    assert caught.value.file == "policy/exceptions.toml"
    assert caught.value.key == (key or "exception[0]")
    assert problem in caught.value.problem


def test_nobody_is_excepted_from_a_stop_for_secrecy() -> None:
    stop = rule(
        "a", '[{ fact = "message.secrecy", present = true }]', stage="data", more="secrecy_stop = true"
    )
    with pytest.raises(PolicyError, match="nobody can be excepted"):
        policy_of(stop, EXCEPTION)


def test_an_exception_for_a_recipient_needs_a_rule_about_recipients() -> None:
    mail = rule("a", '[{ fact = "mail.writes_as_itself", is = false }]', stage="mail")
    with pytest.raises(PolicyError, match=r"asked at stage mail, where recipient\.domain is not known"):
        policy_of(mail, EXCEPTION.replace("account", "recipient_domain"))


def test_the_hash_names_the_content_not_the_layout() -> None:
    files = shipped_files()
    first = load(files).hash
    assert len(first) == 32
    assert load({**files, "exceptions.toml": "# nothing here\n\n"}).hash == first
    assert load({**files, "rules.toml": files["rules.toml"].replace("\n", "\r\n")}).hash == first
    assert load({**files, "rules.toml": files["rules.toml"].replace("(MAIL FROM)", "")}).hash != first


def test_a_changed_limit_breaks_the_rules_own_test() -> None:
    files = shipped_files()
    text = files["rules.toml"].replace("at_most = 365", "at_most = 364")
    with pytest.raises(
        PolicyError, match='rule reply-to-citizen, "the citizen wrote 365 days ago": expected'
    ):
        load({**files, "rules.toml": text})


def test_numbers_come_from_settings() -> None:
    files = shipped_files()
    bare = load(files)
    assert any("set province.directive_numbers.cao-bang" in line for line in bare.warnings)
    assert bare.directives["cao-bang"].citation == "Chỉ thị văn bản điện tử tỉnh Cao Bằng"
    numbered = load(files, directive_numbers={"cao-bang": "10/CT-UBND"})
    assert numbered.warnings == ()
    assert numbered.directives["cao-bang"].citation == "Chỉ thị 10/CT-UBND"
    odd = load(files, directive_numbers={"cao-bag": "1", "bac-ninh": "1", "cao-bang": " "})
    assert [line.split('"')[1] for line in odd.warnings if '"' in line] == ["cao-bag", "bac-ninh"]
    assert len(odd.warnings) == 3
    with pytest.raises(PolicyError, match=r'^settings: key "province.directive_numbers.cao-bang"'):
        load(files, directive_numbers={"cao-bang": "1\r\n2"})


def test_a_stop_for_secrecy_that_is_not_enforced_is_warned_of() -> None:
    files = shipped_files()
    text = files["rules.toml"].replace('mode = "enforce"\nstage = "data"', 'mode = "monitor"\nstage = "data"')
    warnings = load({**files, "rules.toml": text}, directive_numbers={"cao-bang": "1"}).warnings
    assert [line.split(" is in mode")[0] for line in warnings] == [
        "rules.toml: state-secret-subject",
        "rules.toml: state-secret-attachment",
    ]
    assert "no rule stops" in policy_of(rule("a", WHEN)).warnings[-1]
