"""Pages out of templates: escaped, in one of two languages, without scripts.

Every value is escaped and loses control characters and marks that reorder what is read.
`{{ t("Tiếng Việt", "English") }}` is a text in the page's language, `{{ url("/path") }}` a link
that keeps a language asked for, `{{ static("mailgov.css") }}` a file of ours. `{{ texts("en") }}`
is a `t` that speaks one language, for what a page says in both.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from mailgov.admin.people import Person
from mailgov.web.language import asked_for, language_of
from mailgov.web.services import services_of
from mailgov.web.static import static_url

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    # Not no-referrer: a browser would then call the origin of our own forms "null".
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def render(
    request: Request,
    template: str,
    *,
    person: Person | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    """The template as an answer. `person` is who is signed in, for the head of the page."""
    lang = language_of(request)
    asked = asked_for(request)

    def url(path: str, **query: str) -> str:
        more = query if asked is None else {**query, "lang": asked}
        return quote(path, safe="/") + (f"?{urlencode(more)}" if more else "")

    def in_language(wanted: str) -> str:
        return "?" + urlencode({**request.query_params, "lang": wanted})

    context: dict[str, object] = {
        "t": _texts(lang),
        "texts": _texts,
        "lang": lang,
        "asked_lang": asked,
        "url": url,
        "in_language": in_language,
        "province": services_of(request).settings.province.name,
        "person": person,
        **values,
    }
    html = _templates().get_template(template).render(context)
    return HTMLResponse(html, status, {**HEADERS, **(headers or {})})


def _texts(lang: str) -> Callable[[str, str], str]:
    return lambda vi, en: en if lang == "en" else vi


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("mailgov.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static_url
    return made


def _shown(value: Any) -> Any:
    """A value as it may stand in a page; what a macro made is finished already."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "".join(sign for sign in value if sign == "\n" or unicodedata.category(sign) not in _UNSEEN)
