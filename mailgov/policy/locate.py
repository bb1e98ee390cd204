"""Line numbers for the keys of a TOML text that `tomllib` has already accepted.

`tomllib` gives values without their places, and a fault in a policy is worth little without
its line. This scanner reads well-formed TOML only and looks at structure, never at values.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\]|\\.)*"')
_LITERAL = re.compile(r"'[^']*'")
_LONG_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> dict[Path, int]:
    """The line, from 1, where each table, key and array element begins.

    A path is made of keys and indexes: `("rule", 2, "when", 0, "fact")`.
    """
    return _Scanner(text).document()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.counted = 0
        self.lines: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}
        """For an array of tables, the index of the last one."""

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while True:
            self.skip(_BLANK)
            if self.at >= len(self.text):
                return self.lines
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> Path:
        array = self.text.startswith("[[", self.at)
        line = self.here()
        self.at += 2 if array else 1
        parts = self.key()
        self.at += 2 if array else 1
        path: Path = ()
        for number, part in enumerate(parts, 1):
            path = (*path, part)
            if array and number == len(parts):
                self.tables[path] = self.tables.get(path, -1) + 1
            if path in self.tables:
                path = (*path, self.tables[path])
        self.note(path, line)
        return path

    def pair(self, table: Path) -> None:
        line = self.here()
        path = (*table, *self.key())
        self.at += 1  # the equals sign
        self.note(path, line)
        self.value(path)

    def key(self) -> tuple[str, ...]:
        """Read a dotted key and the blanks after it."""
        parts: list[str] = []
        while True:
            self.skip(_BLANK)
            if self.text[self.at] in "\"'":
                pattern = _BASIC if self.text[self.at] == '"' else _LITERAL
                parts.append(self.skip(pattern)[1:-1])
            else:
                parts.append(self.skip(_BARE))
            self.skip(_BLANK)
            if self.at >= len(self.text) or self.text[self.at] != ".":
                return tuple(parts)
            self.at += 1

    def value(self, path: Path) -> None:
        self.skip(_BLANK)
        first = self.text[self.at]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline(path)
        elif first in "\"'":
            self.string()
        else:
            self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while True:
            self.skip(_BLANK)
            if self.text[self.at] == "]":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.note((*path, index), self.here())
            self.value((*path, index))
            index += 1

    def inline(self, path: Path) -> None:
        self.at += 1
        while True:
            self.skip(_BLANK)
            if self.text[self.at] == "}":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path)

    def string(self) -> None:
        for quotes, long, short in (('"""', _LONG_BASIC, _BASIC), ("'''", _LONG_LITERAL, _LITERAL)):
            if self.text.startswith(quotes, self.at):
                self.skip(long)
                return
            if self.text[self.at] == quotes[0]:
                self.skip(short)
                return

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None or (match.end() == self.at and pattern is not _BLANK):
            raise ValueError(f"not TOML at offset {self.at}")  # cannot be: tomllib read it
        self.at = match.end()
        return match.group()

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)
