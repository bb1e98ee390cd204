"""The page behind `/why/<decision id>`: what it tells, what it hides, and that it is inert."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx2
import pytest

from mailgov.mail.events import DecisionRecord, MessageEvent
from mailgov.policy import Policy
from mailgov.store.ledger import apply_events
from tests.unit.api.conftest import Api, client_of, services_on
from tests.unit.api.world import DECISION, NOW_MS, SECRET_DECISION, Clock

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e\u2028{{7*7}}'


class Page(HTMLParser):
    """Tags, attributes and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def inert(answer: httpx2.Response) -> Page:
    """A page that runs, loads and sends nothing, under a policy that would not let it."""
    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert set(page.tags) <= {
        "html", "head", "meta", "title", "link", "body", "header", "nav", "div", "a", "b", "main", "section",
        "h1", "h2", "h3", "p", "dl", "dt", "dd", "ol", "li", "code",
    }  # fmt: skip
    assert not {name for name, _ in page.attributes} & {"src", "style", "action"}
    assert not any(name.startswith("on") for name, _ in page.attributes)
    loaded = [value for name, value in page.attributes if name == "href"]
    assert all(
        value and re.match(r"/static/[a-z.]+\?v=[0-9a-f]{12}\Z|\?lang=(vi|en)\Z|#main\Z", value)
        for value in loaded
    )
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    return page


async def decide(api: Api, decision_id: str, **more: object) -> None:
    values: dict[str, object] = {
        "id": decision_id,
        "stage": "rcpt",
        "outcome": "reject",
        "rule": "cold-free-mail",
        "document": "cao-bang",
        "article": "mục 1b",
        "mode": "enforce",
        "policy_hash": "p1",
        "facts": {"recipient.address": "nan-nhan@gmail.com"},
        **more,
    }
    event = MessageEvent(
        "rejected", "Q" + decision_id[:9], NOW_MS, "submission", "p1",
        decisions=(DecisionRecord(**values),),  # type: ignore[arg-type]  # fields by name
    )  # fmt: skip
    await apply_events(api.services.db, "spool-" + decision_id, "node", [(1, event)], NOW_MS)


async def test_it_tells_rule_document_article_and_how_to_go_on(filled: Api, policy: Policy) -> None:
    answer = await filled.ask.get(f"/why/{DECISION}")
    assert answer.status_code == 200
    text = inert(answer).text
    rule = policy.rule("cold-free-mail")
    assert rule is not None
    directive = policy.directives["cao-bang"]
    for told in (rule.text_vi, rule.text_en, directive.citation, "mục 1b", "cold-free-mail", DECISION):
        assert told in text
    assert text.index(rule.text_vi) < text.index(rule.text_en)


async def test_every_shipped_rule_is_explained_as_its_author_would_read_it(api: Api, policy: Policy) -> None:
    """Why, what the article asks, and what to do: whole in Vietnamese, then whole in English."""
    for number, rule in enumerate(policy.rules):
        decision_id = f"{number:02x}" * 16
        outcome = "reject" if rule.action == "reject" else "accept"
        await decide(
            api, decision_id, rule=rule.id, document=rule.document, article=rule.article, outcome=outcome
        )
        text = inert(await api.ask.get(f"/why/{decision_id}")).text
        directive = policy.directives[rule.document]
        told = [
            "Vì sao thư bị từ chối" if outcome == "reject" else "Vì sao thư được gửi đi",
            rule.text_vi, "Văn bản yêu cầu gì", rule.asks_vi, directive.title_vi, rule.article,
            "Làm gì tiếp", *rule.next_vi, decision_id,
            rule.text_en, "What the document asks", rule.asks_en, "What to do now", *rule.next_en,
        ]  # fmt: skip
        places = [text.find(str(part)) for part in told]
        assert -1 not in places, (rule.id, told[places.index(-1)])
        assert places == sorted(places), rule.id


async def test_what_to_do_is_not_told_of_a_rule_that_stopped_nothing(api: Api, policy: Policy) -> None:
    rule = policy.rule("cold-free-mail")
    assert rule is not None
    await decide(api, "e" * 32, outcome="accept", mode="monitor")
    text = inert(await api.ask.get("/why/" + "e" * 32)).text
    assert rule.next_vi[0] not in text
    assert "Thư không bị ngăn lại" in text


async def test_it_tells_nothing_of_the_message(filled: Api) -> None:
    text = (await filled.ask.get(f"/why/{DECISION}")).text
    for hidden in ("gmail.com", "an@", "2026", "REJECTED", "snv", "2048", "18:00", "rcpt"):
        assert hidden not in text, hidden
    secret = (await filled.ask.get(f"/why/{SECRET_DECISION}")).text
    assert "luat-117-2025" in secret or "117/2025" in secret
    for hidden in ("an@", "SECRET01", "2026-11"):
        assert hidden not in secret


async def test_unknown_and_malformed_ids_get_one_page(filled: Api) -> None:
    pages = set()
    for wrong in (
        "0" * 32,
        "f" * 32,
        "x",
        "a" * 5000,
        "%00",
        "%22%3E%3Cscript%3E",
        "' OR 1=1",
        DECISION[:-1],
    ):
        answer = await filled.ask.get(f"/why/{wrong}")
        assert answer.status_code == 404
        inert(answer)
        pages.add(answer.text)
    assert len(pages) == 1


async def test_it_asks_the_ledger_whatever_the_id(filled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same work for an id that cannot be one, so that time tells nothing."""
    from mailgov.store import traffic

    asked = []
    real = traffic.decision

    async def counted(db: object, decision_id: str) -> object:
        asked.append(decision_id)
        return await real(db, decision_id)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(traffic, "decision", counted)
    for one in ("x", "0" * 32, DECISION, "%3Cscript%3E"):
        await filled.ask.get(f"/why/{one}")
    assert len(asked) == 4
    assert {len(one) for one in asked} == {32}


async def test_hostile_content_is_inert(api: Api) -> None:
    await decide(api, "a" * 32, rule=HOSTILE, document=HOSTILE, article=HOSTILE)
    answer = await api.ask.get("/why/" + "a" * 32)
    assert answer.status_code == 200
    page = inert(answer)
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "\u202e" not in answer.text
    assert "\u2028" not in answer.text
    assert "49" not in page.text


async def test_a_rule_that_changed_or_went_is_said_to_have(api: Api, policy: Policy) -> None:
    await decide(api, "b" * 32, policy_hash=policy.hash)
    await decide(api, "c" * 32, policy_hash="older")
    await decide(api, "d" * 32, rule="no-longer-there", policy_hash="older")
    same, changed, gone = [inert(await api.ask.get("/why/" + one * 32)).text for one in "bcd"]
    assert "has changed since" not in same
    assert "has changed since" in changed
    assert "no longer part" in gone
    assert "no-longer-there" in gone


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"outcome": "accept", "mode": "monitor"}, "it stopped nothing"),
        ({"outcome": "accept", "mode": "enforce"}, "let the message pass"),
        ({"outcome": "hold", "mode": "enforce"}, "was applied"),
    ],
)
async def test_it_says_what_the_rule_did(api: Api, more: dict[str, object], says: str) -> None:
    await decide(api, "e" * 32, **more)
    assert says in inert(await api.ask.get("/why/" + "e" * 32)).text


async def test_a_decision_without_a_rule_has_no_page(api: Api) -> None:
    await decide(api, "f" * 32, rule=None, document=None, article=None, mode=None, outcome="accept")
    assert (await api.ask.get("/why/" + "f" * 32)).status_code == 404


async def test_before_a_policy_is_loaded_rule_and_article_still_show(filled: Api) -> None:
    async with client_of(services_on(filled.services.db, Clock(NOW_MS), None)) as ask:
        text = inert(await ask.get(f"/why/{DECISION}")).text
    assert "cold-free-mail" in text
    assert "mục 1b" in text


async def test_with_the_ledger_away_it_asks_to_come_back(api_away: httpx2.AsyncClient) -> None:
    answer = await api_away.get(f"/why/{DECISION}")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    inert(answer)


async def test_it_needs_no_sign_in_and_has_no_other_method(filled: Api) -> None:
    assert (await filled.ask.get(f"/why/{DECISION}")).status_code == 200
    assert (await filled.ask.post(f"/why/{DECISION}")).status_code == 405


@pytest.mark.parametrize("rule", ["own-address-from-outside", "cold-free-mail"])
async def test_a_rule_has_a_page_for_those_of_whom_nothing_is_kept(filled: Api, rule: str) -> None:
    text = inert(await filled.ask.get(f"/why/rule/{rule}")).text
    assert rule in text
    assert "mục" in text
    assert "Mã quyết định" not in text


@pytest.mark.parametrize("rule", ["no-such-rule", "..%2Frules", "%3Cscript%3E", "x" * 300])
async def test_what_is_no_rule_has_none(filled: Api, rule: str) -> None:
    answer = await filled.ask.get(f"/why/rule/{rule}")
    assert answer.status_code == 404
    assert rule not in answer.text


async def test_it_says_which_attachments_by_place_and_kind_and_nothing_else(api: Api) -> None:
    """Whatever a record holds is inert here; what is no list of places is not shown."""
    at = ["2/5: executable, disguised", "4/5: <script>alert(1)</script>", "+3"]
    facts = {"content.risks": ["executable"], "content.attachments": at}
    await decide(api, "ab" * 16, stage="data", rule="dangerous-attachment", facts=facts)
    text = inert(await api.ask.get(f"/why/{'ab' * 16}")).text
    assert "2/5: chương trình, không đúng như tên" in text
    assert "2/5: a program, not what its name says" in text
    assert "+3" in text
    assert "4/5: <script>alert(1)</script>" in text, "as text: `inert` finds no element of that name"
    await decide(api, "ac" * 16, stage="data", rule="dangerous-attachment", facts={"content.attachments": 7})
    assert "by their place" not in inert(await api.ask.get(f"/why/{'ac' * 16}")).text
