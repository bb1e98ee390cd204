"""docs/settings.md out of the settings' types and docstrings: `python -m tests.support.settings_table`."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mailgov.settings import Settings

PLACE = Path(__file__).parents[2] / "docs" / "settings.md"
UNITS = {
    "_s": "s", "_bytes": "octets", "_octets": "octets", "_days": "days", "_per_hour": "an hour",
    "_per_day": "a day",
}  # fmt: skip
TYPES = {
    "str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path",
    "HostPort": "host:port", "Network": "network", "HostName": "host name", "LineLimit": "whole number",
    "ServiceAddress": "host:port or path", "ServiceUrl": "URL",
}  # fmt: skip
HEAD = """# Settings

Every key of the settings file: `mailgov.toml` here, `/etc/mailgov/mailgov.toml`, or what `--config` or
`MAILGOV_CONFIG` names. It is TOML; relative paths are taken from its folder. `MAILGOV_SECTION__KEY` in the
environment comes before the file (JSON for lists and tables). An unknown key, or a value that cannot be
right, is refused at start with one line. What is not set is as it is here.

This page is made from the types in `mailgov/settings` (`python -m tests.support.settings_table`), and a
test holds it to them.
"""


def page() -> str:
    """The whole document."""
    return HEAD + "".join(_section(title, model) for title, model in _sections())


def undocumented() -> list[str]:
    """Keys that nothing is said of."""
    return [
        f"{title} {key}" for title, model in _sections() for key in _keys(model) if key not in _told(model)
    ]


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", Settings
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield f"[{name}]", model
            for key, inner in model.model_fields.items():
                for one in get_args(inner.annotation):
                    if isinstance(one, type) and issubclass(one, BaseModel):
                        yield f"[[{name}.{key}]]", one


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {
        key: field
        for key, field in model.model_fields.items()
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
    }


def _told(model: type[BaseModel]) -> dict[str, str]:
    """By key, the docstring behind it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, said in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(said):
            found[field.target.id] = " ".join(said.value.value.split())  # type: ignore[attr-defined]  # see _is_text
    return found


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _types(model: type[BaseModel]) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    fields = [node for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {
        field.target.id: _type(field.annotation) for field in fields if isinstance(field.target, ast.Name)
    }


def _type(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        if node.id in TYPES:
            return TYPES[node.id]
        import mailgov.settings.scanners as words

        literal = getattr(words, node.id, None)
        return " or ".join(map(_shown, get_args(literal))) if literal is not None else "table"
    if isinstance(node, ast.BinOp):
        return _type(node.left)  # … | None
    assert isinstance(node, ast.Subscript)
    of = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    outer = ast.unparse(node.value)
    if outer == "Literal":
        return " or ".join(_shown(ast.literal_eval(one)) for one in of)
    if outer == "dict":
        value = ast.unparse(of[1])
        if value.startswith("Annotated[int"):
            return "table of whole numbers"
        return "table of tables" if value.startswith("Tls") else "table of text"
    return f"list of {_type(of[0])}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    plain: Any = value if isinstance(value, (bool, int, float, str, dict)) else None
    if isinstance(value, tuple) and not hasattr(value, "port"):
        plain = list(value)
    elif isinstance(value, list):
        plain = value
    return f"`{json.dumps(str(value) if plain is None else plain, ensure_ascii=False)}`"


def _section(title: str, model: type[BaseModel]) -> str:
    told, types = _told(model), _types(model)
    about = " ".join((model.__doc__ or "").split()) if model.__doc__ else ""
    lines = [f"\n## {title or 'At the top'}\n", *([about, ""] if title and about else [])]
    lines += ["| key | type | unit | default | what it does |", "|---|---|---|---|---|"]
    for key, field in _keys(model).items():
        unit = next((unit for end, unit in UNITS.items() if key.endswith(end)), "–")
        default = "must be given" if field.is_required() else _shown(field.default)
        said = told.get(key, "").replace("|", "\\|")
        lines.append(f"| `{key}` | {types[key]} | {unit} | {default} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PLACE.write_text(page(), encoding="utf-8")
