"""Facts as a person gives them on a command line, to see what the rules would make of them."""

from __future__ import annotations

from datetime import date

from mailgov.policy.facts import FACTS, FactSpec, FactValue

_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def read_fact(text: str) -> tuple[str, FactValue]:
    """`name=value`: a flag is yes or no, a list has commas, an empty value is absent (of a list: empty).

    Raises ValueError with one line for people: no such fact, or no such value.
    """
    name, given, value = text.partition("=")
    spec = FACTS.get(name.strip())
    if spec is None or not given:
        raise ValueError(f"{text!r} is no name=value of a fact; the facts are listed in docs/policy.md")
    return spec.name, _value(spec, value.strip())


def _value(spec: FactSpec, text: str) -> FactValue:
    if spec.kind == "list":
        return tuple(_word(spec, one.strip()) for one in text.split(",") if one.strip())
    if not text:
        return None
    if spec.kind == "flag":
        if text.lower() not in _FLAGS:
            raise ValueError(f"{spec.name} is yes or no, not {text!r}")
        return _FLAGS[text.lower()]
    if spec.kind == "number":
        if not text.isdecimal():
            raise ValueError(f"{spec.name} is a number, not {text!r}")
        return int(text)
    if spec.kind == "date":
        return date.fromisoformat(text).isoformat()
    return _word(spec, text)


def _word(spec: FactSpec, text: str) -> str:
    if spec.values and text not in spec.values:
        raise ValueError(f"{spec.name} is one of {', '.join(spec.values)}, not {text!r}")
    return text.lower() if spec.folded else text
