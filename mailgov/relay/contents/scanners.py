"""The services that look into messages, as the settings name them."""

from __future__ import annotations

from collections.abc import Callable

from mailgov.relay.contents.clamd import Clamd
from mailgov.settings import Settings


class Scanners:
    """What is set up; None where it is not."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float]) -> None:
        self.clamd = Clamd(settings.clamd, monotonic) if settings.clamd.address else None
