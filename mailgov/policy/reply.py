"""A rejection as the SMTP client reads it: one line with text, rule, article and decision."""

from __future__ import annotations

import unicodedata

from mailgov.mail.reply import Reply
from mailgov.policy.decision import Decision

REPLY_OCTETS = 512  # RFC 5321 4.5.3.1.5, CRLF included
FOUND_OCTETS = 160

_PLAIN = str.maketrans(
    {
        "đ": "d", "Đ": "D", "–": "-", "—": "-", "‑": "-", "…": "...",
        "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " ",
    }
)  # fmt: skip


def without_marks(text: str) -> str:
    """Vietnamese in ASCII: `Đề nghị` as `De nghi`. What has no such form becomes a question mark."""
    bare = unicodedata.normalize("NFD", text.translate(_PLAIN))
    return "".join(c for c in bare if not unicodedata.combining(c)).encode("ascii", "replace").decode("ascii")


def render_reply(
    decision: Decision,
    *,
    utf8: bool,
    public_url: str,
    kept: bool = True,
    found: str = "",
    abroad: bool = False,
) -> Reply:
    """A rejection as `<text> <public_url>/why/<id> [rule …; <document> <article>; decision <id>]`.

    `utf8` says that the client asked for SMTPUTF8; others get Vietnamese without marks. The whole
    line keeps within 512 octets: the text is cut first, then the link goes, the bracket stays.
    Where the reader may be `abroad` the English text follows, each cut so that both have their half.
    `found` is what the client's administrator has to know, within `FOUND_OCTETS`; it stays too.
    Of a decision that is not `kept` nothing could be shown later: it has no id, and the link leads to
    what the rule says of everyone, `/why/rule/<rule>`. `public_url` "" leaves the link out.
    A status of class 4 makes it 451: the client tries again. Raises ValueError for a decision that
    rejects nothing.
    """
    if not decision.rejected:
        raise ValueError("the decision rejects nothing")
    status = decision.status or "5.7.1"
    code = 451 if status.startswith("4") else 550
    shown = _one_line if utf8 else _one_ascii_line
    source = f"{decision.citation} {decision.article}"
    bracket = shown(f"[rule {decision.rule}; {source}{f'; decision {decision.id}' if kept else ''}]")
    if found:
        bracket = f"{_cut(_one_ascii_line(found), FOUND_OCTETS)} {bracket}"
    page = decision.id if kept else f"rule/{decision.rule}"
    link = _one_ascii_line(f"{public_url.rstrip('/')}/why/{page}")
    room = REPLY_OCTETS - len(f"{code} {status} \r\n") - _octets(bracket) - 1
    if public_url and _octets(link) + 1 <= room:
        bracket = f"{link} {bracket}"
        room -= _octets(link) + 1
    text = _cut(shown(decision.text_vi or ""), room)
    if abroad:
        text = _both(shown(decision.text_vi or ""), shown(decision.text_en or ""), room)
    return Reply(code, status, f"{text} {bracket}" if text else bracket)


def _both(first: str, second: str, room: int) -> str:
    """Two texts in `room` octets; what one does not need of its half is the other's."""
    half = max(0, (room - len(" / ")) // 2)
    kept = _cut(first, max(half, room - len(" / ") - _octets(second)))
    return " / ".join(filter(None, (kept, _cut(second, room - len(" / ") - _octets(kept)))))


def _one_line(text: str) -> str:
    clean = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} else c for c in text)
    return " ".join("".join(clean).split())


def _one_ascii_line(text: str) -> str:
    return _one_line(without_marks(text))


def _octets(text: str) -> int:
    return len(text.encode())


def _cut(text: str, room: int) -> str:
    """At most `room` octets, between words, with dots where something was left out."""
    if _octets(text) <= room:
        return text
    kept = text.encode()[: max(0, room - 4)].decode(errors="ignore")
    words = kept.rpartition(" ")[0].rstrip(",;: ")
    return f"{words} ..." if words else ""
