"""The demo province's agencies and people: the agencies are real ones, the people are made up."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mailgov.ops.demo.data import read_json
from mailgov.store.agencies import AgencySpan

SEED = 20250701
PEOPLE = 150
READY = "Nguyễn Văn An"
"""The person whose account is handed to whoever tries the demo."""
READY_AGENCY = "skhcn"
"""Since 2025 the department that runs the province's mail."""

_CLASSES = ("can_bo", "cong_chuc", "vien_chuc", "khac")
_WEIGHTS = {
    "province": (8, 78, 10, 4),
    "commune": (30, 62, 4, 4),  # elected posts are cán bộ
}
_SERVICES = frozenset({"sgddt", "syt", "svhttdl"})
"""Agencies with schools, hospitals and the like: mostly viên chức."""
AUDITING_AGENCY = "ttt"


@dataclass(frozen=True, slots=True)
class DemoAgency:
    """An agency of the demo with its mailbox."""

    span: AgencySpan
    local_part: str
    merged_into: str | None
    granted_to: str | None

    @property
    def current(self) -> bool:
        """False for one that has ended."""
        return self.span.valid_until is None


@dataclass(frozen=True, slots=True)
class Person:
    """One generated person."""

    name: str
    local_part: str
    agency: str
    person_class: str


def agencies(domain: str) -> list[DemoAgency]:
    """The agencies of agencies.json; an agency's code is its local part."""
    found = []
    for entry in read_json("agencies.json"):
        last_day = entry.get("valid_to")
        until = date.fromisoformat(last_day) + timedelta(days=1) if last_day else None
        span = AgencySpan(
            code=entry["local_part"],
            name=entry["name"],
            level=entry["level"],
            abbreviation=entry["abbreviation"],
            mailbox=f"{entry['local_part']}@{domain}",
            own_sector_mail=entry.get("own_sector_mail", False),
            valid_until=until,
            sample=True,
        )
        found.append(DemoAgency(span, entry["local_part"], entry.get("merged_into"), entry.get("granted_to")))
    return found


def people(places: Sequence[DemoAgency]) -> list[Person]:
    """The same people every time, spread over the agencies that exist; the first is `READY`."""
    chance = random.Random(SEED)  # noqa: S311 - made-up people, no secret
    names = read_json("names.json")
    current = [place for place in places if place.current]
    taken = {place.local_part for place in places}
    found = [_person(READY, READY_AGENCY, "cong_chuc", taken)]
    for number in range(PEOPLE - 1):
        place = current[number % len(current)]
        found.append(_person(_name(chance, names), place.span.code, _class(chance, place), taken))
    return found


def _name(chance: random.Random, names: dict[str, list[str]]) -> str:
    woman = chance.random() < 0.48
    middle, given = ("middle_women", "women") if woman else ("middle_men", "men")
    return " ".join(chance.choice(names[part]) for part in ("family", middle, given))


def _class(chance: random.Random, place: DemoAgency) -> str:
    weights = (4, 26, 66, 4) if place.span.code in _SERVICES else _WEIGHTS[place.span.level]
    return chance.choices(_CLASSES, weights)[0]


def _person(name: str, agency: str, person_class: str, taken: set[str]) -> Person:
    base = local_part(name)
    chosen, number = base, 1
    while chosen in taken:
        number += 1
        chosen = f"{base}{number}"
    taken.add(chosen)
    return Person(name, chosen, agency, person_class)


def local_part(name: str) -> str:
    """A person's usual address: the given name, then the initials of the rest (`annv`)."""
    *others, given = (_plain(word) for word in name.split())
    return given + "".join(word[0] for word in others)


def _plain(word: str) -> str:
    """Without marks; đ is a letter of its own that no normalisation takes apart."""
    parts = unicodedata.normalize("NFD", word.lower().replace("đ", "d"))
    return "".join(sign for sign in parts if not unicodedata.combining(sign))
