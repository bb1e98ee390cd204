"""Does a long queue slow new mail? The same service beside itself, with many deferred messages and with none.

Both are filled and settled once, then run in turn, each pair in the other order, from the same folders: the
deferred ones wait for a next attempt hours ahead, as most of a queue that grew over a day does.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import cpu
from tests.bench.figures import Run, Spread, ratio
from tests.bench.load import send
from tests.bench.measure import quietly
from tests.bench.own import Mailgov
from tests.bench.report import shown, table
from tests.bench.shapes import Shape
from tests.bench.site import Site
from tests.support.mailgov_service import Service
from tests.support.processes import free_port, wait_until

AWAY = "away.test"
_DEFERRED = re.compile(r'^mailgov_queue_recipients\{state="deferred"\} (\S+)', re.MULTILINE)
FILL_TIMEOUT_S = 1800.0
"""For a hundred thousand messages."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A service with a past: each run starts it again in its own folder. Only `running` counts its CPU."""

    name: str
    service: Service

    def missing(self) -> str | None:
        return None

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: cpu.Group, submission: bool) -> Iterator[int]:
        """The entrance's port. Folder and sink are the ones that it was set up with."""
        self.service.prefix = cpu.command([])
        self.service.start()
        try:
            yield self.service.submission if submission else self.service.trusted
            self.service.stop()
        finally:
            self.service.kill()


def compare(
    own: Mailgov, queued: int, pairs: int, repeats: int, shape: Shape, work: Path
) -> tuple[str, list[Run]]:
    """`queued` messages beside none, in `pairs`; the report and its runs. `repeats` as in `quietly`."""
    sink_port, name = free_port(), f"{queued} deferred"
    with ExitStack() as stack:
        settings = _settings(sink_port)
        for part in ("queue-long", "queue-none"):
            stack.callback(shutil.rmtree, work / part, ignore_errors=True)  # half a gigabyte
        services = [
            stack.enter_context(own.prepared(work / part, sink_port, cpu.Group(None, None), settings))
            for part in ("queue-long", "queue-none")
        ]
        long, none = Standing(f"{queued:,} deferred", services[0]), Standing("none", services[1])
        _fill(long.service, own.site, queued, work)
        runs = []
        for number in range(1, pairs + 1):
            for peer in (long, none) if number % 2 else (none, long):
                one = quietly(repeats, peer, own.site, name, shape, number, work / "unused", sink_port)
                runs.append(one)
                print(f"{peer.name}: round {number}: {one.delivered_rate:.0f} messages/s", flush=True)
    return _report(runs, long.name, none.name, own, shape), runs


def _settings(sink_port: int) -> Mapping[str, Any]:
    return {
        "smtp": {"session_message_limit": 1_000_000},
        "delivery": {
            # Nobody listens on the discard port: what goes there is deferred.
            "routes": {"*": f"smtp:127.0.0.1:{sink_port}", AWAY: "smtp:127.0.0.1:9"},
            "retry_schedule_s": [28_800],
        },
    }


def _fill(service: Service, site: Site, queued: int, work: Path) -> None:
    """Until all of them are deferred, and the service has stopped again."""
    there = dataclasses.replace(site, recipient=f"citizen@{AWAY}")
    service.start()
    try:
        print(f"filling a queue with {queued} messages …", flush=True)
        shape = Shape(queued, 20, 4096, kept=True)
        none = cpu.Group(None, None)
        assert send(shape, service.trusted, there, none, work / "fill.log", FILL_TIMEOUT_S), (
            "not all accepted"
        )
        wait_until(
            lambda: _deferred(service) >= queued, timeout_s=FILL_TIMEOUT_S, what=f"{queued} deferred messages"
        )
        service.stop()
    finally:
        service.kill()


def _deferred(service: Service) -> int:
    """Deferred recipients, by the ledger's own count."""
    with urllib.request.urlopen(service.url("/metrics"), timeout=30) as response:  # noqa: S310 - our own URL
        found = _DEFERRED.search(response.read().decode())
    return int(float(found[1])) if found else 0


def _report(runs: Sequence[Run], long: str, none: str, own: Mailgov, shape: Shape) -> str:
    rows = [
        [
            name,
            shown(Spread.of(each.delivered_rate for each in mine)),
            shown(Spread.of(each.cpu_s_per_1000 for each in mine)),
            shown(Spread.of(each.largest_mb for each in mine)),
        ]
        for name in (long, none)
        for mine in [[each for each in runs if each.peer == name and each.exact]]
    ]
    speed = ratio(runs, long, none, lambda each: each.delivered_rate)
    return "\n".join(
        [
            f"**A long queue beside none** ({own.name}; {shape}; {shape.messages:,} messages a run)",
            "",
            *table(["queue", "delivered/s", "CPU s per 1,000", "largest MB"], rows),
            "",
            f"{long} against {none}: messages/s × {shown(speed)}, {len(runs) // 2} interleaved pairs.",
            "",
        ]
    )
