"""Prometheus' text format, made anew for each scrape from what the ledger knows.

Workers are other processes: they tell the ledger their counters every few seconds, so one
scrape of any API process sees all of them. No label names a person, an address or an agency.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailgov.store import status
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.status import Totals, Worker
from mailgov.usage.held import HeldLedger

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH_MS = 30_000
"""A worker speaks every 2 s; one that was silent this long is taken to be down."""
KNOWN_MS = 86_400_000
"""Workers silent for a day are no longer listed: they were renamed or taken away."""
DOOR_MS = 3_600_000
"""Refusals at the door are shown for the last hour: their table is pruned, so it cannot count on."""
NAMES_LIMIT = 200
"""Counters of one worker that are shown; it has about 40."""

EXPIRES = "certificate_expires_s"
"""A relay worker's counter with the end of its certificate, Unix time (`relay.certificate`)."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}\Z")
_GAUGES = re.compile(r"(sessions|in_flight|ledger_up|dkim_keys_not_published|spool_[a-z_]+)\Z")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the ledger showed, at `now_ms`."""

    now_ms: int
    workers: tuple[Worker, ...]
    totals: Totals
    door: Mapping[tuple[str, str], int]


async def look(db: Database, now_ms: int) -> Seen | None:
    """Read it all in one transaction; None when the ledger cannot be reached."""
    try:
        async with db.read() as session:
            held = HeldLedger(db, session)
            return Seen(
                now_ms,
                tuple(await status.workers(held, now_ms - KNOWN_MS)),
                await status.totals(held),
                await status.door_totals(held, now_ms - DOOR_MS),
            )
    except LedgerUnavailable:
        return None


class _Ledger(Collector):
    """What was seen, as metric families."""

    def __init__(self, seen: Seen | None) -> None:
        self._seen = seen

    def collect(self) -> Iterable[Metric]:
        """The families; with the ledger away only that it is."""
        up = 0 if self._seen is None else 1
        yield GaugeMetricFamily("mailgov_ledger_up", "1 while the ledger can be read", value=up)
        if self._seen is not None:
            yield from _of_workers(self._seen)
            yield from _of_ledger(self._seen)


def exposition(seen: Seen | None) -> bytes:
    """The whole answer to a scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(seen))
    return generate_latest(registry)


def _of_workers(seen: Seen) -> Iterator[Metric]:
    names = ["node", "worker"]
    up = GaugeMetricFamily("mailgov_worker_up", "1 for a worker that spoke lately", labels=names)
    policy = GaugeMetricFamily(
        "mailgov_worker_policy_ok", "0 while the newest policy files were not taken", labels=names
    )
    started = GaugeMetricFamily(
        "mailgov_worker_start_time_seconds", "When the worker started, Unix time", labels=names
    )
    revision = GaugeMetricFamily(
        "mailgov_worker_directory_revision", "The directory that the worker answers from", labels=names
    )
    expiry = GaugeMetricFamily(
        "mailgov_certificate_expiry_seconds", "Seconds until the certificate in use expires", labels=names
    )
    events = CounterMetricFamily(
        "mailgov_worker_events", "What the worker has done since it started", labels=[*names, "event"]
    )
    state = GaugeMetricFamily("mailgov_worker_state", "What the worker has at hand", labels=[*names, "name"])
    for worker in seen.workers:
        labels = [worker.node, worker.worker]
        up.add_metric(labels, float(seen.now_ms - worker.at_ms <= FRESH_MS))
        if worker.relays:
            policy.add_metric(labels, float(worker.policy_error is None))
        started.add_metric(labels, worker.started_ms / 1000)
        revision.add_metric(labels, worker.directory_revision)
        if EXPIRES in worker.counters:
            expiry.add_metric(labels, worker.counters[EXPIRES] - seen.now_ms / 1000)
        for name, value in sorted(worker.counters.items())[:NAMES_LIMIT]:
            if _NAME.match(name) and name != EXPIRES:
                (state if _GAUGES.match(name) else events).add_metric([*labels, name], value)
    yield from (up, policy, started, revision, expiry, events, state)


def _of_ledger(seen: Seen) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "mailgov_queue_recipients", "Recipients that wait, by state", labels=["state"]
    )
    for name, count in seen.totals.waiting.items():
        waiting.add_metric([name], count)
    yield waiting
    for name, value, says in (
        ("mailgov_unapplied_events", seen.totals.unapplied_events, "Traffic events set aside: should be 0"),
        ("mailgov_outgoing_mail", seen.totals.outgoing, "Mail of our own that no relay has taken in"),
        ("mailgov_commands_waiting", seen.totals.commands, "Acts on the queue that no worker has answered"),
    ):
        yield GaugeMetricFamily(name, says, value=value)
    door = GaugeMetricFamily(
        "mailgov_door_refusals", "Refusals at the door in the last hour", labels=["listener", "reason"]
    )
    for labels, count in sorted(seen.door.items()):
        door.add_metric(list(labels), count)
    yield door
