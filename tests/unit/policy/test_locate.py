from __future__ import annotations

from mailgov.policy.locate import locate

TEXT = '''# a comment with [brackets] and "quotes
title = "x # not a comment"

[[rule]]
id = "one"
when = [
  { fact = "a", is = "]" },  # ] }
  { any = [
    [ { fact = "b" } ],
    { fact = 'c' },
  ] },
]
note = """
two lines [with] = {signs}
"""

[[rule]]
id = """t"""
facts.session . listener = "mx"
"quoted key" = 1
day = 2026-01-02 03:04:05

[[rule.test]]
a.b = true
[[rule.test]]
[rule.test.facts]
"recipient.local" = [1, 2,
 3]
[other."a.b"]
last = \'\'\'x\'\'\'
'''


def test_every_key_and_element_has_its_line() -> None:
    lines = locate(TEXT)
    expected: dict[tuple[str | int, ...], int] = {
        ("title",): 2,
        ("rule", 0): 4,
        ("rule", 0, "id"): 5,
        ("rule", 0, "when"): 6,
        ("rule", 0, "when", 0, "fact"): 7,
        ("rule", 0, "when", 0, "is"): 7,
        ("rule", 0, "when", 1): 8,
        ("rule", 0, "when", 1, "any", 0, 0, "fact"): 9,
        ("rule", 0, "when", 1, "any", 1, "fact"): 10,
        ("rule", 0, "note"): 13,
        ("rule", 1): 17,
        ("rule", 1, "id"): 18,
        ("rule", 1, "facts", "session", "listener"): 19,
        ("rule", 1, "quoted key"): 20,
        ("rule", 1, "day"): 21,
        ("rule", 1, "test", 0, "a", "b"): 24,
        ("rule", 1, "test", 1): 25,
        ("rule", 1, "test", 1, "facts", "recipient.local"): 27,
        ("rule", 1, "test", 1, "facts", "recipient.local", 2): 28,
        ("other", "a.b", "last"): 30,
    }
    assert {path: lines.get(path) for path in expected} == expected
