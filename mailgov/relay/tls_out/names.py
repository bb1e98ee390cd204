"""Whose certificate it is: its DNS names held against those that are wanted (RFC 6125 6.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def certificate_names(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The DNS names of a certificate as `getpeercert()` gives it, in lower case; no common name is one."""
    alternatives: Iterable[tuple[str, str]] = found.get("subjectAltName", ())
    return tuple(value.lower().rstrip(".") for kind, value in alternatives if kind == "DNS")


def fits(certificate: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether one of the certificate's names is wanted. A wanted `.gov.vn` stands for every name below it.

    The certificate's `*` stands for one whole label, the first (RFC 6125 6.4.3).
    """
    names = list(certificate)
    return any(_fits(name, want.lower().rstrip(".")) for want in wanted for name in names)


def _fits(name: str, want: str) -> bool:
    if want.startswith("."):
        return name.endswith(want) and len(name) > len(want)
    if name.startswith("*."):
        label, dot, behind = want.partition(".")
        return bool(label and dot) and behind == name[2:] and "." in behind
    return name == want
