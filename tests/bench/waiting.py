"""What it costs to look at a long queue: the ledger of a million recipients that wait, listed and searched.

python -m tests.bench.waiting [RECIPIENTS]
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

from mailgov.store import queue
from mailgov.store.engine import Database, migrate
from mailgov.store.queue import QueueFilter

START_MS = 1_794_000_000_000
PAGE = 1000
OF_ONE = 10
"""Recipients of a message that waits; each is followed by one that has arrived."""


def rows(messages: int) -> Iterable[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Messages and their recipients, of which every second message's wait."""
    for number in range(1, 2 * messages + 1):
        waits = number % 2 == 0
        sender = f"u{number % 900}@caobang.gov.vn"
        yield (
            {
                "id": number, "queue_id": f"Q{number:017}", "at_ms": START_MS + number * 1000,
                "agency_code": f"a{number % 40}", "account": sender, "reverse_path": sender,
                "subject": f"Công văn số {number}", "verdict": "accepted", "spool_id": "0" * 32,
            },
            [
                {
                    "message_row": number, "position": position, "address": f"r@d{number % 5000}.example",
                    "direction": "outbound", "state": "deferred" if waits else "delivered", "attempts": 5,
                    "last_reply": "451 4.4.1 No connection to mx",
                }
                for position in range(OF_ONE if waits else 1)
            ],
        )  # fmt: skip


def fill(file: Path, recipients: int) -> None:
    """Write the rows as they are, each column that is asked for and not given at nothing."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA synchronous=OFF")
    empty = {"INTEGER": 0, "BIGINT": 0, "BOOLEAN": 0, "JSON": "[]", "DATE": "2026-11-22"}

    def put(name: str, found: list[dict[str, Any]]) -> None:
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        needed = {column[1]: empty.get(column[2], "x") for column in columns if column[3] and not column[5]}
        whole = [{**needed, **row} for row in found]
        names = list(whole[0])
        marks = ",".join("?" * len(names))
        connection.executemany(
            f"INSERT INTO {name} ({','.join(names)}) VALUES ({marks})",  # noqa: S608 - the schema's names
            [tuple(row[name] for name in names) for row in whole],
        )

    made: list[dict[str, Any]] = []
    of_them: list[dict[str, Any]] = []
    for message, to in rows(recipients // OF_ONE):
        made.append(message)
        of_them += to
        if len(made) == 10_000:
            put("message", made)
            put("message_recipient", of_them)
            made, of_them = [], []
    if made:
        put("message", made)
        put("message_recipient", of_them)
    connection.commit()
    connection.close()


async def timed(name: str, work: Awaitable[Any]) -> Any:
    began_s = time.perf_counter()
    found = await work
    print(f"| {name} | {time.perf_counter() - began_s:.3f} |")
    return found


async def measure(file: Path, recipients: int) -> None:
    url = f"sqlite:///{file}"
    ledger = Database.open(url, create=True)
    await migrate(ledger)
    await asyncio.to_thread(fill, file, recipients)
    print(f"{recipients} recipients wait\n\n| what | s |\n|---|---|")
    first = await timed("first page of 1000", queue.waiting(ledger, limit=PAGE))
    assert len(first) == min(PAGE, recipients)
    middle = recipients // 2
    await timed("a page in the middle", queue.waiting(ledger, limit=PAGE, after=middle))
    for name, wanted in {
        "one state of which there is none": QueueFilter(states=("held",)),
        "one message": QueueFilter(queue_id=first[-1].queue_id),
        "an agency, first page": QueueFilter(agency="a8"),
        "a recipient's domain, all of it": QueueFilter(domain="d76.example"),
        "a reply that nobody gave": QueueFilter(reply="greylisted"),
    }.items():
        await timed(name, queue.waiting(ledger, wanted, limit=PAGE))
    await timed("count all", queue.count(ledger, QueueFilter()))
    await ledger.dispose()


def main() -> None:
    recipients = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="bench-waiting") as place:
        asyncio.run(measure(Path(place) / "ledger.sqlite", recipients))


if __name__ == "__main__":
    main()
