"""Mail addresses as SMTP carries them (RFC 5321 4.1.2, RFC 6531 3.3)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from mailgov.mail.domains import normal_domain

LOCAL_PART_OCTETS = 64  # RFC 5321 4.5.3.1.1
DOMAIN_OCTETS = 255  # RFC 5321 4.5.3.1.2
LABEL_OCTETS = 63  # RFC 1035 2.3.4
PATH_OCTETS = 256  # RFC 5321 4.5.3.1.3, brackets included

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]|[^\x00-\x7f]"
_DOT_STRING = re.compile(rf"(?:{_ATEXT})+(?:\.(?:{_ATEXT})+)*\Z")
_QUOTED = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|[^\x00-\x7f]|\\[\x20-\x7e])*"\Z')
_ESCAPE = re.compile(r"\\(.)")
# An underscore is no letter of host names (RFC 5321 4.1.2), but hosts that send mail have it in theirs.
_LABEL = r"(?:[A-Za-z0-9_]|[^\x00-\x7f])(?:(?:[A-Za-z0-9_\-]|[^\x00-\x7f])*(?:[A-Za-z0-9_]|[^\x00-\x7f]))?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


class AddressError(ValueError):
    """The text is not an address; the message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `local` is kept as written, `domain` is in its one form (`normal_domain`)."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """The form that look-ups use: all lower case (our local parts ignore case)."""
        return f"{self.local.lower()}@{self.domain}"

    @property
    def ascii(self) -> bool:
        """False when the address needs SMTPUTF8 (RFC 6531)."""
        return self.local.isascii() and self.domain.isascii()

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `local@domain`; raise AddressError for anything else.

        Quoted local parts are accepted, and lose quotes that they do not need (RFC 5321 4.1.2);
        address literals too (4.1.3). Lengths are counted in octets of UTF-8.
        """
        return cls(*_parsed(text))


@lru_cache(maxsize=8192)
def _parsed(text: str) -> tuple[str, str]:
    """Local part and domain. The same few addresses come again and again; what is none is not remembered."""
    local, at, domain = text.rpartition("@")
    if not at or not local:
        raise AddressError("no @ in the address" if not at else "empty local part")
    try:
        local_octets, domain_octets = len(local.encode()), len(domain.encode())
    except UnicodeEncodeError:
        raise AddressError("not valid UTF-8") from None
    if local_octets > LOCAL_PART_OCTETS:
        raise AddressError(f"local part over {LOCAL_PART_OCTETS} octets")
    if domain_octets > DOMAIN_OCTETS:
        raise AddressError(f"domain over {DOMAIN_OCTETS} octets")
    try:
        domain = normal_domain(domain)
    except ValueError:
        raise AddressError("malformed domain") from None
    if _QUOTED.match(local):
        bare = _ESCAPE.sub(r"\1", local[1:-1])
        local = bare if _DOT_STRING.match(bare) else local
    elif not _DOT_STRING.match(local):
        raise AddressError("malformed local part")
    if not (is_domain(domain) or _is_literal(domain)):
        raise AddressError("malformed domain")
    return local, domain


def is_domain(text: str) -> bool:
    """Whether the text is a domain's name by its letters (RFC 5321 4.1.2, RFC 6531 3.3)."""
    if not _DOMAIN.match(text):
        return False
    return all(len(label) <= LABEL_OCTETS for label in text.split("."))


def _is_literal(domain: str) -> bool:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]`, and no other kind (RFC 5321 4.1.3)."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return False
    text = domain[1:-1]
    try:
        if text.lower().startswith("ipv6:"):
            ipaddress.IPv6Address(text[5:])
        else:
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return "%" not in text


def key_of(text: str) -> str:
    """The look-up form of an address that may be malformed; never raises."""
    try:
        return Address.parse(text).key
    except AddressError:
        return text.lower()
