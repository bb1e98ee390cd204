"""The command line. Modules here import what a command needs when it runs: `--help` is quick."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script."""
    from mailgov.cli.app import run

    sys.exit(run(sys.argv[1:]))
