"""The OpenAPI description as one plain page: no scripts, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


def describe(description: dict[str, Any]) -> str:
    """HTML that lists each operation with its parameters, answers and example."""
    info = description["info"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(info['title'])}</title></head><body>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a></p>',
    ]
    for path, operations in description["paths"].items():
        for method in METHODS:
            if method in operations:
                parts += _operation(description, f"{method.upper()} {path}", operations[method])
    return "".join([*parts, "</body></html>"])


def _operation(description: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{escape(name)}</code></h2><p>{escape(operation.get('description', ''))}</p>"
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
            f"<td>{escape(one.get('description', ''))}</td></tr>"
            for one in parameters
        )
        yield f"<table><tr><th>parameter</th><th>in</th><th>what</th></tr>{rows}</table>"
    for status, answer in operation["responses"].items():
        yield f"<p>{escape(status)}: {escape(answer.get('description', ''))}</p>"
    if (example := _example(description, operation)) is not None:
        yield f"<pre>{escape(json.dumps(example, ensure_ascii=False, indent=1))}</pre>"


def _example(description: dict[str, Any], operation: dict[str, Any]) -> Any:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    return description.get("components", {}).get("schemas", {}).get(name, {}).get("example")
