"""A relay worker, put together."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from mailgov.config import ConfigError
from mailgov.config.parts import SNAPSHOT_FILE, build_policy, load_policy
from mailgov.identity.passwords import PasswordChecker
from mailgov.relay.attempt import Attempt
from mailgov.relay.clock import Clock
from mailgov.relay.contents.rspamd import password_of
from mailgov.relay.dns import Resolver
from mailgov.relay.listener import Listener
from mailgov.relay.login import checking
from mailgov.relay.login import password_of as login_password
from mailgov.relay.node import DirectoryView, Node, PolicyView
from mailgov.relay.reload import DeliveryReload, SettingsUnusable
from mailgov.relay.route import RouteError, Router
from mailgov.relay.scheduler import Scheduler
from mailgov.relay.sign import signer_of, weak_keys
from mailgov.relay.tls import CertificateError, server_context
from mailgov.relay.tls_out.handshake import authorities
from mailgov.relay.worker import RelayWorker
from mailgov.settings import Settings
from mailgov.store.guard import Guard
from mailgov.store.snapshot_file import load_file
from mailgov.store.spool import Spool
from mailgov.store.tallies import SignInTally

if TYPE_CHECKING:
    from mailgov.relay.ledger_side import LedgerSide

THREADS = 8
"""For files, DNS-free look-ups and CPU work on large bodies; each is short."""


def build_listeners(settings: Settings) -> dict[str, Listener]:
    """The rules of each listener. Raises ConfigError, also for submission without TLS."""
    try:
        context = server_context(settings.tls)
    except CertificateError as error:
        raise ConfigError(str(error)) from None
    smtp = settings.smtp
    if context is None and (smtp.submission or smtp.submissions):
        raise ConfigError("key tls.certificate: submission needs a certificate and a key")
    listeners = {
        name: Listener(name, tls_context=context)
        for name in ("mx", "submission", "submissions")
        if getattr(smtp, name) is not None
    }
    for number, trusted in enumerate(smtp.trusted):
        listeners[f"trusted.{number}"] = Listener(
            "trusted", trusted_networks=tuple(trusted.networks), trusted_account=trusted.account
        )
    return listeners


def spool_numbers(settings: Settings, index: int, count: int) -> list[int]:
    """The spools that worker `index` of `count` holds: its own first, then those left by a larger crew."""
    root = settings.data_dir / "spool"
    present = sorted(int(p.name) for p in root.iterdir() if p.name.isdigit()) if root.is_dir() else []
    return [index] + [number for number in present if number >= count and number % count == index]


def build_router(settings: Settings, resolver: Resolver) -> Router:
    """Where mail goes. Raises ConfigError for a route that is none, and for a login that is not readable."""
    try:
        mx = settings.smtp.mx
        router = Router(
            settings.delivery, resolver, settings.hostname, own_ports=() if mx is None else (mx.port,)
        )
    except RouteError as error:
        raise ConfigError(str(error)) from None
    for login in settings.delivery.logins:
        try:
            login_password(login)
            checking(login.ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError(f"key delivery.logins: {login.at}: {error}") from None
    return router


def check_relay(settings: Settings) -> tuple[str, ...]:
    """All that a relay worker would refuse; warnings come back.

    Raises ConfigError or PolicyError with one line that says where the fault is.
    """
    build_listeners(settings)
    build_router(settings, Resolver(settings.dns))
    check_files(settings)
    return build_policy(settings).warnings


def check_files(settings: Settings) -> None:
    """What else the settings name must be readable, and strong. Raises ConfigError."""
    try:
        password_of(settings.rspamd)
    except (OSError, ValueError) as error:
        raise ConfigError(f"key rspamd.password_file: {error}") from None
    check_authorities(settings)
    if weak := weak_keys(settings.data_dir):
        raise ConfigError(weak[0])


def check_authorities(settings: Settings) -> None:
    """Whom certificates of other servers are believed from must be readable. Raises ConfigError."""
    files = {"tls_out.ca_file": settings.tls_out.ca_file}
    files |= {f"tls_out.minimum.{name}": one.ca_file for name, one in settings.tls_out.minimum.items()}
    for key, file in files.items():
        try:
            if file is not None:
                authorities.__wrapped__(file)  # as it is now, whatever is remembered of it
        except OSError as error:
            raise ConfigError(f"key {key}: {file}: {error.strerror or error}") from None


def build_relay(settings: Settings, index: int, count: int, reread: Callable[[], Settings]) -> RelayWorker:
    """Relay worker `index` of `count`; `reread` gives the settings as the file has them later. Blocks.

    Raises ConfigError and PolicyError, with one line that says where the fault is, for all that can be
    known to be wrong beforehand; SpoolHeld and OSError for what may pass.
    """
    clock = Clock()
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="relay")
    resolver = Resolver(settings.dns)
    listeners = build_listeners(settings)
    router = build_router(settings, resolver)
    check_files(settings)
    policy, policy_files = load_policy(settings)
    spools = _open_spools(settings, executor, clock, spool_numbers(settings, index, count))
    node = Node(
        settings=settings,
        clock=clock,
        directory=DirectoryView(load_file(settings.data_dir / SNAPSHOT_FILE), clock.monotonic),
        policy=PolicyView(policy),
        resolver=resolver,
        guard=Guard.open(settings.data_dir / "guard.sqlite"),
        spool=spools[0],
        signer=signer_of(settings),
        passwords=PasswordChecker(
            os.urandom(32), clock.monotonic, queue_limit=settings.sign_in.waiting_limit
        ),
        executor=executor,
        sign_ins=SignInTally(settings.province.timezone),
    )

    def load() -> tuple[Settings, Router]:
        try:
            again = reread()
            check_authorities(again)
            return again, build_router(again, resolver)
        except ConfigError as error:
            raise SettingsUnusable(str(error)) from None

    scheduler = Scheduler(node, spools, Attempt(node, router))
    reloads = DeliveryReload(node, scheduler, load)

    def ledger_side() -> LedgerSide:
        from mailgov.config.ledger_side import build_ledger_side

        return build_ledger_side(node, spools, scheduler, policy_files, f"relay.{index}")

    return RelayWorker(node, spools, listeners, scheduler, reloads, ledger_side)


def _open_spools(settings: Settings, executor: Executor, clock: Clock, numbers: list[int]) -> list[Spool]:
    spools: list[Spool] = []
    try:
        for number in numbers:  # not a comprehension: what is open already must be closed on a fault
            spools.append(  # noqa: PERF401 - as above
                Spool.open(
                    settings.data_dir / "spool" / str(number),
                    settings=settings.spool,
                    executor=executor,
                    new_id=secrets.token_hex(16),
                    now_ms=clock.now_ms(),
                )
            )
    except BaseException:
        for spool in spools:
            spool.close()
        raise
    return spools
