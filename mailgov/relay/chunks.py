"""CHUNKING (RFC 3030): a message in pieces of announced length, with no dots to undo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailgov.relay.data import READ_BYTES, DataSink, read_some

LENGTH_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """What BDAT announces; `last` ends the message."""

    octets: int
    last: bool

    @classmethod
    def parse(cls, argument: str | None) -> Chunk | None:
        """From BDAT's argument; None where it is malformed, so that nobody knows where the chunk ends."""
        words = (argument or "").split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1].upper() != "LAST"):
            return None
        if not (words[0].isascii() and words[0].isdigit()) or len(words[0]) > LENGTH_DIGITS:
            return None
        return cls(int(words[0]), len(words) == 2)


async def read_chunk(
    reader: asyncio.StreamReader, octets: int, take: Callable[[bytes], Awaitable[bool]]
) -> bool:
    """Read so many octets, each piece given to `take`; False when that had enough or the peer closed."""
    while octets:
        piece = await read_some(reader, min(octets, READ_BYTES))
        if not piece or not await take(piece):
            return False
        octets -= len(piece)
    return True


async def receive_chunk(
    reader: asyncio.StreamReader, sink: DataSink, chunk: Chunk, heard: Callable[[], None]
) -> bool:
    """Read a chunk into `sink`, `heard` called for each piece. False when it was not read to its end."""

    async def take(piece: bytes) -> bool:
        heard()
        await sink.feed(piece)
        return not sink.out_of_patience

    await sink.expect(chunk.octets)
    return await read_chunk(reader, chunk.octets, take)
