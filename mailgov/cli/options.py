"""Options that go together, as one dataclass: a command takes it as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

Command = Callable[..., None]


def grouped(work: Command) -> Command:
    """The command `work`, whose parameters that are dataclasses are options: one for each of their fields.

    A field's annotation says which, as a parameter's would; its default is the option's.
    """
    groups: dict[str, type] = {}
    shown: list[inspect.Parameter] = []
    for one in inspect.signature(work, eval_str=True).parameters.values():
        kind = one.annotation
        if is_dataclass(kind) and isinstance(kind, type):
            groups[one.name] = kind
            shown += _options(kind)
        else:
            shown.append(one.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def command(**given: Any) -> None:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        work(**made, **given)

    command.__name__, command.__doc__, command.__module__ = work.__name__, work.__doc__, work.__module__
    command.__annotations__ = {one.name: one.annotation for one in shown}
    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # what typer asks for
    return command


def given(group: Any) -> dict[str, Any]:
    """The options of a group that were said."""
    named = {field.name: getattr(group, field.name) for field in fields(group)}
    return {name: value for name, value in named.items() if value is not None}


def _options(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)
    ]
