"""A whole campaign on a running province, and its summary."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.campaign.balance import Balance, balance
from tests.support.campaign.killer import Kill, Killer
from tests.support.campaign.load import Heard, Load, Source
from tests.support.campaign.moods import HANG_S, MoodySink
from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service
from tests.support.processes import wait_until
from tests.support.province import AN, SCANNER, Province, outside_world

RATE = 20.0
"""Messages a second."""
DOMAINS = tuple(f"{name}.example" for name in ("mot", "hai", "ba", "bon", "nam"))
OUTSIDE = tuple(f"{person}@{domain}" for domain in DOMAINS for person in ("x", "y"))
STRANGER = "khach@mot.example"
DRAIN_S = 120.0
SETTINGS: dict[str, Any] = {
    # Half of the bodies in the database and half in files.
    "smtp": {"memory_body_bytes": 20_000},
    "delivery": {"command_timeout_s": HANG_S / 2, "data_timeout_s": HANG_S / 2, "retry_schedule_s": [1, 2]},
}


@dataclass(slots=True)
class Campaign:
    """What came of it."""

    seed: int
    seconds: float = 0.0
    kills: list[Kill] = field(default_factory=list)
    heard: Counter[Heard] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    balance: Balance = field(default_factory=Balance)
    figures: dict[str, int] = field(default_factory=dict)
    """What `mailgov usage` says of the agency that sent everything."""
    counted: dict[str, int] = field(default_factory=dict)
    """The same by the load generator and the mailboxes."""
    left: list[str] = field(default_factory=list)
    """Files in places where nothing may stay, and rows of spools and of `unapplied_event`."""
    drained_s: float = 0.0
    exit_status: int = -1

    @property
    def extra_share(self) -> float:
        """Extra deliveries by accepted pairs."""
        return self.balance.extra / max(1, len(self.balance.accepted))

    def summary(self) -> str:
        """A few lines for a person."""
        b, restarts = self.balance, [kill.until_220_s for kill in self.kills]
        roles = Counter(kill.role for kill in self.kills)
        anew = [k for k in self.kills if k.role in {"everything", "supervisor"}]
        middle = statistics.median(k.until_220_s for k in anew) if anew else 0.0
        bad = {
            name: len(getattr(b, name)) for name in ("lost", "torn", "corrupt", "refused", "strangers")
        }  # fmt: skip
        heard = ", ".join(f"{self.heard[how]} {how.name.lower()}" for how in Heard)
        lines = [
            f"crash campaign, seed {self.seed}: {self.seconds:.0f} s at {RATE:g} messages a second",
            f"kills      {len(self.kills)} (" + ", ".join(f"{n} {role}" for role, n in roles.items()) + ")",
            f"messages   {sum(self.heard.values())} tried: {heard}",
            f"next hop   {', '.join(f'{n} {fault}' for fault, n in self.faults.items())}",
            f"kept       {len(b.kept)} messages, {len(b.accepted)} pairs of message and recipient",
            f"wrong      {', '.join(f'{count} {name}' for name, count in bad.items())}",
            f"extra      {b.extra} deliveries by kills ({100 * self.extra_share:.2f} % of the pairs), "
            f"{b.forced} forced by the next hop",
            f"first 220  {max(restarts):.1f} s at most after any kill; {len(anew)} starts of `serve`: "
            f"{middle:.1f} s in the median, {max((k.until_all_s for k in anew), default=0.0):.1f} s at most "
            "until the listeners where people sign in",
            f"drained    {self.drained_s:.1f} s after the last message",
            f"figures    {self.figures}, the load generator's own counts {self.counted}",
        ]
        return "\n".join(lines)


@contextmanager
def campaign_province(folder: Path, seed: int) -> Iterator[tuple[Province, MoodySink]]:
    """A small province with two workers whose outside world is the sink with moods."""
    sink = MoodySink(seed)
    with DnsServer() as dns, sink:
        settings = outside_world(dns, sink)
        for domain in DOMAINS:
            dns.mx(domain, f"mx.{domain}")
            dns.a(f"mx.{domain}", "127.0.0.1")
        service = Service(folder, settings, workers=2)
        service.settings["delivery"] |= SETTINGS["delivery"]
        service.settings["smtp"] = SETTINGS["smtp"] | {"trusted": [service.trusted_listener(SCANNER)]}
        service.init()
        province = Province(service, dns, sink)
        province.provision(small=True)
        service.start()
        try:
            yield province, sink
        finally:
            service.kill()


def run(folder: Path, *, seed: int, kills: int, gap_s: float, roles: tuple[str | None, ...] = ()) -> Campaign:
    """Load with `kills` kills, `gap_s` to a quarter more apart and at least half of it after all is up
    again; then wait until all is quiet, and count.

    `roles` says who is killed first; None and all after them are chosen by chance.
    """
    chance, result = random.Random(seed), Campaign(seed)
    with campaign_province(folder, seed) as (province, sink):
        service = province.service
        load = Load(
            [
                *[Source(service.trusted, SCANNER, (*OUTSIDE, AN))] * 4,
                Source(service.mx, STRANGER, (AN,)),
            ],
            rate=RATE,
            seed=seed,
        )
        begin = time.monotonic()
        load.start()
        with contextlib.closing(Killer(service, seed)) as killer:
            killed = begin
            for number in range(kills):
                next_s = killed + gap_s * chance.uniform(1.0, 1.25)
                time.sleep(max(gap_s / 2, next_s - time.monotonic()))  # time under load is the subject
                killed = time.monotonic()
                result.kills.append(killer.kill(roles[number] if number < len(roles) else None))
        time.sleep(gap_s / 2)  # as above
        load.stop()
        result.seconds = time.monotonic() - begin
        sink.moody = False
        result.heard.update(one.heard for one in load.sent)
        result.faults = sink.faults
        result.drained_s = _drain(service)
        result.balance = balance(load.sent, list(sink.messages), sink.forced, {AN: province.maildir(AN)})
        _count(result, load, province)
        result.exit_status = service.stop()
        result.left += _left(service)
    return result


def _drain(service: Service) -> float:
    begin = time.monotonic()
    wait_until(lambda: not _waiting(service), timeout_s=DRAIN_S, what="empty spools and outboxes")
    return time.monotonic() - begin


def _waiting(service: Service) -> int:
    """Recipients and events that wait in the spools."""
    total = 0
    for database in (service.data_dir / "spool").glob("*/spool.sqlite"):
        total += sum(_rows(database, "recipient", "event").values())
    return total


def _rows(database: Path, *tables: str) -> dict[str, int]:
    """How many rows each table has, read beside whoever writes."""
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=10)) as reader:
        return {
            table: reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own names
            for table in tables
        }


def _count(result: Campaign, load: Load, province: Province) -> None:
    """The figures of the only agency, and what they must be."""
    kept = [one for one in load.sent if one.id in result.balance.kept]
    ours = [one for one in kept if one.reverse_path == SCANNER]
    result.counted = {
        "sent_messages": len(ours),
        "recipients": sum(len(one.recipients) for one in ours),
        "received_messages": sum(AN in one.recipients for one in kept),
    }
    month = province.service.cli("usage").expect().data
    (row,) = [agency for agency in month["agencies"] if agency["agency"] == "SNV"]
    result.figures = {name: row[name] for name in result.counted}


def _left(service: Service) -> list[str]:
    """What must not be left when all is delivered and the service has stopped."""
    data = service.data_dir
    folders = [folder for place in ("incoming", "bodies") for folder in (data / "spool").glob(f"*/{place}")]
    folders += (data / "mail").glob("*/*/tmp")
    left = [str(file) for folder in folders for file in folder.iterdir()]
    rows = [_rows(spool, "message", "body", "variant") for spool in (data / "spool").glob("*/spool.sqlite")]
    rows.append(_rows(data / "ledger.sqlite", "unapplied_event"))
    return left + [f"{count} rows of {table}" for found in rows for table, count in found.items() if count]
