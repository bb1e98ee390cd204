"""What keeping a message costs: the spool's transaction before 250, its outcome, its way to the ledger.

`python -m tests.bench.keep [--messages N] [--batch N] [--runs N] [--url postgresql://…]` prints microseconds
of CPU a message in this process, all threads together, without SMTP, policy and signature. Each message is
of 4 KB, has a document number of its own and one recipient outside; it is delivered at once, and a fifth of
them after the forwarder has passed. The least of all runs counts: others' work on the machine only adds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
import uvloop

from mailgov.mail.events import MessageEvent, OutcomeEvent, RecipientRecord
from mailgov.settings import SpoolSettings
from mailgov.store.engine import Database, migrate
from mailgov.store.ledger import apply_events
from mailgov.store.spool import Body, Change, Progress, QueuedMessage, QueuedRecipient, Spool, Variant

START_MS = 1_764_435_600_000
SESSIONS = 20
ACCOUNTS = 50
LATE = 5
"""One in so many is delivered after the forwarder has passed."""
PARTS = ("accept", "outcome", "ledger")


class Traffic:
    """Messages with their events, by number, made before anything is measured."""

    def __init__(self, messages: int) -> None:
        self._run = secrets.token_hex(4)
        self._changes = [self._accepted(number) for number in range(messages)]
        self._outcomes = [self._outcome(number) for number in range(messages)]

    def accepted(self, number: int) -> Change:
        return self._changes[number]

    def outcome(self, number: int) -> Change:
        return self._outcomes[number]

    def _id(self, number: int) -> str:
        return f"{self._run}{number:08x}"

    def _accepted(self, number: int) -> Change:
        account, at_ms = f"clerk{number % ACCOUNTS}@bench.gov.vn", START_MS + number
        message = QueuedMessage(
            queue_id=self._id(number),
            received_ms=at_ms,
            reverse_path=account,
            body=Body(4096, data=b"x" * 4096),
            variants=(Variant(b"Received: from x by y\r\nDKIM-Signature: " + b"a" * 600),),
            recipients=(
                QueuedRecipient(0, "citizen@destination.test", "destination.test", due_ms=at_ms + 3_600_000),
            ),
            context={"document_class": "CV", "automatic": False, "account": account},
        )
        event = MessageEvent(
            "accepted",
            self._id(number),
            at_ms,
            "trusted",
            "c0ffee",
            account=account,
            agency="H14.01",
            reverse_path=account,
            author=account,
            subject=f"{number}/CV-UBND: thư thử nghiệm",
            message_id=f"<{number}@bench.gov.vn>",
            document_class="CV",
            symbol=f"{number}/CV-UBND",
            issuer="H14.01",
            thread_id=f"<{number}@bench.gov.vn>",
            to_others=True,
            size_bytes=4096,
            client="127.0.0.1",
            helo="bench",
            recipients=(RecipientRecord(0, "citizen@destination.test", "outbound", "queued"),),
        )
        return Change(messages=[message], events=[event])

    def _outcome(self, number: int) -> Change:
        event = OutcomeEvent(
            self._id(number),
            0,
            START_MS + number + 500,
            "delivered",
            "250 2.0.0 Ok: queued as ABCDEF",
            1,
            mx_host="mx.destination.test",
            mx_provider="unknown",
        )
        return Change(progress=[Progress(self._id(number), 0, None, 1)], events=[event])


class Keeping:
    """A spool and a ledger, fed in batches."""

    def __init__(self, spool: Spool, ledger: Database, traffic: Traffic) -> None:
        self._spool, self._ledger, self._traffic = spool, ledger, traffic
        self._applied = 0
        self._late: Sequence[int] = ()
        self.spent = dict.fromkeys(PARTS, 0.0)

    async def batch(self, numbers: Sequence[int]) -> None:
        """These messages come in, most are delivered, and the ledger is told."""
        marks = [time.process_time()]
        waiting = iter(numbers)
        await asyncio.gather(*(self._session(waiting) for _ in range(SESSIONS)))
        marks.append(time.process_time())
        now = len(numbers) - len(numbers) // LATE
        for number in (*self._late, *numbers[:now]):
            self._spool.apply_later(self._traffic.outcome(number))
        self._late = numbers[now:]
        await self._spool.apply(Change())
        marks.append(time.process_time())
        events = await self._spool.untold(self._applied, 10 * len(numbers))
        self._applied = await apply_events(self._ledger, self._spool.id, "bench", events, START_MS)
        self._spool.forget_events(self._applied)
        await self._spool.apply(Change())
        marks.append(time.process_time())
        for part, start, end in zip(PARTS, marks, marks[1:], strict=False):
            self.spent[part] += end - start

    async def _session(self, numbers: Iterator[int]) -> None:
        for number in numbers:  # which all sessions share
            await self._spool.apply(self._traffic.accepted(number))


async def run(messages: int, batch: int, url: str | None) -> dict[str, float]:
    """Microseconds of CPU a message, by part; one batch before it warms up."""
    traffic = Traffic(messages + batch)
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="mailgov-keep-") as name, ThreadPoolExecutor(8) as executor:
        ledger = Database.open(url or f"sqlite:///{name}/ledger.sqlite", create=True)
        await migrate(ledger)
        spool = Spool.open(
            Path(name, "spool"),
            settings=SpoolSettings(),
            executor=executor,
            new_id=secrets.token_hex(16),
            now_ms=START_MS,
        )
        keeping = Keeping(spool, ledger, traffic)
        try:
            await keeping.batch(range(messages, messages + batch))
            keeping.spent = dict.fromkeys(PARTS, 0.0)
            for first in range(0, messages - batch + 1, batch):
                await keeping.batch(range(first, first + batch))
        finally:
            spool.close()
            await ledger.dispose()
    kept = messages // batch * batch
    return {part: spent / kept * 1e6 for part, spent in keeping.spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.keep", description="CPU of keeping a message")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=150, help="messages between two rounds of the forwarder")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--url", help="an empty ledger on PostgreSQL, instead of SQLite")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    runs = [uvloop.run(run(options.messages, options.batch, options.url)) for _ in range(options.runs)]
    least = {part: min(one[part] for one in runs) for part in PARTS}
    shown = ", ".join(f"{part} {spent:.0f}" for part, spent in least.items())
    print(f"microseconds of CPU a message: {shown}; together {sum(least.values()):.0f}")


if __name__ == "__main__":
    main()
