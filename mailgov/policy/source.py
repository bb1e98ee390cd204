"""Typed reading of a policy file: every fault becomes a PolicyError that knows its line."""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mailgov.policy.errors import PolicyError
from mailgov.policy.locate import Path, locate

FILE_CHARACTERS = 1_048_576
"""A policy file is written and read by people; past this size it is a mistake."""

LIST_LENGTH = 10_000
TEXT_CHARACTERS = 4000

_SYNTAX_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)\Z")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean x?)`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def dotted(path: Path) -> str:
    """`when[0].fact` for a path inside an array of tables, the whole path elsewhere."""
    if len(path) > 2 and isinstance(path[1], int):
        path = path[2:]
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class Source:
    """One file's text and its table. `name` is the path that faults are reported under."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        self._lines: dict[Path, int] | None = None
        if len(text) > FILE_CHARACTERS:
            raise PolicyError(name, None, None, f"over {FILE_CHARACTERS} characters")
        try:
            self.table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self._syntax(str(error)) from None
        except RecursionError:
            raise PolicyError(name, None, None, "nested too deep") from None

    def _syntax(self, message: str) -> PolicyError:
        found = _SYNTAX_LINE.search(message)
        if found is None:
            return PolicyError(self.name, self._text.count("\n") + 1, None, f"not TOML: {message}")
        problem = f"not TOML: {message[: found.start()]}, column {found[2]}"
        return PolicyError(self.name, int(found[1]), None, problem)

    def line(self, path: Path) -> int | None:
        """The line of `path`, or of the nearest thing around it."""
        if self._lines is None:
            self._lines = locate(self._text)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def error(self, path: Path, problem: str) -> PolicyError:
        return PolicyError(self.name, self.line(path), dotted(path) or None, problem)


class Reader:
    """A table being read: each key is asked for once, `finish` refuses what nobody asked for."""

    def __init__(self, source: Source, path: Path, table: Mapping[str, Any]) -> None:
        self.source = source
        self.path = path
        self.table = table
        self._asked: set[str] = set()

    @classmethod
    def of(cls, source: Source) -> Reader:
        return cls(source, (), source.table)

    def error(self, key: str | None, problem: str) -> PolicyError:
        return self.source.error(self.path if key is None else (*self.path, key), problem)

    def at(self, *path: str | int) -> Path:
        return (*self.path, *path)

    def has(self, key: str) -> bool:
        return key in self.table

    def raw(self, key: str) -> Any:
        """The value as TOML has it; None when the key is missing."""
        self._asked.add(key)
        return self.table.get(key)

    def required(self, key: str) -> Any:
        value = self.raw(key)
        if value is None:
            raise self.error(key, "missing")
        return value

    def text(self, key: str, *, limit: int = TEXT_CHARACTERS) -> str:
        """One line in NFC without control characters, not empty, at most `limit` characters."""
        return self.checked_text((*self.path, key), self.required(key), limit)

    def optional_text(self, key: str, *, limit: int = TEXT_CHARACTERS) -> str | None:
        return self.text(key, limit=limit) if self.has(key) else None

    def checked_text(self, path: Path, value: Any, limit: int = TEXT_CHARACTERS) -> str:
        if not isinstance(value, str):
            raise self.source.error(path, f"expected a text, not {describe(value)}")
        text = unicodedata.normalize("NFC", value).strip()
        if not text:
            raise self.source.error(path, "empty")
        if len(text) > limit:
            raise self.source.error(path, f"over {limit} characters")
        if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} for c in text):
            raise self.source.error(path, "control characters or line ends are not allowed")
        return text

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        value = self.raw(key) if default is not None else self.required(key)
        if value is None and default is not None:
            return default
        return self.checked_choice((*self.path, key), value, allowed)

    def checked_choice(self, path: Path, value: Any, allowed: Iterable[str]) -> str:
        words = list(allowed)
        if not isinstance(value, str) or value not in words:
            near = suggest(value, words) if isinstance(value, str) else ""
            raise self.source.error(path, f"expected one of {', '.join(words)}, not {describe(value)}{near}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, f"expected true or false, not {describe(value)}")
        return value

    def array(self, key: str) -> list[Any]:
        """The array, empty when the key is missing."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(key, f"expected an array, not {describe(value)}")
        if len(value) > LIST_LENGTH:
            raise self.error(key, f"over {LIST_LENGTH} entries")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(self.checked_text((*self.path, key, n), v) for n, v in enumerate(self.array(key)))

    def tables(self, key: str) -> list[Reader]:
        readers = []
        for number, value in enumerate(self.array(key)):
            if not isinstance(value, dict):
                raise self.source.error(self.at(key, number), f"expected a table, not {describe(value)}")
            readers.append(Reader(self.source, self.at(key, number), value))
        return readers

    def sub(self, key: str) -> Reader:
        """The table under `key`, empty when the key is missing."""
        value = self.raw(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(key, f"expected a table, not {describe(value)}")
        return Reader(self.source, self.at(key), value or {})

    def date(self, key: str) -> str:
        """A local date as ISO text; TOML's own date and a text are both good."""
        return self.checked_date((*self.path, key), self.required(key))

    def checked_date(self, path: Path, value: Any) -> str:
        if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            return value.isoformat()
        if isinstance(value, str) and is_iso_date(value):
            return value
        raise self.source.error(path, f"expected a date such as 2026-11-21, not {describe(value)}")

    def only(self, keys: Collection[str]) -> None:
        """Refuse any other key at once: a misspelt key is a better word than "missing" for the right one."""
        for key in self.table:
            if key not in keys:
                raise self.error(key, f"unknown key{suggest(key, keys)}")

    def finish(self) -> None:
        for key in self.table:
            if key not in self._asked:
                raise self.error(key, f"unknown key{suggest(key, self._asked)}")


def is_iso_date(value: str) -> bool:
    if not _ISO_DATE.match(value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def describe(value: Any) -> str:
    """The value in a fault's text: short, whatever it is."""
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:57]}…"
