"""The documents that rules rest on: one file each in `directives/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mailgov.policy.errors import PolicyError
from mailgov.policy.obligations import Obligation, read_obligations
from mailgov.policy.source import Reader

NUMBER_CHARACTERS = 60
SHORT_CHARACTERS = 80
"""A citation is part of an SMTP reply, which holds 512 octets in all."""

_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_NUMBER = re.compile(r"[0-9A-ZĐ][0-9A-Za-zĐđ./ -]*\Z")


@dataclass(frozen=True, slots=True)
class Directive:
    """A document, cited by kind and number; its sentences are not kept here.

    `date`, `in_force` and `until` are ISO texts of local dates, None where they are open or not
    told. `number` is None where the text at hand carries none and no setting supplies it.
    """

    key: str
    kind: str
    number: str | None
    date: str | None
    issuer: str
    title_vi: str
    title_en: str
    binds_vi: str
    binds_en: str
    short_vi: str | None = None
    short_en: str | None = None
    in_force: str | None = None
    until: str | None = None
    note: str | None = None
    obligations: tuple[Obligation, ...] = ()
    """What it asks for, in the order of its file."""

    @property
    def citation(self) -> str:
        """How replies and records name the document, in Vietnamese: `Chỉ thị 07/CT-UBND`."""
        if self.number is not None:
            return f"{self.kind} {self.number}"
        return str(self.short_vi)


def is_key(text: str) -> bool:
    """Keys of documents and ids of rules: lower-case words joined by hyphens, at most 40 characters."""
    return len(text) <= 40 and _KEY.match(text) is not None


def read_directive(reader: Reader, stem: str) -> Directive:
    """One file of `directives/`; `id` repeats the file's name, so that a copy is noticed."""
    key = reader.text("id")
    if not is_key(key):
        raise reader.error("id", "lower-case words joined by hyphens, at most 40 characters")
    if key != stem:
        raise reader.error("id", f'"{key}" is not the name of the file ({stem})')
    number = reader.optional_text("number", limit=NUMBER_CHARACTERS)
    if number is not None and not _NUMBER.match(number):
        raise reader.error("number", f'"{number}" does not look like a number such as 07/CT-UBND')
    directive = Directive(
        key=key,
        kind=reader.text("kind", limit=40),
        number=number,
        date=reader.date("date") if reader.has("date") else None,
        issuer=reader.text("issuer"),
        title_vi=reader.text("title_vi"),
        title_en=reader.text("title_en"),
        binds_vi=reader.text("binds_vi"),
        binds_en=reader.text("binds_en"),
        short_vi=reader.optional_text("short_vi", limit=SHORT_CHARACTERS),
        short_en=reader.optional_text("short_en", limit=SHORT_CHARACTERS),
        in_force=reader.date("in_force") if reader.has("in_force") else None,
        until=reader.date("until") if reader.has("until") else None,
        note=reader.optional_text("note"),
        obligations=read_obligations(reader, key),
    )
    if number is None and directive.short_vi is None:
        raise reader.error("short_vi", "missing: a document without a number is cited by it")
    reader.finish()
    return directive


def with_numbers(
    directives: Mapping[str, Directive], numbers: Mapping[str, str]
) -> tuple[dict[str, Directive], list[str]]:
    """The documents with the numbers that settings supply, and a warning for each that stays open."""
    result = dict(directives)
    warnings = []
    for key, number in ((key, number.strip()) for key, number in numbers.items()):
        if not number:
            continue
        if key not in result:
            warnings.append(
                f'province.directive_numbers names "{key}", which no file in directives/ describes'
            )
        elif result[key].number is not None:
            warnings.append(f'province.directive_numbers names "{key}", whose file carries a number already')
        elif len(number) > NUMBER_CHARACTERS or not _NUMBER.match(number):
            place = f"province.directive_numbers.{key}"
            raise PolicyError("settings", None, place, "does not look like a number such as 07/CT-UBND")
        else:
            result[key] = replace(result[key], number=number)
    warnings += [
        f"directives/{key}.toml: the text carries no number; set province.directive_numbers.{key}"
        for key, directive in result.items()
        if directive.number is None
    ]
    return result, warnings
