"""What the demo's agencies declare: made-up numbers that fit its made-up people and mail."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from mailgov.ops.demo.people import SEED, Person

Numbers = dict[str, int]
_WITHOUT_ACCOUNT = (0, 0, 1, 2)
"""Persons of a class, where there are any, that hold no account yet; each as likely."""
_ON_LEAVE = (0, 0, 0, 1)
_A_MONTH = {
    "sent_dm_only": (8, 40),
    "sent_paper_only": (2, 15),
    "sent_parallel": (0, 8),
    "received_dm_only": (20, 80),
    "received_paper_only": (5, 30),
    "received_parallel": (0, 15),
}
"""Documents of an agency in a month that do not go by mail alone, from and to."""


def headcounts(persons: Iterable[Person], agencies: Iterable[str]) -> dict[str, Numbers]:
    """Persons by agency and class: never fewer than hold an account."""
    chance = random.Random(f"{SEED} people")  # noqa: S311 - made-up numbers, no secret
    holders = Counter((person.agency, person.person_class) for person in persons)
    found = {}
    for agency in agencies:
        numbers = {}
        for name in ("can_bo", "cong_chuc", "vien_chuc", "khac"):
            held = holders[agency, name]
            numbers[name] = held + (chance.choice(_WITHOUT_ACCOUNT) if held else 0)
        numbers["long_leave"] = min(chance.choice(_ON_LEAVE), sum(numbers.values()))
        found[agency] = numbers
    return found


def documents(agency: str, months: int) -> Numbers:
    """Documents of an agency over so many months; the same agency always has the same habits."""
    chance = random.Random(f"{SEED} documents {agency}")  # noqa: S311 - as above
    return {name: months * chance.randint(*bounds) for name, bounds in _A_MONTH.items()}
