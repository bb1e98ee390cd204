"""A look at the whole installation: what would stop mail, or make it less safe, and what to do about it."""

from __future__ import annotations

import asyncio
import shutil
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from mailgov.admin import backups
from mailgov.admin.context import Actor, AdminContext, require
from mailgov.admin.errors import AdminError
from mailgov.admin.policies import read_policy
from mailgov.admin.rotation import is_over
from mailgov.identity.roles import Act
from mailgov.mail.address import key_of
from mailgov.ops import running
from mailgov.relay.certificate import certificate_problems, names_missing
from mailgov.relay.contents.clamd import Clamd
from mailgov.relay.contents.rspamd import Rspamd, password_of
from mailgov.relay.contents.scanners import shown
from mailgov.relay.contents.turn import Unavailable
from mailgov.relay.dns import Resolver
from mailgov.relay.key_records import Published, look_up
from mailgov.settings import Settings
from mailgov.store import agencies, directory, dkim_keys, queue, status
from mailgov.store.directory import Session
from mailgov.store.dkim_keys import DkimKeyView
from mailgov.store.engine import current_revision, head_revision
from mailgov.store.ledger import unapplied_count

Level = Literal["problem", "warning"]
PROBE = b"Subject: mailgov doctor\r\n\r\nA message to see whether the service answers.\r\n"
ROOM_BYTES = 1_073_741_824
"""Free on the disk of the data; below it a day's mail may not fit."""
NAMES_ASKED = 50
"""Of the DNS, one after the other; a province has a few domains."""
NO_DNS = "no answer: who writes in is not checked, mail under our names is put off, nothing goes out"
NO_DMARC = "no DMARC record is there: whatever claims to be ours from outside is refused, true or not"
NO_KEY = "the key that signs our mail is not there: others take its signatures for broken"
NO_RSA = "Ed25519 alone signs its mail, which many receivers do not know: mailgov dkim generate"
WAITING_KEY = "a new key signs nothing until it is there"
KEY_GONE = "a key that signed mail which may still be on its way is not there"
OLD_KEY = "the last mail that this key signed has arrived: take it out of the DNS"
LATE_S = 14_400.0
"""Where no sender hears of a delay."""
SILENT_MS = 30_000
"""Workers speak every few seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`problem`: mail stops, or is in danger; `warning`: not as one would have it in use."""

    level: Level
    place: str
    detail: str


async def doctor(ctx: AdminContext, actor: Actor, settings_file: Path) -> list[Finding]:
    """Everything that is found, problems first; none is the answer hoped for."""
    require(actor, Act.DATA_VERIFY)
    settings = ctx.settings
    found = [*_files(settings, settings_file), *_settings(settings), *_policy(settings)]
    found += _certificate(ctx)
    found += await _ledger(ctx)
    found += await _services(settings)
    return sorted(found, key=lambda one: one.level)


def _files(settings: Settings, settings_file: Path) -> Iterator[Finding]:
    keys = sorted((settings.data_dir / "keys" / "dkim").glob("*/*.pem"))
    for key in [*([settings.tls.key] if settings.tls.key is not None else []), *keys]:
        if key.exists() and key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding("warning", str(key), "others than its owner may read it: chmod 600")
    if urlsplit(settings.database.url).password and settings_file.stat().st_mode & stat.S_IRWXO:
        yield Finding("warning", str(settings_file), "it holds a password, and all may read it: chmod 640")
    yield from _room(settings)


def _room(settings: Settings) -> Iterator[Finding]:
    """Of each disk once: queues and mailboxes may have disks of their own."""
    places, disks = [settings.data_dir], set[int]()
    places += sorted((settings.data_dir / "spool").glob("[0-9]*"))
    for place in [*places, settings.data_dir / "mail"]:
        if not place.exists() or place.stat().st_dev in disks:
            continue
        disks.add(place.stat().st_dev)
        free = shutil.disk_usage(place).free
        if free < ROOM_BYTES:
            told = f"{free // 1_048_576} MB are free on its disk: make room, or new mail is put off"
            level: Level = "problem" if free < settings.spool.reserve_bytes else "warning"
            yield Finding(level, str(place), told)


def _certificate(ctx: AdminContext) -> Iterator[Finding]:
    for one in certificate_problems(ctx.settings.tls, ctx.now_ms()):
        yield Finding("warning" if ": expires " in one else "problem", "certificate", one)
    hostname = ctx.settings.hostname
    if (names := names_missing(ctx.settings.tls, hostname)) is not None:
        told = f"it does not name {hostname}, under which mail programs look for us; its names: {names}"
        yield Finding("problem", "certificate", told)


def _settings(settings: Settings) -> Iterator[Finding]:
    smtp, delivery = settings.smtp, settings.delivery
    if settings.tls.certificate is None and (smtp.submission or smtp.submissions):
        yield Finding("problem", "tls.certificate", "none is set: nobody can sign in to send mail")
    if settings.demo.sink is not None:
        yield Finding("warning", "demo.sink", "this is a rehearsal: mail for outside ends in a sink here")
    if delivery.allow_networks:
        told = "mail may be led to private networks of ours: for tests and rehearsals only"
        yield Finding("warning", "delivery.allow_networks", told)
    host = urlsplit(settings.http.public_url).hostname or ""
    if settings.demo.sink is None and (host == "localhost" or host.startswith("127.") or host == "::1"):
        told = f"links in refusals lead to {host}, each reader's own machine: name the service's address"
        yield Finding("warning", "http.public_url", told)


def _policy(settings: Settings) -> Iterator[Finding]:
    try:
        policy = read_policy(settings)
    except AdminError as error:
        yield Finding("problem", "policy", error.detail)
        return
    for one in policy.warnings:
        yield Finding("warning", "policy", one)


async def _ledger(ctx: AdminContext) -> list[Finding]:
    there, newest = await current_revision(ctx.db), head_revision()
    if there != newest:
        told = f"its schema is {there}, this version's is {newest}: start mailgov serve, which brings it up"
        return [Finding("problem", "ledger", told)]
    async with ctx.db.read() as session:
        domains = [one.name for one in await directory.list_domains(session) if one.disabled_ms is None]
        keys = [key for key in await dkim_keys.list_keys(session) if key.domain in domains]
        reports = ctx.settings.reports.mailbox
        reached = not reports or await directory.holder(session, reports) is not None
        limits = [name for name in ctx.settings.delivery.mailbox_limits if not await _known(session, name)]
    unsigned = "no DKIM key signs its mail: mailgov dkim generate, then publish what mailgov dns print says"
    signing = {key.domain for key in keys if key.state == "active"}
    found = [Finding("problem", name, unsigned) for name in domains if name not in signing]
    by_rsa = {key.domain for key in keys if key.state == "active" and key.algorithm == "rsa"}
    found += [Finding("warning", name, NO_RSA) for name in domains if name in signing - by_rsa]
    found += await _published(ctx, domains, keys)
    found += await _queue(ctx)
    if not reached:
        told = f"{reports} is no mailbox or alias here: no report about our mail is ever read"
        found.append(Finding("warning", "reports.mailbox", told))
    told = "no account has this address and no agency this code: the limit holds for nobody"
    found += [Finding("warning", f"delivery.mailbox_limits.{name}", told) for name in limits]
    found += [Finding("problem", "DKIM", one) for one in await backups.key_problems(ctx)]
    seen_ms = max((one.at_ms for one in await status.workers(ctx.db) if one.relays), default=0)
    if ctx.now_ms() - seen_ms > SILENT_MS:
        found.append(_silent(ctx))
    return found


def _silent(ctx: AdminContext) -> Finding:
    silent = "no relay worker spoke in the last 30 s"
    if running.serves(ctx.settings.data_dir):
        return Finding("problem", "serve", f"it runs, but {silent}: no mail is taken, and its log says why")
    return Finding("warning", "serve", f"{silent}: it does not run")


async def _known(session: Session, name: str) -> bool:
    """Whether a name in `delivery.mailbox_limits` is somebody's."""
    if "@" in name:
        return await directory.holder(session, key_of(name)) == "account"
    return await agencies.code_of(session, name) is not None


async def _queue(ctx: AdminContext) -> list[Finding]:
    """What waits for a person, or longer than its sender should have to bear without somebody looking."""
    found = []
    late_s = int(ctx.settings.delivery.delay_report_s or LATE_S)
    age = f"{late_s // 3600}h" if late_s % 3600 == 0 else f"{late_s}s"
    late = queue.QueueFilter(states=("deferred",), until_ms=ctx.now_ms() - late_s * 1000)
    for wanted, what, where in (
        (queue.QueueFilter(states=("held",)), "held", "--state held"),
        (late, f"deferred for over {age}", f"--state deferred --older-than {age}"),
    ):
        recipients, _ = await queue.count(ctx.db, wanted)
        if recipients:
            told = f"recipients {what}: {recipients}; see mailgov queue list {where}"
            found.append(Finding("warning", "queue", told))
    if aside := await unapplied_count(ctx.db):
        told = f"traffic events that could not be applied: {aside} (table unapplied_event): figures lack them"
        found.append(Finding("warning", "ledger", told))
    return found


async def _published(ctx: AdminContext, domains: list[str], keys: list[DkimKeyView]) -> list[Finding]:
    """What the DNS says of our domains; a rehearsal's need not be there."""
    resolver, rehearsal = Resolver(ctx.settings.dns), ctx.settings.demo.sink is not None
    silent: Level = "warning" if rehearsal else "problem"
    found: list[Finding] = []
    for name in [f"_dmarc.{name}" for name in domains[:NAMES_ASKED]]:
        asked = await resolver.records(name, "TXT")
        if asked.status == "temporary":
            return [*found, Finding(silent, "dns", f"{NO_DNS} ({name})")]
        if not rehearsal and not any("v=DMARC1" in value.replace(" ", "") for value in asked.values):
            found.append(Finding("warning", name, f"{NO_DMARC}: publish what mailgov dns print says"))
    for key in [key for key in keys if key.state != "withdrawn"][:NAMES_ASKED]:
        shown = await look_up(resolver, key)
        if shown.standing == "unknown":
            return [*found, Finding(silent, "dns", f"{NO_DNS} ({key.record_name})")]
        if not rehearsal and (told := _key_told(key, shown, ctx.now_ms())):
            found.append(Finding("warning", key.record_name, told))
    return found


def _key_told(key: DkimKeyView, shown: Published, now_ms: int) -> str | None:
    """What is to be said of a key: one that signs, waits or signed, and what the DNS has of it."""
    if is_over(key, now_ms):
        return None if shown.standing == "missing" else OLD_KEY
    if shown.good:
        return None
    told = {"active": NO_KEY, "pending": WAITING_KEY, "retired": KEY_GONE}[key.state]
    return f"{told} ({shown.standing}: {shown.detail}): publish what mailgov dns print says"


async def _services(settings: Settings) -> list[Finding]:
    """Each service that is set up gets a small message to look at."""
    found = []
    if settings.clamd.address:
        asked = Clamd(settings.clamd, time.monotonic).scan(_probe, len(PROBE))
        found += await _answers("clamd", settings.clamd.address, asked)
    if settings.rspamd.url:
        try:
            password = await asyncio.to_thread(password_of, settings.rspamd)
        except (OSError, ValueError) as error:
            return [*found, Finding("problem", "rspamd", str(error))]
        found += await _answers(
            "rspamd",
            shown(settings.rspamd.url),
            Rspamd(settings.rspamd, password, time.monotonic).check((), _probe, len(PROBE)),
        )
    return found


async def _answers(name: str, address: str, asked: Awaitable[object]) -> list[Finding]:
    try:
        await asked
    except Unavailable as error:
        return [Finding("problem", name, f"at {address} gives no verdict: {error}")]
    return []


async def _probe(_limit: int) -> AsyncIterator[bytes]:
    yield PROBE
