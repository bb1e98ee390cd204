"""Authentication-Results (RFC 8601): what we found, in words that a mail program reads.

Whatever a stranger chose stands in it as a token or a quoted string of printable ASCII, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailgov.relay.senders.arc import ArcResult
from mailgov.relay.senders.dkim import DkimResult
from mailgov.relay.senders.dmarc import DmarcResult

VALUE_OCTETS = 255
_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+\Z")  # RFC 2045 5.1
_HIDDEN = re.compile(r"[^ -~]")


def value(text: str) -> str:
    """A value (RFC 8601 2.2) for a text from anywhere."""
    clean = _HIDDEN.sub("?", text[:VALUE_OCTETS])
    if _TOKEN.match(clean):
        return clean
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def results(
    spf: str,
    identity: tuple[str, str],
    signatures: Sequence[DkimResult],
    dmarc: Sequence[DmarcResult],
    arc: ArcResult,
) -> str:
    """The results, one on a line. `identity` is mailfrom or helo, and the domain that SPF was asked about."""
    parts = [f"spf={spf}" + (f" smtp.{identity[0]}={value(identity[1])}" if identity[1] else "")]
    parts += [_signature(one) for one in signatures] or ["dkim=none"]
    for author in dmarc:
        asked = f" (p={author.policy})" if author.policy else ""
        at = f" header.from={value(author.domain)}" if author.domain else ""
        parts.append(f"dmarc={author.result}{asked}{at}")
    reason = f" reason={value(arc.reason)}" if arc.reason else ""
    parts.append(f"arc={arc.result}{reason}" + (f" header.d={value(arc.sealer)}" if arc.sealer else ""))
    return ";\r\n\t".join(parts)


def _signature(one: DkimResult) -> str:
    text = f"dkim={one.result}" + (f" reason={value(one.reason)}" if one.reason else "")
    for name, what in (("d", one.domain), ("s", one.selector), ("a", one.algorithm), ("b", one.prefix)):
        if what:
            text += f"\r\n\t header.{name}={value(what)}"
    return text


def results_field(authserv_id: str, body: str) -> bytes:
    """The whole field with its CRLF."""
    return f"Authentication-Results: {authserv_id};\r\n\t{body}\r\n".encode("ascii", "replace")
