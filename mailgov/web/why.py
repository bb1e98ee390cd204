"""`/why/<decision id>`: why a message was refused, for whoever holds the id of the decision.

No sign-in: the id has 128 bits or more and was told in the refusal alone. The page says what
happened and why, what the article asks and what to do now; nothing of the message but which
attachments were why, by place and kind, nor when it was. An id that is unknown and one that is
malformed give the same page after the same look-up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from mailgov.policy.directives import is_key
from mailgov.policy.engine import Policy
from mailgov.policy.rules import Rule
from mailgov.store import traffic
from mailgov.store.traffic import DecisionView
from mailgov.web.app import page_router
from mailgov.web.language import Language
from mailgov.web.render import render
from mailgov.web.services import PageServices

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_NOBODYS_ID = "0" * 32
_KINDS = {
    "executable": ("chương trình", "a program"),
    "script": ("tập lệnh", "a script"),
    "macro": ("có macro", "has macros"),
    "double-extension": ("hai phần mở rộng", "two extensions"),
    "encrypted": ("có mật khẩu", "needs a password"),
    "nested": ("không xem được hết bên trong", "cannot be seen whole"),
    "disguised": ("không đúng như tên", "not what its name says"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the page tells in one language; a text that the policy in force does not give is None."""

    lang: Language
    outcome: str
    """refused, passed, watched or applied: chooses the heading."""
    whole: bool
    """It is about the message, not about one of its recipients."""
    why: str | None
    document: str
    article: str
    asks: str | None
    steps: tuple[str, ...]
    reading: str | None
    rule: str
    decision: str | None
    """None on the page of a rule, which tells of no message."""
    attachments: tuple[str, ...]
    """Which were why, by place and kind: their names are not kept."""
    standing: str
    """Of the explanation: same, changed (the policy is another one since), gone, or unloaded."""


class _Texts(NamedTuple):
    """A rule's texts in one language."""

    text: str
    asks: str | None
    steps: tuple[str, ...]
    reading: str | None


def why_router(services: PageServices) -> APIRouter:
    """The page's route; it explains by the policy that runs now."""
    router = page_router()

    @router.get("/why/{decision_id}", response_class=HTMLResponse)
    async def why(request: Request, decision_id: str) -> HTMLResponse:
        well_formed = _ID.match(decision_id) is not None
        found = await traffic.decision(services.db, decision_id if well_formed else _NOBODYS_ID)
        if found is None or found.rule is None:
            return render(request, "why_unknown.html", status=404)
        return render(request, "why.html", told=explained(found, services.policy()))

    @router.get("/why/rule/{rule_id}", response_class=HTMLResponse)
    async def why_by_rule(request: Request, rule_id: str) -> HTMLResponse:
        policy = services.policy()
        rule = None if policy is None or not is_key(rule_id) else policy.rule(rule_id)
        if policy is None or rule is None:
            return render(request, "why_unknown.html", status=404)
        return render(request, "why.html", told=(_of_rule("vi", rule, policy), _of_rule("en", rule, policy)))

    return router


def _of_rule(lang: Language, rule: Rule, policy: Policy) -> Explanation:
    """What the rule says to whomever it refuses: nothing is kept of strangers' mail that is refused."""
    texts = _texts(rule, lang)
    return Explanation(
        lang=lang,
        outcome="refused" if rule.action == "reject" else "passed",
        whole=True,
        why=texts.text,
        document=_cited(rule.document, policy, lang),
        article=rule.article,
        asks=texts.asks,
        steps=texts.steps,
        reading=texts.reading,
        rule=rule.id,
        decision=None,
        attachments=(),
        standing="same",
    )


def explained(found: DecisionView, policy: Policy | None) -> tuple[Explanation, Explanation]:
    """Both languages, Vietnamese first."""
    return _in("vi", found, policy), _in("en", found, policy)


def _in(lang: Language, found: DecisionView, policy: Policy | None) -> Explanation:
    rule = None if policy is None or found.rule is None else policy.rule(found.rule)
    texts = None if rule is None else _texts(rule, lang)
    outcome = _outcome(found)
    return Explanation(
        lang=lang,
        outcome=outcome,
        whole=found.position is None and found.stage != "rcpt",
        why=texts and texts.text,
        document=_cited(found.document, policy, lang),
        article=found.article or "–",
        asks=texts and texts.asks,
        # What to do is about a message that did not go; a rule that is only watched stopped nothing.
        steps=texts.steps if texts is not None and outcome in ("refused", "passed") else (),
        reading=texts and texts.reading,
        rule=found.rule or "–",
        decision=found.id,
        attachments=tuple(_attachment(one, lang) for one in found.attachments),
        standing=_standing(found, policy, rule),
    )


def _attachment(recorded: str, lang: Language) -> str:
    """`2/5: executable` in the reader's words; what is not understood stays as it is."""
    place, _, kinds = recorded.partition(": ")
    said = [_KINDS.get(kind, (kind, kind))[lang == "en"] for kind in kinds.split(", ") if kind]
    return f"{place}: {', '.join(said)}" if said else place


def _outcome(found: DecisionView) -> str:
    match found.outcome, found.mode:
        case "reject", "enforce":
            return "refused"
        case "accept", "enforce":
            return "passed"
        case _, "monitor":
            return "watched"
        case _:
            return "applied"


def _standing(found: DecisionView, policy: Policy | None, rule: Rule | None) -> str:
    if policy is None:
        return "unloaded"
    if rule is None:
        return "gone"
    return "same" if policy.hash == found.policy_hash else "changed"


def _texts(rule: Rule, lang: Language) -> _Texts:
    if lang == "vi":
        return _Texts(rule.text_vi, rule.asks_vi, rule.next_vi, rule.reading_vi)
    return _Texts(rule.text_en, rule.asks_en, rule.next_en, rule.reading_en)


def _cited(document: str | None, policy: Policy | None, lang: Language) -> str:
    directive = None if policy is None else policy.directives.get(document or "")
    if directive is None:
        return document or "–"
    title = directive.title_vi if lang == "vi" else directive.title_en
    return f"{directive.citation} ({directive.issuer}): {title}"
