"""What the demo's agencies declare: made-up numbers that fit its made-up people and mail."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from mailgov.ops.demo.people import SEED, Person

Numbers = dict[str, int]
WITHOUT_ACCOUNT = 0.15
"""How many more persons there are, at most, than hold an account: some have none yet."""
ON_LEAVE = 0.05
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
            numbers[name] = held + round(held * chance.uniform(0, WITHOUT_ACCOUNT))
        numbers["long_leave"] = round(sum(numbers.values()) * chance.uniform(0, ON_LEAVE))
        found[agency] = numbers
    return found


def documents(agency: str, months: int) -> Numbers:
    """Documents of an agency over so many months; the same agency always has the same habits."""
    chance = random.Random(f"{SEED} documents {agency}")  # noqa: S311 - as above
    return {name: months * chance.randint(*bounds) for name, bounds in _A_MONTH.items()}
