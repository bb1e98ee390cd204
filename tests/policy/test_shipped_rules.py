"""The shipped rules in both directions: what the law asks them to stop, and what they must let be.

Facts are served the way the relay serves them, one question at a time, so each case also says
which facts were asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mailgov.policy import BODY_FACTS, Decision, FactValue, Policy, Stage, Unknown, load, render_reply
from mailgov.policy.facts import CONTENT_FACTS
from tests.unit.policy.support import Known, shipped_files

SUBMISSION = "submission"
OUTBOUND = ("submission", "submissions", "trusted")


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(shipped_files())


@dataclass(frozen=True)
class Case:
    """A message to one recipient. `mx` are the recipient's MX hosts, None when DNS fails."""

    listener: str = SUBMISSION
    reverse_path: str = "annv@caobang.gov.vn"
    itself: bool = True
    desk: bool = False
    address: str = "x@example.org"
    local: bool = False
    via: str | None = None
    registered: bool = False
    mx: tuple[str, ...] | None = ("mx.example.org",)
    used: str | None = None
    wrote: int | None = None
    author_is_account: bool = True
    path_ours: bool = False
    author_ours: bool = False
    dmarc: str | None = "none"
    dmarc_policy: str | None = None
    subject_mark: str | None = None
    attachment_mark: str | None = None
    malware: str | None = None
    risks: tuple[str, ...] = ()
    spam: str | None = None
    listed: tuple[str, ...] = ()

    def fact(self, policy: Policy, name: str) -> FactValue | Unknown:
        domain = self.address.rpartition("@")[2]
        values: dict[str, FactValue | Unknown] = {
            "session.listener": self.listener,
            "session.authenticated": self.listener in {"submission", "submissions"},
            "account.citizen_desk": self.desk,
            "mail.reverse_path": self.reverse_path,
            "mail.writes_as_itself": self.itself,
            "mail.reverse_path_ours": self.path_ours,
            "message.author_ours": self.author_ours,
            "sender.dmarc": self.dmarc,
            "sender.dmarc_policy": self.dmarc_policy,
            "recipient.local": self.local,
            "recipient.via": self.via,
            "recipient.registered": self.registered,
            "recipient.wrote_in_days": self.wrote,
            "message.author_is_account": self.author_is_account,
            "message.secrecy": self.subject_mark,
            "message.attachment_secrecy": self.attachment_mark,
            "content.malware": self.malware,
            "content.risks": self.risks,
            "content.spam": self.spam,
            "sender.listed": self.listed,
        }
        if name == "recipient.mx_provider":
            known = self.mx is not None or policy.providers.is_free_domain(domain)
            values[name] = policy.providers.classify(domain, self.mx) if known else Unknown("DNS timeout")
        if name == "route.mx_provider":
            values[name] = policy.providers.classify(domain, (self.used,)) if self.used else None
        return values[name]


def asking(policy: Policy, stage: Stage, case: Case) -> tuple[Decision, list[str]]:
    """The decision, and the facts in the order in which they were asked for."""
    facts: Known = {}
    while names := policy.wanted(stage, facts):
        for name in names:
            facts[name] = case.fact(policy, name)
    return policy.decide(stage, facts, "0" * 32), list(facts)


def decide(policy: Policy, stage: Stage, case: Case) -> Decision:
    return asking(policy, stage, case)[0]


CONSUMER = "cty.olc.protection.outlook.com"
GOOGLE = "gmail-smtp-in.l.google.com"
GMAIL = Case(address="nguyenvana@gmail.com", mx=(GOOGLE,))

RCPT = [
    ("a colleague", Case(address="binh@caobang.gov.vn", local=True), None),
    ("another state agency", Case(address="a@moha.gov.vn", mx=("mx.moha.gov.vn",)), None),
    ("a domain that nobody listed", Case(), None),
    ("a stranger's Gmail", GMAIL, "cold-free-mail"),
    ("a stranger's Gmail while DNS fails: the domain is enough", replace(GMAIL, mx=None), "cold-free-mail"),
    ("a scanner to Gmail", replace(GMAIL, listener="trusted"), "cold-free-mail"),
    ("implicit TLS to Gmail", replace(GMAIL, listener="submissions"), "cold-free-mail"),
    ("a citizen who wrote yesterday", replace(GMAIL, wrote=1), "reply-to-citizen"),
    ("a citizen who wrote 365 days ago", replace(GMAIL, wrote=365), "reply-to-citizen"),
    ("a citizen who wrote 366 days ago", replace(GMAIL, wrote=366), "cold-free-mail"),
    ("the one-stop desk writes first", replace(GMAIL, desk=True), "reply-to-citizen"),
    ("an official's registered Gmail", replace(GMAIL, registered=True), "own-free-mail"),
    ("a registered Gmail that wrote in", replace(GMAIL, registered=True, wrote=1), "own-free-mail"),
    ("the desk to a registered Gmail", replace(GMAIL, registered=True, desk=True), "own-free-mail"),
    ("an alias of ours that leads to Gmail", replace(GMAIL, via="alias"), "own-free-mail"),
    ("a list of ours with a member on Gmail", replace(GMAIL, via="list"), "own-free-mail"),
    ("a forward from outside to Gmail", replace(GMAIL, listener="mx", via="forward"), "own-free-mail"),
    (
        "a bounce from outside through a forward",
        replace(GMAIL, listener="mx", via="forward", reverse_path=""),
        "own-free-mail",
    ),
    (
        "a list copy of our own making",
        replace(GMAIL, listener="own", via="list", reverse_path="all@caobang.gov.vn"),
        "own-free-mail",
    ),
    ("our bounce to a citizen's Gmail", replace(GMAIL, listener="own", reverse_path=""), None),
    (
        "our bounce to a registered Gmail",
        replace(GMAIL, listener="own", reverse_path="", registered=True),
        None,
    ),
    ("our bounce through an alias", replace(GMAIL, listener="own", reverse_path="", via="alias"), None),
    ("mail from outside to us", Case(listener="mx", address="annv@caobang.gov.vn", local=True), None),
    (
        "a forward to a domestic mailbox",
        Case(listener="mx", via="forward", address="a@vnn.vn", mx=("mail.vnn.vn",)),
        None,
    ),
    ("a company's own domain at Google", Case(address="a@cty.vn", mx=("aspmx.l.google.com",)), None),
    (
        "a company's own domain at Microsoft",
        Case(address="a@cty.vn", mx=("cty-vn.mail.protection.outlook.com",)),
        None,
    ),
    (
        "a registered address at paid hosting",
        Case(address="a@cty.vn", mx=("aspmx.l.google.com",), registered=True),
        None,
    ),
    (
        "an unlisted Hotmail domain by its consumer MX",
        Case(address="a@hotmail.example", mx=("hotmail-example.olc.protection.outlook.com",)),
        "cold-free-mail",
    ),
    ("a gateway hides who hosts", Case(address="a@cty.vn", mx=("mxa-1.gslb.pphosted.com",)), None),
    ("DNS fails on an unlisted domain", Case(address="a@cty.vn", mx=None), None),
]


@pytest.mark.parametrize(("case", "rule"), [c[1:] for c in RCPT], ids=[c[0] for c in RCPT])
def test_at_rcpt(policy: Policy, case: Case, rule: str | None) -> None:
    decision = decide(policy, Stage.RCPT, case)
    expected = "reject" if rule in {"own-free-mail", "cold-free-mail"} else "accept"
    assert (decision.outcome, decision.rule) == (expected, rule)
    if rule is not None:
        assert (decision.document, decision.article, decision.mode) == ("cao-bang", "mục 1b", "enforce")


@pytest.mark.parametrize(("listener", "refused"), [("mx", True), ("submission", False), ("trusted", False)])
def test_a_client_that_a_block_list_names(policy: Policy, listener: str, refused: bool) -> None:
    decision = decide(policy, Stage.RCPT, Case(listener=listener, local=True, listed=("bl.example.net",)))
    assert decision.rejected is refused
    assert decision.rule == ("listed-client" if refused else None)
    assert not decide(policy, Stage.RCPT, Case(listener=listener, local=True)).rejected


def test_free_mail_is_a_matter_of_one_recipient_and_the_subject_is_not_asked(policy: Policy) -> None:
    for _, case, _ in RCPT:
        _, asked = asking(policy, Stage.RCPT, case)
        assert not any(name.startswith("message.") for name in asked)


@pytest.mark.parametrize("listener", [*OUTBOUND, "mx", "own"])
def test_a_local_recipient_asks_neither_dns_nor_guard(policy: Policy, listener: str) -> None:
    case = Case(listener=listener, local=True, registered=True, via="alias")
    decision, asked = asking(policy, Stage.RCPT, case)
    assert decision.outcome == "accept"
    assert not {"recipient.mx_provider", "recipient.wrote_in_days"} & set(asked)


def test_the_guard_is_asked_only_about_free_mail(policy: Policy) -> None:
    _, paid = asking(policy, Stage.RCPT, Case(address="a@cty.vn", mx=("aspmx.l.google.com",)))
    assert "recipient.mx_provider" in paid
    assert "recipient.wrote_in_days" not in paid
    _, desk = asking(policy, Stage.RCPT, replace(GMAIL, desk=True))
    assert "recipient.wrote_in_days" not in desk
    _, own = asking(policy, Stage.RCPT, replace(GMAIL, registered=True))
    assert "account.citizen_desk" not in own


def test_mail_from_outside_asks_dns_only_when_it_is_expanded(policy: Policy) -> None:
    _, asked = asking(policy, Stage.RCPT, replace(GMAIL, listener="mx"))
    assert "recipient.mx_provider" not in asked


ROUTE = [
    (
        "unknown at RCPT, Gmail's consumer neighbour by the MX used",
        Case(address="a@cty.vn", mx=None, used=CONSUMER),
        "cold-free-mail",
    ),
    (
        "registered and unknown at RCPT",
        Case(address="a@cty.vn", mx=None, used=CONSUMER, registered=True),
        "own-free-mail",
    ),
    ("an answer stays an answer", replace(GMAIL, used=GOOGLE, wrote=3), "reply-to-citizen"),
    ("a smarthost or a configured route tells nothing", replace(GMAIL, used=None), None),
    ("paid hosting", Case(address="a@cty.vn", used="aspmx.l.google.com"), None),
    ("a bounce of ours", replace(GMAIL, listener="own", reverse_path="", used=GOOGLE), None),
]


@pytest.mark.parametrize(("case", "rule"), [c[1:] for c in ROUTE], ids=[c[0] for c in ROUTE])
def test_at_route_the_mx_really_used_decides(policy: Policy, case: Case, rule: str | None) -> None:
    decision, asked = asking(policy, Stage.ROUTE, case)
    assert decision.rule == rule
    assert decision.rejected == (rule in {"own-free-mail", "cold-free-mail"})
    assert "recipient.mx_provider" not in asked


@pytest.mark.parametrize("listener", OUTBOUND)
def test_an_account_writes_as_itself(policy: Policy, listener: str) -> None:
    for stage, case, rule in [
        (Stage.MAIL, Case(listener=listener, itself=False), "account-writes-as-itself"),
        (Stage.MAIL, Case(listener=listener), None),
        (Stage.MAIL, Case(listener=listener, itself=False, reverse_path=""), None),
        (Stage.DATA, Case(listener=listener, author_is_account=False), "account-writes-as-itself-from"),
        (Stage.DATA, Case(listener=listener), None),
    ]:
        decision = decide(policy, stage, case)
        assert decision.rule == rule
        assert decision.rejected == (rule is not None)
        if rule:
            assert (decision.document, decision.article) == ("cao-bang", "mục 3b")


@pytest.mark.parametrize("listener", ["mx", "own"])
def test_only_accounts_have_to_write_as_themselves(policy: Policy, listener: str) -> None:
    case = Case(listener=listener, itself=False, author_is_account=False)
    assert decide(policy, Stage.MAIL, case).rule is None
    assert decide(policy, Stage.DATA, case).rule is None


def test_our_names_from_outside(policy: Policy) -> None:
    forged = Case(listener="mx", itself=False, author_is_account=False, path_ours=True, author_ours=True)
    decision = decide(policy, Stage.MAIL, forged)
    assert (decision.outcome, decision.rule) == ("reject", "own-address-from-outside")
    assert (decision.document, decision.article) == ("cao-bang", "mục 3b")
    by_list = replace(forged, reverse_path="bounce@lists.example.org", path_ours=False)
    assert decide(policy, Stage.MAIL, by_list).rule is None
    bounce = replace(forged, reverse_path="", path_ours=False)
    assert decide(policy, Stage.MAIL, bounce).rule is None
    for case in (by_list, bounce):
        for result in ("fail", "none", "permerror"):
            decision = decide(policy, Stage.DATA, replace(case, dmarc=result))
            assert (decision.outcome, decision.rule) == ("reject", "own-author-from-outside")
            assert render_reply(decision, utf8=False, public_url="").line().startswith("550 5.7.26 ")
        assert decide(policy, Stage.DATA, replace(case, dmarc="pass")).rule is None
        later = decide(policy, Stage.DATA, replace(case, dmarc="temperror"))
        assert render_reply(later, utf8=False, public_url="").line().startswith("451 4.7.0 ")


@pytest.mark.parametrize(
    ("dmarc", "asked", "refused"),
    [
        ("fail", "reject", True),
        ("fail", "quarantine", False),
        ("fail", "none", False),
        ("temperror", "reject", False),
        ("none", None, False),
        ("pass", "reject", False),
    ],
)
@pytest.mark.parametrize("listener", ["mx", *OUTBOUND])
def test_what_an_authors_domain_asks_for(
    policy: Policy, listener: str, dmarc: str, asked: str | None, refused: bool
) -> None:
    case = Case(listener=listener, reverse_path="a@bank.test", dmarc=dmarc, dmarc_policy=asked)
    decision = decide(policy, Stage.DATA, case)
    assert decision.rejected == (refused and listener == "mx")
    if decision.rejected:
        assert (decision.rule, decision.status) == ("author-domain-rejects-forgeries", "5.7.26")


@pytest.mark.parametrize("listener", ["mx", *OUTBOUND, "own"])
def test_an_author_that_cannot_be_read(policy: Policy, listener: str) -> None:
    for path in ("a@bank.test", ""):
        decision = decide(policy, Stage.DATA, Case(listener=listener, reverse_path=path, dmarc="permerror"))
        assert decision.rejected == (listener == "mx")
        if decision.rejected:
            assert decision.rule == "author-cannot-be-read"
            assert render_reply(decision, utf8=False, public_url="").line().startswith("550 5.6.0 ")


@pytest.mark.parametrize("listener", [*OUTBOUND, "mx", "own"])
@pytest.mark.parametrize("mark", ["MẬT", "TỐI MẬT", "TUYỆT MẬT"])
def test_a_mark_of_secrecy_stops_a_message_in_every_direction(
    policy: Policy, listener: str, mark: str
) -> None:
    for case, rule in [
        (Case(listener=listener, subject_mark=mark), "state-secret-subject"),
        (Case(listener=listener, attachment_mark=mark), "state-secret-attachment"),
        (Case(listener=listener, subject_mark=mark, author_is_account=False), "state-secret-subject"),
    ]:
        decision = decide(policy, Stage.DATA, case)
        assert (decision.outcome, decision.rule, decision.secrecy) == ("reject", rule, mark)
        assert (decision.document, decision.article) == ("luat-117-2025", "Điều 5.2")
        record = decision.record()
        assert list((record.facts or {}).values()) == [mark]


def test_the_subject_decides_before_the_body_is_asked_for(policy: Policy) -> None:
    assert asking(policy, Stage.DATA, Case(subject_mark="MẬT"))[1] == ["message.secrecy"]
    _, forged = asking(policy, Stage.DATA, Case(author_is_account=False))
    assert not BODY_FACTS & set(forged)
    decision, clean = asking(policy, Stage.DATA, Case())
    assert decision.outcome == "accept"
    body = [name for name in clean if name in BODY_FACTS]
    assert body == ["message.attachment_secrecy", "content.malware", "content.risks"]


def test_a_stop_is_recomputed_from_the_mark_alone(policy: Policy) -> None:
    for name, rule in [
        ("message.secrecy", "state-secret-subject"),
        ("message.attachment_secrecy", "state-secret-attachment"),
    ]:
        decision = policy.decide(Stage.DATA, {name: "TỐI MẬT"}, "d")
        assert (decision.outcome, decision.rule) == ("reject", rule)


def test_a_state_secret_is_shown_to_no_service(policy: Policy) -> None:
    for listener in (*OUTBOUND, "mx"):
        for case in (
            Case(listener=listener, attachment_mark="MẬT"),
            Case(listener=listener, subject_mark="MẬT"),
        ):
            _, asked = asking(policy, Stage.DATA, replace(case, malware="found"))
            assert not CONTENT_FACTS & set(asked)


CONTENT = [
    ("mx", Case(malware="found"), "malware-found", True),
    ("submission", Case(malware="found"), "malware-found", True),
    ("trusted", Case(malware="found"), "malware-found", True),
    ("own", Case(malware="found", risks=("executable",), spam="spam"), None, False),
    ("mx", Case(malware="clean"), None, False),
    ("mx", Case(malware="unchecked"), None, False),
    ("mx", Case(risks=("executable",)), "dangerous-attachment", True),
    ("mx", Case(risks=("encrypted", "disguised")), "dangerous-attachment", True),
    ("mx", Case(risks=("macro",)), "risky-attachment", False),
    ("mx", Case(risks=("nested",)), "risky-attachment", False),
    ("submission", Case(risks=("executable", "script")), "risky-attachment", False),
    ("mx", Case(spam="spam"), "spam", True),
    ("mx", Case(spam="spam", risks=("macro",)), "spam", True),
    ("mx", Case(spam="likely"), None, False),
    ("submission", Case(spam="spam"), None, False),
]


@pytest.mark.parametrize(("listener", "case", "rule", "refused"), CONTENT)
def test_what_a_message_carries(
    policy: Policy, listener: str, case: Case, rule: str | None, refused: bool
) -> None:
    decision = decide(policy, Stage.DATA, replace(case, listener=listener))
    assert (decision.rule, decision.rejected) == (rule, refused)
    if rule is not None:
        assert (decision.document, decision.article) == ("cao-bang", "mục 1c")
        assert decision.mode == ("enforce" if refused else "monitor")


@pytest.mark.parametrize("mode", ["monitor", "off"])
def test_a_province_may_change_any_rules_mode(policy: Policy, mode: str) -> None:
    files = shipped_files()
    files["rules.toml"] = files["rules.toml"].replace('mode = "monitor"', 'mode = "enforce"')
    parts = files["rules.toml"].split('mode = "enforce"')
    assert len(parts) == len(policy.rules) + 1
    for changed in range(1, len(parts)):
        modes = [mode if n == changed else "enforce" for n in range(1, len(parts))]
        text = parts[0] + "".join(f'mode = "{m}"{p}' for m, p in zip(modes, parts[1:], strict=True))
        assert load({**files, "rules.toml": text}).rules[changed - 1].mode == mode


def test_replies_fit_whole_in_both_forms_and_say_how_to_go_on(policy: Policy) -> None:
    watched = [rule.id for rule in policy.rules if rule.mode != "enforce"]
    assert watched == ["risky-attachment"]
    outside = {s.rule.id for stage in Stage for s in policy.steps_by_listener[stage, "mx"]}
    assert len(outside) > 6
    for rule in policy.rules:
        decision = Decision(
            id="0" * 32,
            stage=rule.stages[0],
            outcome="reject",
            policy_hash="",
            rule=rule.id,
            citation=policy.directives[rule.document].citation,
            article=rule.article,
            text_vi=rule.text_vi,
        )
        for utf8 in (True, False):
            text = render_reply(decision, utf8=utf8, public_url="https://thudientu.caobang.gov.vn:8443").text
            assert text.startswith(rule.text_vi) or not utf8
            assert " ... " not in text
            assert text.isascii() or utf8
        if rule.id in outside:
            told = render_reply(
                replace(decision, text_en=rule.text_en),
                utf8=False,
                public_url="https://thudientu.caobang.gov.vn",
                kept=False,
                abroad=True,
            ).text
            assert rule.text_en in told, "whoever is abroad reads all of it"
        if rule.action == "reject":
            assert "xin " in rule.text_vi.lower()
            assert "please " in rule.text_en.lower()


def test_every_rule_is_tested_by_itself_in_both_directions(policy: Policy) -> None:
    for rule in policy.rules:
        expected = {test.expect for test in rule.tests}
        assert expected == {"reject" if rule.action == "reject" else "accept", "pass"}, rule.id


def test_what_the_law_leaves_open_is_said_in_the_rules(policy: Policy) -> None:
    for name in ("own-free-mail", "cold-free-mail"):
        rule = policy.rule(name)
        assert rule is not None
        assert "free" in (rule.reading_en or "")
        assert "miễn phí" in (rule.reading_vi or "") or "vừa miễn phí" in (rule.reading_vi or "")


def test_the_documents_are_cited_by_number(policy: Policy) -> None:
    assert {key: d.citation for key, d in policy.directives.items()} == {
        "bac-giang": "Chỉ thị 07/CT-UBND",
        "bac-ninh": "Chỉ thị 06/CT-UBND",
        "binh-dinh": "Quyết định 647/QĐ-UBND",
        "cao-bang": "Chỉ thị văn bản điện tử tỉnh Cao Bằng",
        "luat-117-2025": "Luật 117/2025/QH15",
        "phu-tho": "Chỉ thị 16/2009/CT-UBND",
    }
    dates = {key: d.date or d.in_force for key, d in policy.directives.items()}
    assert dates == {
        "bac-giang": "2009-08-04",
        "bac-ninh": "2019-04-19",
        "binh-dinh": "2012-11-23",
        "cao-bang": None,
        "luat-117-2025": "2026-03-01",
        "phu-tho": "2009-09-23",
    }


def test_every_rule_says_what_is_asked_and_what_to_do_in_both_languages(policy: Policy) -> None:
    for rule in policy.rules:
        assert rule.asks_vi, rule.id
        assert rule.asks_en, rule.id
        assert len(rule.next_vi) == len(rule.next_en) >= 1, rule.id
        for text in (rule.asks_vi, *rule.next_vi):
            assert not {"MAIL FROM", "MX", "SMTP", "DNS", "RCPT"} & set(text.replace(",", " ").split()), text
