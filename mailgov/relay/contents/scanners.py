"""The services that look into messages, as the settings name them."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from mailgov.relay.contents.clamd import Clamd
from mailgov.relay.contents.rspamd import Rspamd, password_of
from mailgov.relay.contents.turn import Changed
from mailgov.settings import Settings

log = structlog.get_logger()


class Scanners:
    """What is set up; None where it is not."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float]) -> None:
        """Read rspamd's password. Raises OSError and ValueError for a file that holds none."""
        clamd, rspamd = settings.clamd, settings.rspamd
        self.clamd = Clamd(clamd, monotonic, _tells("clamd", clamd.address)) if clamd.address else None
        self.rspamd = (
            Rspamd(rspamd, password_of(rspamd), monotonic, _tells("rspamd", shown(rspamd.url)))
            if rspamd.url
            else None
        )


def shown(url: str) -> str:
    """The URL without what may be a name and a password in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def _tells(service: str, address: str) -> Changed:
    """One line when a service stops answering, and one when it answers again."""

    def changed(cause: str | None) -> None:
        if cause is None:
            log.info(f"{service} answers again", address=address)
        else:
            log.error(f"{service} does not answer", address=address, cause=cause)

    return changed
