"""The demo's data files."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def read_json(name: str) -> Any:
    """A JSON file that lies beside this module."""
    return json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
