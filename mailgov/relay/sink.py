"""A stand-in for the outside world in a rehearsal: takes any mail and keeps it as files."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

KEEP_LIMIT = 1000
"""Messages kept; the oldest go first, so that a demo left running does not fill a disk."""


class Sink:
    """aiosmtpd handler: one `.eml` file a message under `folder`, envelope in front as X- fields."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.get_running_loop().run_in_executor(None, self._keep, envelope)
        return "250 2.0.0 Kept by the demo sink"

    def _keep(self, envelope: Envelope) -> None:
        head = f"X-Envelope-From: <{envelope.mail_from}>\r\n"
        head += "".join(f"X-Envelope-To: <{recipient}>\r\n" for recipient in envelope.rcpt_tos)
        name = f"{time.time_ns()}-{next(self._numbers)}.eml"
        content = envelope.original_content or b""
        (self._folder / name).write_bytes(head.encode() + content)
        kept = sorted(self._folder.glob("*.eml"))
        for old in kept[:-KEEP_LIMIT]:
            old.unlink(missing_ok=True)


def sink_protocol(sink: Sink, hostname: str, size_limit_bytes: int) -> Any:
    """What `loop.create_server` calls for each connection."""
    loop = asyncio.get_running_loop()
    return lambda: SMTP(
        sink,
        hostname=hostname,
        ident="demo sink",
        enable_SMTPUTF8=True,
        data_size_limit=size_limit_bytes,
        loop=loop,
    )
