"""What a well-formed directory entry is; each function gives the stored form or raises AdminError."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from mailgov.admin.errors import invalid
from mailgov.mail.address import Address, AddressError

KINDS = ("personal", "shared", "functional")
PERSON_CLASSES = ("can_bo", "cong_chuc", "vien_chuc", "khac")
LEVELS = ("province", "district", "commune")
ALIAS_KINDS = ("alias", "list", "forward")

REQUIRED_LOCAL_PARTS = ("postmaster", "abuse")
"""Every domain has them (RFC 5321 4.5.1, RFC 2142 4), and no person does."""
RESERVED_LOCAL_PARTS = frozenset({*REQUIRED_LOCAL_PARTS, "mailer-daemon"})

NAME_CHARACTERS = 200
REASON_CHARACTERS = 500
CODE_CHARACTERS = 35
BESIDE_NAME_MIN = 8
"""The floor for what a person chooses; passwords made by the service have 100 bits."""
DISTINCT_MIN = 5

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")  # RFC 1035 2.3.4, RFC 1123 2.1
_LOCAL_PART = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?!\.))*\Z")
_CODE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{CODE_CHARACTERS - 1}}}\Z")
SHOWN_CHARACTERS = 80


def shown(text: str, characters: int = SHOWN_CHARACTERS) -> str:
    """What someone typed, fit for one line of an error message."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text[:characters])
    return plain + ("…" if len(text) > characters else "")


def domain_name(text: str) -> str:
    """A domain in ASCII with at least two labels, in lower case without a final dot."""
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise invalid(f"{shown(text)!r} is not a domain name: letters, digits and hyphens, at least one dot")
    if labels[-1].isdigit():
        raise invalid(f"{shown(text)!r} is an address of a machine, not a domain name")
    return name


def local_address(text: str) -> str:
    """An address of the province: ASCII, and fit for a folder name and a sign-in."""
    address = any_address(text)
    local, _, domain = address.rpartition("@")
    if not _LOCAL_PART.match(local) or local.endswith("."):
        raise invalid(
            f"{shown(text)!r}: an address of the province has letters a-z, digits and . _ - before the @"
        )
    return f"{local}@{domain_name(domain)}"


def any_address(text: str) -> str:
    """An address in its look-up form, ours or not; ASCII, without quotes or address literals."""
    try:
        address = Address.parse(text.strip())
    except AddressError as error:
        raise invalid(f"{shown(text)!r} is not an address: {error}") from None
    if not address.ascii:
        raise invalid(f"{shown(text)!r}: addresses in the directory are ASCII")
    if address.local.startswith('"') or address.domain.startswith("["):
        raise invalid(f"{shown(text)!r}: quoted names and address literals have no place in the directory")
    return address.key


def domain_of(address: str) -> str:
    """The part after the @."""
    return address.rpartition("@")[2]


def local_part_of(address: str) -> str:
    """The part before the @."""
    return address.rpartition("@")[0]


def display_name(text: str, what: str = "name") -> str:
    """A name for people: NFC, one line, 1 to 200 characters."""
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not 1 <= len(name) <= NAME_CHARACTERS or not all(_visible(sign) for sign in name):
        raise invalid(f"the {what} must be one line of 1 to {NAME_CHARACTERS} visible characters")
    return name


def reason(text: str) -> str:
    """Why something was done, for whoever reads it years later: NFC, one line, 1 to 500 characters."""
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    if not 1 <= len(plain) <= REASON_CHARACTERS or not all(_visible(sign) for sign in plain):
        raise invalid(f"the reason must be one line of 1 to {REASON_CHARACTERS} visible characters")
    return plain


def _visible(sign: str) -> bool:
    """No control characters, no marks that reorder text, no lone surrogates."""
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def agency_code(text: str) -> str:
    """An agency's code, such as `snv`, `000.00.00.H14` or `G09.01`; case is kept."""
    if not _CODE.match(text):
        raise invalid(
            f"{shown(text)!r} is not an agency code: at most {CODE_CHARACTERS} letters, digits and . _ -"
        )
    return text


def selector(text: str) -> str:
    """A DKIM selector of one label (RFC 6376 3.1)."""
    if not _LABEL.match(text.lower()):
        raise invalid(f"{shown(text)!r} is not a selector: letters, digits and hyphens, at most 63")
    return text.lower()


def one_of(value: str, choices: tuple[str, ...], what: str) -> str:
    """`value` when it is among `choices`."""
    if value not in choices:
        raise invalid(f"{shown(value)!r} is no {what}: it is one of {', '.join(choices)}")
    return value


def password(text: str, address: str, name: str, *, at_least: int) -> str:
    """A password that a person chose: long enough, and not what a stranger tries first."""
    if len(text) < at_least:
        raise invalid(f"a password has at least {at_least} characters")
    try:
        if len(text.encode()) > 1024:
            raise invalid("a password has at most 1024 octets")
    except UnicodeEncodeError:
        raise invalid("the password is not valid UTF-8") from None
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise invalid("a password has no control characters")
    plain = unicodedata.normalize("NFC", text).casefold()
    if len(set(plain)) < DISTINCT_MIN:
        raise invalid(f"a password has at least {DISTINCT_MIN} different characters")
    for known in filter(None, (address, name.casefold(), local_part_of(address))):
        if known in plain and len(plain.replace(known, "")) < BESIDE_NAME_MIN:
            raise invalid("a password is not made of the holder's address or name")
    return text


def span(valid_from: date | None, valid_until: date | None) -> None:
    """A span of days has at least one (`valid_until` is the first day outside)."""
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        raise invalid(f"the span from {valid_from} until {valid_until} has no day in it")
