"""A spool with any number of deferred recipients, written in seconds: what a long outage leaves."""

from __future__ import annotations

import random
from pathlib import Path

from mailgov.store.spool import Body, QueuedMessage, QueuedRecipient, Variant, rows
from mailgov.store.spool.schema import connect, prepare

RECIPIENTS = 10
"""Of each message."""
FACTS = {"recipient.domain": "d.example", "recipient.mx_provider": "other", "recipient.local": False}


def fill(folder: Path, recipients: int, *, domains: int, now_ms: int, due_within_ms: int) -> None:
    """Write a new spool of an unattended worker: `d<n>.example` in turn, due at random from now on."""
    folder.mkdir(parents=True)
    chance = random.Random(1)
    connection = connect(folder / "spool.sqlite")
    try:
        connection.execute("PRAGMA synchronous=OFF")
        prepare(connection, "f" * 32)
        connection.execute("BEGIN")
        for number in range(recipients // RECIPIENTS):
            domain = f"d{number % domains}.example"
            message = QueuedMessage(
                queue_id=f"Q{number:017}",
                received_ms=now_ms - 3_600_000,
                reverse_path="annv@caobang.gov.vn",
                body=Body(1000, data=b"Subject: x\r\n\r\n" + b"x" * 984 + b"\r\n"),
                variants=(Variant(b"Received: by us\r\n"),),
                recipients=tuple(
                    QueuedRecipient(
                        position,
                        f"u{position}@{domain}",
                        domain,
                        attempts=5,
                        due_ms=now_ms + chance.randrange(due_within_ms),
                        last_reply="451 4.4.1 No connection to mx",
                    )
                    for position in range(RECIPIENTS)
                ),
                context={"facts": FACTS},
            )
            rows.insert_messages(connection, [message])
        connection.execute("UPDATE recipient SET leased=0")  # no process has them
        connection.execute("COMMIT")
    finally:
        connection.close()
