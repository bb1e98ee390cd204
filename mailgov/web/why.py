"""`/why/<decision id>`: why a message was refused, for whoever holds the id of the decision.

No sign-in: the id has 128 bits or more and was told in the refusal alone. The page shows the
rule, the document and its article, and how to go on; nothing of the message, nor when it was.
An id that is unknown and one that is malformed give the same page after the same look-up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from mailgov.policy.engine import Policy
from mailgov.policy.rules import Rule
from mailgov.store import traffic
from mailgov.store.traffic import DecisionView
from mailgov.web.app import page_router
from mailgov.web.render import render
from mailgov.web.services import PageServices


@dataclass(frozen=True, slots=True)
class Section:
    """The page in one language (`vi` or `en`)."""

    lang: str
    title: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    end: str | None = None


_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_NOBODYS_ID = "0" * 32

_OUTCOMES = {
    ("reject", "enforce"): (
        "Thư đã bị từ chối theo quy tắc này.",
        "The message was refused under this rule.",
    ),
    ("accept", "enforce"): ("Thư đã được chấp nhận theo quy tắc này.", "This rule let the message pass."),
    ("accept", "monitor"): (
        "Quy tắc này đang được theo dõi thử; thư không bị ngăn lại vì nó.",
        "This rule is only being watched; it stopped nothing.",
    ),
}
_OTHER_OUTCOME = ("Quy tắc này đã được áp dụng.", "This rule was applied.")
_CHANGED = (
    "Chính sách đã thay đổi từ khi có quyết định này; phần giải thích theo bản đang có hiệu lực.",
    "The policy has changed since this decision; the explanation is the one in force now.",
)
_GONE = (
    "Quy tắc này không còn trong chính sách đang có hiệu lực.",
    "This rule is no longer part of the policy in force.",
)
_ASK = (
    "Nếu thấy chưa đúng, xin gửi mã quyết định này cho cán bộ công nghệ thông tin của cơ quan.",
    "If you think this is wrong, please give the decision's id to your agency's IT officer.",
)
_WORDS = (
    {
        "title": "Vì sao có quyết định này?",
        "document": "Văn bản",
        "article": "Điều khoản",
        "rule": "Quy tắc",
        "id": "Mã quyết định",
        "text": "Giải thích và cách làm tiếp",
        "reading": "Cách hiểu điều khoản",
    },
    {
        "title": "Why was this decided?",
        "document": "Document",
        "article": "Article",
        "rule": "Rule",
        "id": "Decision",
        "text": "Explanation, and how to go on",
        "reading": "How the article is read",
    },
)
_UNKNOWN = (
    Section("vi", "Không có quyết định này", ("Mã quyết định không đúng, hoặc đã hết thời hạn lưu.",)),
    Section("en", "No such decision", ("The decision's id is wrong, or no longer kept.",)),
)


def why_router(services: PageServices) -> APIRouter:
    """The page's route; it explains by the policy that runs now."""
    router = page_router()

    @router.get("/why/{decision_id}", response_class=HTMLResponse)
    async def why(request: Request, decision_id: str) -> HTMLResponse:
        well_formed = _ID.match(decision_id) is not None
        found = await traffic.decision(services.db, decision_id if well_formed else _NOBODYS_ID)
        if found is None or found.rule is None:
            return render(request, "why.html", status=404, sections=_UNKNOWN)
        return render(request, "why.html", sections=told(found, services.policy()))

    return router


@dataclass(frozen=True, slots=True)
class _Texts:
    """A rule's texts in one language."""

    text: str
    reading: str | None


def told(found: DecisionView, policy: Policy | None) -> tuple[Section, Section]:
    """The page's two halves, Vietnamese first."""
    return _half(0, found, policy), _half(1, found, policy)


def _half(tongue: int, found: DecisionView, policy: Policy | None) -> Section:
    words = _WORDS[tongue]
    rule = None if policy is None or found.rule is None else policy.rule(found.rule)
    paragraphs = [_OUTCOMES.get((found.outcome, found.mode or ""), _OTHER_OUTCOME)[tongue]]
    facts = [
        (words["document"], _document(found, policy)),
        (words["article"], found.article or "–"),
        (words["rule"], found.rule or "–"),
        (words["id"], found.id),
    ]
    if rule is not None:
        texts = _texts(rule, tongue)
        facts.append((words["text"], texts.text))
        if texts.reading:
            facts.append((words["reading"], texts.reading))
    if policy is not None and rule is None:
        paragraphs.append(_GONE[tongue])
    elif policy is not None and policy.hash != found.policy_hash:
        paragraphs.append(_CHANGED[tongue])
    return Section(("vi", "en")[tongue], words["title"], tuple(paragraphs), tuple(facts), _ASK[tongue])


def _texts(rule: Rule, tongue: int) -> _Texts:
    if tongue == 0:
        return _Texts(rule.text_vi, rule.reading_vi)
    return _Texts(rule.text_en, rule.reading_en)


def _document(found: DecisionView, policy: Policy | None) -> str:
    directive = None if policy is None else policy.directives.get(found.document or "")
    if directive is None:
        return found.document or "–"
    return f"{directive.citation} ({directive.issuer})"
