"""MTA-STS as it is published: the TXT record and the policy (RFC 8461 3.1, 3.2). No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

MAX_AGE_S = 31_557_600
"""RFC 8461 3.2: a year at most."""
PATTERNS_LIMIT = 200
"""Patterns of exchangers that one policy may have; real ones have under ten."""
_ID = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z")
_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\Z")

Mode = Literal["none", "testing", "enforce"]


class PolicyInvalid(ValueError):
    """What was published is no policy (`sts-policy-invalid`); the message is one line."""


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A domain's policy. `mx`: patterns of exchangers, in lower case."""

    mode: Mode
    max_age_s: int
    mx: tuple[str, ...]

    def names(self, host: str) -> bool:
        """Whether mail for the domain may go to this exchanger (RFC 8461 4.1)."""
        host = host.rstrip(".").lower()
        behind = host.partition(".")[2]
        return any(p == host or (p[:2] == "*." and behind == p[2:]) for p in self.mx)

    def text(self) -> str:
        """As it is published, and kept."""
        lines = [
            "version: STSv1",
            f"mode: {self.mode}",
            f"max_age: {self.max_age_s}",
            *(f"mx: {p}" for p in self.mx),
        ]
        return "\n".join(lines) + "\n"


def record_id(texts: Sequence[str]) -> str | None:
    """The `id` of the one STSv1 record among a name's TXT records; None where the domain has no policy."""
    found = [text for text in texts if text.split(";")[0].strip() == "v=STSv1"]
    if len(found) != 1:
        return None  # RFC 8461 3.1: several are none
    for field in found[0].split(";")[1:]:
        name, _, value = (part.strip() for part in field.partition("="))
        if name == "id":
            return value if _ID.match(value) else None
    return None


def read_policy(body: bytes) -> StsPolicy:
    """The policy of a file's octets. Unknown fields are passed over; raises PolicyInvalid."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise PolicyInvalid("not UTF-8") from None
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        name, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if not line.strip():
            continue
        if not colon or not _FIELD.match(name):
            raise PolicyInvalid(f"no field: {line[:80]!r}")
        if name == "mx":
            patterns.append(value.lower().rstrip("."))
        else:
            fields.setdefault(name, value)  # RFC 8461 3.2: of several the first counts
    return _checked(fields, patterns)


def _checked(fields: dict[str, str], patterns: list[str]) -> StsPolicy:
    if fields.get("version") != "STSv1":
        raise PolicyInvalid("no version: STSv1")
    mode, age = fields.get("mode"), fields.get("max_age", "")
    if mode not in {"none", "testing", "enforce"}:
        raise PolicyInvalid(f"mode {str(mode)[:80]!r}")
    if not (age.isascii() and age.isdigit() and len(age) <= 10):
        raise PolicyInvalid(f"max_age {age[:80]!r}")
    bad = next((p for p in patterns if len(p) > 255 or not _PATTERN.match(p)), None)
    if bad is not None:
        raise PolicyInvalid(f"mx {bad[:80]!r}")
    if (not patterns and mode != "none") or len(patterns) > PATTERNS_LIMIT:
        raise PolicyInvalid(f"{len(patterns)} mx")
    return StsPolicy(cast(Mode, mode), min(int(age), MAX_AGE_S), tuple(patterns))
