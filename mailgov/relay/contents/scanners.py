"""The services that look into messages, as the settings name them."""

from __future__ import annotations

from collections.abc import Callable

from mailgov.relay.contents.clamd import Clamd
from mailgov.relay.contents.rspamd import Rspamd, password_of
from mailgov.settings import Settings


class Scanners:
    """What is set up; None where it is not."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float]) -> None:
        """Read rspamd's password. Raises OSError and ValueError for a file that holds none."""
        clamd, rspamd = settings.clamd, settings.rspamd
        self.clamd = Clamd(clamd, monotonic) if clamd.address else None
        self.rspamd = Rspamd(rspamd, password_of(rspamd), monotonic) if rspamd.url else None
