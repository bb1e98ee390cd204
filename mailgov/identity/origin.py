"""Whether a browser sends a request for a page of somebody else's (cross-site request forgery)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

SAME = frozenset({"same-origin", "none"})
"""From a page of ours, or by the person's own hand (Fetch Metadata, Sec-Fetch-Site)."""


def foreign(headers: Mapping[str, str], public_url: str) -> bool:
    """True when another site makes the browser send this; `headers` by names in lower case.

    Browsers say where a request comes from by Sec-Fetch-Site, older ones by Origin. Programs that
    are no browsers say neither and carry nobody's cookies.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in SAME
    origin = headers.get("origin")
    if origin is None:
        return False
    ours, host = urlsplit(public_url), headers.get("host", "")
    return origin.lower() not in {f"{ours.scheme}://{ours.netloc}".lower(), f"{ours.scheme}://{host}".lower()}
