"""How long the campaigns go on: a number of inputs in `make test`, a time in `test-full` and `fuzz`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

CAMPAIGNS = 3
SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
"""For all campaigns together."""
EACH_S = SECONDS / CAMPAIGNS
LIMIT_S = EACH_S + 420
"""A campaign's time limit as a test: a fault is made small for up to 5 minutes."""


def rounds() -> Iterator[int]:
    """Numbers, until a campaign's time is over."""
    end = time.monotonic() + EACH_S
    number = 0
    while time.monotonic() < end:
        yield number
        number += 1
