"""Reading mail, put together."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mailgov.config import ConfigError
from mailgov.config.parts import open_database
from mailgov.imap.configuration import PathError, check_paths
from mailgov.imap.programs import ImapUnavailable, find_programs
from mailgov.relay.tls import CertificateError, server_context
from mailgov.settings import Listen, Settings

if TYPE_CHECKING:
    from mailgov.imap.service import ImapService

GATE = "imap.gate"
"""The listener that Dovecot alone asks; on any free port of loopback."""


def imap_listener_names(settings: Settings) -> dict[str, Listen]:
    """The listening addresses of IMAP by name, and the gate's."""
    named = {"imap": settings.imap.listen, "imaps": settings.imap.imaps, GATE: Listen("127.0.0.1", 0)}
    return {name: place for name, place in named.items() if place is not None}


def check_imap(settings: Settings) -> None:
    """Raises ConfigError where IMAP cannot be served, with one line that says why."""
    try:
        find_programs()
        context = server_context(settings.tls)
        check_paths(settings)
    except (ImapUnavailable, CertificateError, PathError) as error:
        raise ConfigError(str(error)) from None
    if context is None:
        raise ConfigError("key tls.certificate: IMAP needs a certificate and a key")


def build_imap(settings: Settings) -> ImapService:
    """Blocks; raises ConfigError and OSError."""
    from mailgov.config.relay import SNAPSHOT_FILE
    from mailgov.identity.passwords import PasswordChecker
    from mailgov.imap.service import ImapService
    from mailgov.relay.node import DirectoryView
    from mailgov.store.sign_ins import SignInTally
    from mailgov.store.snapshot_file import load_file

    try:
        programs = find_programs()
    except ImapUnavailable as error:
        raise ConfigError(str(error)) from None
    return ImapService(
        settings=settings,
        programs=programs,
        directory=DirectoryView(load_file(settings.data_dir / SNAPSHOT_FILE), time.monotonic),
        passwords=PasswordChecker(os.urandom(32), time.monotonic),
        db=open_database(settings),
        now_ms=lambda: time.time_ns() // 1_000_000,
        sign_ins=SignInTally(settings.province.timezone),
    )
