"""YAML that others wrote, read by Debian's own Python: the service needs no YAML, so neither do its tests."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

PYTHON = "/usr/bin/python3"
_READ = (
    "import json, sys, yaml\n"
    # Dates stay text, and numbers too: the suites mean them so.
    "json.dump(list(yaml.load_all(open(sys.argv[1], encoding='utf-8'), Loader=yaml.BaseLoader)), sys.stdout)"
)


@functools.cache
def can_read() -> bool:
    """True when Debian's Python has its YAML (python3-yaml)."""
    probe = [PYTHON, "-c", "import yaml"]
    return Path(PYTHON).is_file() and subprocess.run(probe, check=False, capture_output=True).returncode == 0


def documents(file: Path) -> list[Any]:
    """The documents of a file; every scalar is text."""
    run = subprocess.run([PYTHON, "-c", _READ, str(file)], check=True, capture_output=True)
    found: list[Any] = json.loads(run.stdout)
    return found
