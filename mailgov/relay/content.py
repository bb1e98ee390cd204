"""A queued message as it leaves: the head in memory, the rest in memory or in a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from mailgov.store.spool import QueuedMessage, Spool, Variant

CHUNK_BYTES = 65_536
"""Of a file: what each delivery that waits for its peer holds in memory, once or twice."""


@dataclass(slots=True)  # not frozen: each delivery makes one, and that would take it three times as long
class Content:
    """`head` first, then `file` from `offset` on, if there is one."""

    head: bytes
    file: Path | None = None
    offset: int = 0
    size_bytes: int = 0

    async def chunks(self, executor: Executor) -> AsyncIterator[bytes]:
        """The message in order; file reads happen in a thread."""
        yield self.head
        if self.file is None:
            return
        loop = asyncio.get_running_loop()
        source = await loop.run_in_executor(executor, self.file.open, "rb")
        try:
            source.seek(self.offset)
            while chunk := await loop.run_in_executor(executor, source.read, CHUNK_BYTES):
                yield chunk
        finally:
            source.close()


async def content_of(spool: Spool, message: QueuedMessage, variant: Variant) -> Content:
    """The message as `variant` has it; large bodies stay on disk."""
    body, file = message.body.data, spool.body_file(message)
    if file is None:
        data = variant.head(body if body is not None else await spool.body_bytes(message))
        return Content(data, size_bytes=len(data))
    reach = variant.reach
    with file.open("rb") as source:
        start = source.read(reach)
    head = variant.head(start)
    return Content(head, file, reach, len(head) + message.body.size_bytes - reach)


def whole(message: bytes) -> bytes:
    """A message that is in memory as `dotted` has it, in one piece: two writes are two packets."""
    first = b"." if message.startswith(b".") else b""
    last = b".\r\n" if not message or message.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((first, message.replace(b"\r\n.", b"\r\n.."), last))


async def dotted(content: Content, executor: Executor) -> AsyncIterator[bytes]:
    """The message with its dots doubled (RFC 5321 4.5.2) and the end of data; line ends are CRLF already."""
    before, ready = b"\r\n", b""
    async for chunk in content.chunks(executor):
        if ready:
            yield ready
        joined = before + chunk
        # The last two octets stay behind: a line may begin in the next chunk.
        before, ready = joined[-2:], joined.replace(b"\r\n.", b"\r\n..")[2:]
        del joined  # a peer may take hours over what is yielded, and hundreds may
    last = ready + (b".\r\n" if before == b"\r\n" else b"\r\n.\r\n")
    ready = b""
    yield last
