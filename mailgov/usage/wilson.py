"""How far a share found in a random sample may be from the truth."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution: 95% lie between both sides of it."""


def wilson(hits: int, drawn: int) -> tuple[float, float] | None:
    """Wilson's 95% interval for a share, both ends from 0 to 1; None where nothing was drawn.

    It holds for small samples and for shares near 0, where the usual one gives nonsense.
    """
    if drawn == 0:
        return None
    share, square = hits / drawn, Z_95 * Z_95
    middle = share + square / (2 * drawn)
    reach = Z_95 * sqrt(share * (1 - share) / drawn + square / (4 * drawn * drawn))
    whole = 1 + square / drawn
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)
