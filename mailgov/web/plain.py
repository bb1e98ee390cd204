"""Plain pages: two languages, no scripts, one style whose hash the content policy names."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:18px/1.5 'Be Vietnam Pro',system-ui,sans-serif;max-width:42rem;margin:2rem auto;"
    "padding:0 1rem;color:#1b1b1b;background:#fff}h1,h2{font-size:1.4rem;line-height:1.3}"
    "section+section{border-top:1px solid #b1b4b6;margin-top:2rem}dt{font-weight:600}"
    "dd{margin:0 0 .75rem;overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page in one language (`vi` or `en`); all texts are plain and are escaped here."""

    lang: str
    title: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    end: str | None = None


def page(
    sections: Sequence[Section], status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The sections as one page; the first one names it."""
    first = sections[0]
    body = "".join(_section(section, level) for level, section in enumerate(sections, start=1))
    html = (
        f'<!doctype html><html lang="{_text(first.lang)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(first.title)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, {**HEADERS, **(headers or {})})


def _section(section: Section, level: int) -> str:
    heading = f"h{min(level, 2)}"
    paragraphs = "".join(f"<p>{_text(text)}</p>" for text in section.paragraphs)
    facts = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in section.facts)
    listed = f"<dl>{facts}</dl>" if facts else ""
    end = f"<p>{_text(section.end)}</p>" if section.end else ""
    title = _text(section.title)
    head = f'<section lang="{_text(section.lang)}"><{heading}>{title}</{heading}>'
    return f"{head}{paragraphs}{listed}{end}</section>"


def _text(text: str) -> str:
    """Escaped, and without control characters and marks that reorder what is read."""
    kept = (sign for sign in text if unicodedata.category(sign) not in _UNSEEN)
    return escape("".join(kept), quote=True)
