"""Small policies for tests, on top of the shipped files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mailgov.policy import FactValue, Policy, Unknown, load, read_directory

POLICY_DIRECTORY = Path(__file__).resolve().parents[3] / "policy"

Known = dict[str, FactValue | Unknown]


@cache
def _shipped() -> dict[str, str]:
    return read_directory(POLICY_DIRECTORY)


def shipped_files() -> dict[str, str]:
    """The files of `policy/`; the caller may change the dictionary."""
    return dict(_shipped())


def policy_of(rules: str, exceptions: str = "") -> Policy:
    """A policy with these rules and exceptions; documents, providers and vocabulary as shipped."""
    return load({**shipped_files(), "rules.toml": rules, "exceptions.toml": exceptions})


def rule(
    name: str,
    when: str,
    *,
    stage: str = "rcpt",
    mode: str = "enforce",
    action: str = "reject",
    document: str = "cao-bang",
    more: str = "",
) -> str:
    """One rule's text; `more` is TOML for further keys and for its tests."""
    stages = stage if stage.startswith("[") else f'"{stage}"'
    return f"""
[[rule]]
id = "{name}"
mode = "{mode}"
stage = {stages}
document = "{document}"
article = "mục 1b"
action = "{action}"
text_vi = "Không được. Xin làm cách khác."
text_en = "Not so. Please go another way."
when = {when}
{more}
"""
