"""Which real programs this machine has, and the skip that says which one is missing."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Debian keeps daemons where an ordinary account's PATH does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@functools.cache
def find_program(name: str) -> str | None:
    """The absolute path of a program, or None. PostgreSQL's are found in their version's folder."""
    if found := shutil.which(name, path=SEARCH_PATH):
        return found
    return max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None)


def program(name: str) -> str:
    """The absolute path of a program that `needs` made sure of; LookupError without it."""
    if found := find_program(name):
        return found
    raise LookupError(f"{name} is not installed; `make test` installs it where it may")


@functools.cache
def has_perl_module(name: str) -> bool:
    """True when Perl loads the module."""
    perl = find_program("perl")
    if perl is None:
        return False
    return subprocess.run([perl, f"-M{name}", "-e", "1"], check=False, capture_output=True).returncode == 0


def needs(*names: str) -> pytest.MarkDecorator:
    """A mark that skips where a program (`swaks`) or Perl module (`Mail::DKIM`) is missing, and names it."""
    missing = [n for n in names if not (has_perl_module(n) if "::" in n else find_program(n))]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
