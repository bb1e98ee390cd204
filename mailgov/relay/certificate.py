"""The certificate in use: a renewed one is taken by itself, and one that runs out is heard of in time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from datetime import UTC, datetime

import structlog
from cryptography import x509

from mailgov.relay.alarm import CERTIFICATE, alarm
from mailgov.relay.node import Node
from mailgov.relay.tls import CertificateError, reload_certificate
from mailgov.settings import TlsSettings
from mailgov.store import sending
from mailgov.store.calendar import local_date
from mailgov.store.spool import Change, SpoolError

log = structlog.get_logger()

INTERVAL_S = 60.0
WARN_DAYS = 21
"""ACME clients renew 30 days before the end: nine days of failures are more than a bad night."""
DAY_MS = 86_400_000
EXPIRES = "certificate_expires_s"
"""The counter that carries the end of the certificate in use to the metrics, Unix time."""


def expires_s(settings: TlsSettings) -> int | None:
    """When the certificate on disk ends, Unix time; None without one. Raises CertificateError."""
    if settings.certificate is None:
        return None
    try:
        certificate = x509.load_pem_x509_certificates(settings.certificate.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise CertificateError(f"tls.certificate {settings.certificate}: {error}") from None
    return int(certificate.not_valid_after_utc.timestamp())


def certificate_problems(settings: TlsSettings, now_ms: int) -> list[str]:
    """What is wrong with the certificate on disk, a line for each thing; for a check by the operator."""
    try:
        reload_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
        end_s = expires_s(settings)
    except CertificateError as error:
        return [str(error)]
    if end_s is None:
        return []
    end = datetime.fromtimestamp(end_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    left_ms = end_s * 1000 - now_ms
    if left_ms <= 0:
        return [f"tls.certificate {settings.certificate}: expired {end}"]
    if left_ms < WARN_DAYS * DAY_MS:
        return [f"tls.certificate {settings.certificate}: expires {end}, in {left_ms // DAY_MS} days"]
    return []


def names_missing(settings: TlsSettings, hostname: str) -> str | None:
    """The names in the certificate on disk where none of them is `hostname` (RFC 9525 6.3), else None."""
    if settings.certificate is None:
        return None
    try:
        certificate = x509.load_pem_x509_certificates(settings.certificate.read_bytes())[0]
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except (OSError, ValueError, x509.ExtensionNotFound):
        names = []
    wanted = hostname.lower()
    covered = {wanted, f"*.{wanted.partition('.')[2]}"}
    return None if covered & {name.lower() for name in names} else ", ".join(names) or "none"


class CertificateFiles:
    """The files that the settings name, and whether they are others than at the last look."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = self._stamp()

    def changed(self) -> bool:
        """True once for each change; also where a link is turned to another file. Reads from the disk."""
        stamp, seen = self._stamp(), self._seen
        self._seen = stamp
        return stamp != seen

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        found = []
        for path in (self._settings.certificate, self._settings.key):
            try:
                stat = path.stat() if path is not None else None
            except OSError:
                stat = None
            found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size) if stat is not None else None)
        return tuple(found)


class CertificateWatch:
    """Looks once a minute whether the files changed; sessions under way keep what they have."""

    def __init__(self, node: Node, contexts: Collection[ssl.SSLContext]) -> None:
        self._node, self._contexts = node, contexts
        self._tls = node.settings.tls
        self._files = CertificateFiles(self._tls)
        self._warned_ms: int | None = None
        self._problems: list[str] = []
        self._note_end()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.round()
            await asyncio.sleep(INTERVAL_S)

    async def round(self) -> None:
        """One look; never raises for the files."""
        loop, executor = asyncio.get_running_loop(), self._node.executor
        if await loop.run_in_executor(executor, self._files.changed):
            self.reload()
        await loop.run_in_executor(executor, self._warn)
        await self._note_problems()

    async def _note_problems(self) -> None:
        """Into the audit log what was warned of, by one worker of the node once a day."""
        problems, self._problems = self._problems, []
        if not problems:
            return
        node, path = self._node, str(self._tls.certificate)
        if not await asyncio.get_running_loop().run_in_executor(node.executor, self._first_today):
            return
        try:
            await node.spool.apply(
                Change(events=[alarm(node, CERTIFICATE, path, problem=one) for one in problems])
            )
        except SpoolError as error:
            log.error("alarm not kept", cause=str(error))

    def _first_today(self) -> bool:
        """True for one worker of the node."""
        now_ms = self._node.clock.now_ms()
        day = local_date(now_ms, self._node.settings.province.timezone).isoformat()
        return sending.first_time(self._node.guard, "told:certificate", day, now_ms)

    def reload(self) -> None:
        """Put what is on disk into use for new sessions; what cannot be used leaves the old one."""
        self._files.changed()  # what is there now is what is taken
        if not self._contexts:
            return
        try:
            for context in self._contexts:
                reload_certificate(context, self._tls)
        except CertificateError as error:
            log.error("certificate not loaded, the old one stays", problem=str(error))
            return
        self._note_end()
        log.info("certificate loaded")
        self._warned_ms = None
        self._warn()

    def _note_end(self) -> None:
        try:
            end_s = expires_s(self._tls)
        except CertificateError:
            return
        if end_s is not None:
            self._node.counters.values[EXPIRES] = end_s

    def _warn(self) -> None:
        """Once a day from `WARN_DAYS` before the end."""
        now_ms = self._node.clock.now_ms()
        if self._warned_ms is not None and now_ms - self._warned_ms < DAY_MS:
            return
        self._problems = certificate_problems(self._tls, now_ms)
        for problem in self._problems:
            self._warned_ms = now_ms
            log.warning("certificate needs care", problem=problem)
