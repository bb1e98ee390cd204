"""What could not be reached lately, an address or a whole family of them: it comes last.

Mail that may go another way does not wait for the same silence each time: RFC 8305's aim, for a
client that is in no hurry.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import zip_longest

REMEMBERED_S = 600.0
"""A network that was mended is tried again after this long."""
ADDRESSES_LIMIT = 2000
FAMILY_FAILURES = 3
"""So many addresses of a family without one that answers: it is the family that is away."""


class Reach:
    """One worker's memory; `monotonic` gives seconds. Bounded, and forgotten after `REMEMBERED_S`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failed: OrderedDict[str, float] = OrderedDict()
        self._families: dict[bool, dict[str, float]] = {True: {}, False: {}}

    def reached(self, address: str) -> None:
        """A connection came to be."""
        self._failed.pop(address, None)
        self._families[_is_v6(address)].clear()

    def failed(self, address: str) -> None:
        """None did: no route there, nobody who answered in time, or nobody who listens."""
        now_s = self._monotonic()
        self._failed[address] = now_s
        self._failed.move_to_end(address)
        if len(self._failed) > ADDRESSES_LIMIT:
            self._failed.popitem(last=False)
        family = self._families[_is_v6(address)]
        if len(family) < FAMILY_FAILURES or address in family:
            family[address] = now_s

    def penalty(self, address: str) -> int:
        """0, 1 where the family is away, 2 where this address was tried lately: for a stable sort."""
        since_s = self._monotonic() - REMEMBERED_S
        if self._failed.get(address, since_s) > since_s:
            return 2
        family = self._families[_is_v6(address)]
        for known in [one for one, at_s in family.items() if at_s <= since_s]:
            del family[known]
        return int(len(family) >= FAMILY_FAILURES)


def alternating(addresses: Iterable[str]) -> tuple[str, ...]:
    """Both families in turn, IPv4 first: receivers ask more of who writes over IPv6."""
    families: tuple[list[str], list[str]] = ([], [])
    for address in addresses:
        families[_is_v6(address)].append(address)
    return tuple(one for pair in zip_longest(*families) for one in pair if one is not None)


def _is_v6(address: str) -> bool:
    return ":" in address
