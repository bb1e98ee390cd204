"""What is wrong with a policy, and where."""

from __future__ import annotations


class PolicyError(Exception):
    """A policy file does not load; its str is one line that says where the fault is and what it is.

    `file` is the path as the province knows it (`policy/rules.toml`), `line` counts from 1 and is
    None when the fault is the file itself, `key` is the key within its rule or table, such as
    `when[0].fact`, or None.
    """

    def __init__(self, file: str, line: int | None, key: str | None, problem: str) -> None:
        place = f"{file}:{line}" if line is not None else file
        named = f'key "{key}": ' if key is not None else ""
        super().__init__(f"{place}: {named}{' '.join(problem.split())}")
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
