"""Reading mail: the gate, the Dovecot behind it, and the watch that puts out who may no longer be in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

import structlog
import uvicorn

from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker
from mailgov.imap import configuration
from mailgov.imap.configuration import PathError, Served
from mailgov.imap.dovecot import DoveadmError, Dovecot, runtime_folder
from mailgov.imap.gate import Gate
from mailgov.imap.programs import Programs
from mailgov.relay.auth import closed_to
from mailgov.relay.certificate import INTERVAL_S as CERTIFICATE_S
from mailgov.relay.certificate import CertificateFiles
from mailgov.relay.follow import DirectoryFollower
from mailgov.relay.node import Counters, DirectoryView
from mailgov.relay.tls import CertificateError, server_context
from mailgov.settings import Listen, Settings
from mailgov.store import status
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.entries import Snapshot
from mailgov.store.tallies import SignInTally

log = structlog.get_logger()

FOLLOW_S = 1.0
REPORT_S = 2.0
RESTART_S = 1.0
WORKER = "imap"
FOLDER = "imap"
"""In the data folder: Dovecot's files, made anew at each start."""

Sockets = Mapping[str, tuple[socket.socket, ...]]


def shut_out(old: Snapshot, new: Snapshot) -> frozenset[str]:
    """The accounts whose sign-in under `old` opens nothing under `new`: closed, gone, or another password."""
    return frozenset(
        address
        for address, entry in old.accounts.items()
        if closed_to(old, entry) is None
        and (
            closed_to(new, new.account(address)) is not None
            or new.accounts[address].password_hash != entry.password_hash
        )
    )


@dataclass(slots=True)
class ImapService:
    """Built by `mailgov.config`; `start`, then `stop`. Dovecot is started again when it dies."""

    settings: Settings
    programs: Programs
    directory: DirectoryView
    passwords: PasswordChecker
    guesses: SignInGate
    db: Database
    now_ms: Callable[[], int]
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    counters: Counters = field(default_factory=Counters)
    sign_ins: SignInTally = field(default_factory=SignInTally)
    _server: uvicorn.Server | None = None
    _dovecot: Dovecot | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _putting_out: frozenset[str] = frozenset()
    _started_ms: int = 0

    async def start(self, sockets: Sockets) -> None:
        """Serve on the listening `sockets` (imap, imaps, imap.gate), which stay the caller's.

        Raises OSError, PathError and TimeoutError where Dovecot does not come up.
        """
        self._started_ms = self.now_ms()
        files = CertificateFiles(self.settings.tls)
        follower = DirectoryFollower(self.directory, self.db, self.now_ms)
        await self._look(follower)
        self._tasks.append(asyncio.ensure_future(self._serve_gate(sockets["imap.gate"])))
        await self._start_dovecot(sockets)
        self._tasks += [
            asyncio.ensure_future(work)
            for work in (
                _every(RESTART_S, lambda: self._revive(sockets)),
                _every(FOLLOW_S, lambda: self._look(follower)),
                _every(REPORT_S, self._report),
                _every(CERTIFICATE_S, lambda: self._look_at_certificate(files)),
            )
        ]
        log.info("imap ready", runtime=str(self._running.served.runtime))

    async def stop(self) -> None:
        """End every session, say the last words to the ledger."""
        gate, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._running.stop()
        if self._server is not None:
            self._server.should_exit = True
            await asyncio.wait([gate], timeout=5.0)
        await self._report()
        self.passwords.close()
        await self.db.dispose()

    async def reload(self) -> None:
        """SIGHUP, and a change of the files: the certificate anew; what cannot be used leaves the old one."""
        try:
            # Dovecot would take what it is given, and then fail each handshake.
            await asyncio.to_thread(server_context, self.settings.tls)
        except CertificateError as error:
            log.error("certificate not loaded, the old one stays", problem=str(error))
            return
        self._running.reload()
        log.info("certificate loaded")

    async def _look_at_certificate(self, files: CertificateFiles) -> None:
        if await asyncio.to_thread(files.changed):
            await self.reload()

    # --- Dovecot --------------------------------------------------------------------------

    @property
    def _running(self) -> Dovecot:
        assert self._dovecot is not None, "started"
        return self._dovecot

    async def _start_dovecot(self, sockets: Sockets) -> None:
        folder = self.settings.data_dir / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        imaps = sockets.get("imaps", ())
        served = Served(
            settings=self.settings.imap,
            tls=self.settings.tls,
            account=self.programs.account,
            gate=configuration.Gate(_place(sockets["imap.gate"][0]), self.secret),
            folder=folder,
            runtime=runtime_folder(folder),
            imap=_place(sockets["imap"][0]),
            imaps=_place(imaps[0]) if imaps else None,
        )
        self._dovecot = Dovecot(self.programs, served, (*sockets["imap"], *imaps))
        try:
            await self._dovecot.start()
        except BaseException:
            await self._dovecot.stop()
            raise

    async def _revive(self, sockets: Sockets) -> None:
        """Wait for Dovecot's end, and start it again."""
        code = await self._running.wait()
        log.error("Dovecot died", code=code)
        await self._running.stop()
        await self._start_dovecot(sockets)

    async def _serve_gate(self, listening: tuple[socket.socket, ...]) -> None:
        gate = Gate(
            self.directory, self.passwords, self.guesses, self.counters, self.sign_ins,
            data_dir=self.settings.data_dir, secret=self.secret, now_ms=self.now_ms,
        )  # fmt: skip
        self._server = _Server(
            uvicorn.Config(
                gate.app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
                timeout_graceful_shutdown=2, timeout_keep_alive=30, lifespan="off",
                limit_concurrency=2 * configuration.GATE_CONNECTIONS,
            )
        )  # fmt: skip
        await self._server.serve(sockets=list(listening))

    # --- the directory --------------------------------------------------------------------

    async def _look(self, follower: DirectoryFollower) -> None:
        """Take the directory as it is now, and put out whom it no longer lets in.

        They are put out in the next round once more: a sign-in that was judged by the old
        directory may have become a session only after the first time.
        """
        before = self.directory.snapshot
        try:
            after = await follower.round()
        except LedgerUnavailable as error:
            log.debug("directory not confirmed", cause=str(error))
            after = None
        changed = frozenset() if after is None else shut_out(before, after)
        self._putting_out |= changed  # and nobody is forgotten if it fails now
        if self._putting_out and self._dovecot is not None:
            await self._dovecot.put_out(self._putting_out)
        self._putting_out = changed

    # --- the ledger -----------------------------------------------------------------------

    async def _report(self) -> None:
        """Sign-ins and refusals to the ledger; what it does not take now it takes later."""
        door, sign_ins = self.counters.take_door(), self.sign_ins.take()
        try:
            await status.report(
                self.db,
                node=self.settings.hostname,
                worker=WORKER,
                pid=os.getpid(),
                now_ms=self.now_ms(),
                started_ms=self._started_ms,
                policy_hash=None,
                policy_error=None,
                directory_revision=self.directory.snapshot.revision,
                counters=dict(self.counters.values),
                door=door,
                sign_ins=sign_ins,
            )
        except LedgerUnavailable:
            self.counters.give_door(door)
            self.sign_ins.give(sign_ins)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again; what goes wrong is logged and tried again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except (DoveadmError, PathError, OSError, TimeoutError) as error:
            log.error("not done, tried again", cause=str(error))
        except Exception as error:  # a fault of ours must not end the watch
            log.error("background task failed", exc_info=error)


class _Server(uvicorn.Server):
    """Without its own signal handling: the process has one already."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _place(listening: socket.socket) -> Listen:
    host, port = listening.getsockname()[:2]
    return Listen(str(host), int(port))
