"""Reading mail, put together."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mailgov.config import ConfigError
from mailgov.config.parts import open_database
from mailgov.imap.configuration import PathError, check_paths
from mailgov.imap.programs import ImapUnavailable, find_programs
from mailgov.relay.tls import CertificateError, server_context
from mailgov.settings import Settings

if TYPE_CHECKING:
    from mailgov.imap.service import ImapService

GUARD_FILE = "guard.sqlite"
THREADS = 4
"""For the guard's file, whose calls are short."""


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
    from mailgov.config.parts import SNAPSHOT_FILE
    from mailgov.identity.gate import SignInGate
    from mailgov.identity.passwords import PasswordChecker
    from mailgov.identity.protection import SignInProtection
    from mailgov.imap.service import ImapService
    from mailgov.relay.node import DirectoryView
    from mailgov.store.guard import Guard
    from mailgov.store.snapshot_file import load_file
    from mailgov.store.tallies import SignInTally

    try:
        programs = find_programs()
    except ImapUnavailable as error:
        raise ConfigError(str(error)) from None

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    protection = SignInProtection(Guard.open(settings.data_dir / GUARD_FILE), settings.sign_in)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gate")
    return ImapService(
        settings=settings,
        programs=programs,
        directory=DirectoryView(load_file(settings.data_dir / SNAPSHOT_FILE), time.monotonic),
        passwords=PasswordChecker(os.urandom(32), time.monotonic),
        guesses=SignInGate(protection, threads, now_ms),
        db=open_database(settings),
        now_ms=now_ms,
        sign_ins=SignInTally(settings.province.timezone),
    )
