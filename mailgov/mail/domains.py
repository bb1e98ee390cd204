"""One form for each domain name, however it is spelt (UTS 46, RFC 5891).

`ｇｍａｉｌ.com`, `gmail。com` and `GMAIL.com` are one name to every resolver, so they are one name here
before a list, a route or the DNS is asked.
"""

from __future__ import annotations

import idna

LABEL_OCTETS = 63
"""Of an A-label (RFC 1035 2.3.4): a label of more letters has none, and its coding costs their square."""


def normal_domain(domain: str) -> str:
    """The domain mapped as UTS 46 maps it, non-transitionally: small letters, NFC, ASCII dots.

    Letters that are not ASCII stay so. Raises ValueError for what can be no domain's letters.
    """
    if domain.isascii():
        return domain.lower()
    try:
        return idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        raise ValueError("not letters of a domain") from error


def ascii_domain(domain: str) -> str:
    """The form that the DNS is asked with: A-labels (RFC 5890 2.3.2.1). Expects a normal domain.

    Raises ValueError for a label that has none.
    """
    if domain.isascii():
        return domain
    return ".".join(_ascii_label(label) for label in domain.split("."))


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    if len(label) > LABEL_OCTETS:
        raise ValueError("a label that is too long")
    return "xn--" + label.encode("punycode").decode("ascii")
