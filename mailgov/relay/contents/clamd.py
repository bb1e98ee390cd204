"""Asks clamd whether a message carries malware (clamd(8), INSTREAM)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mailgov.mail.text import one_line
from mailgov.relay.contents.turn import Changed, Turn, Unavailable
from mailgov.settings import ClamdSettings, parse_listen

CHUNK_BYTES = 65_536
REPLY_BYTES = 4096
NAME_CHARACTERS = 120
TOO_LARGE = b"INSTREAM size limit exceeded."

Pieces = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Malware:
    """A word of `mail.events.MALWARE_WORDS`; for `found` the name that clamd gave it, made inert."""

    word: str
    name: str | None = None


class Clamd:
    """A client of one clamd. Each question has a connection of its own, as clamd closes it anyway."""

    def __init__(
        self, settings: ClamdSettings, monotonic: Callable[[], float], changed: Changed | None = None
    ) -> None:
        self._settings = settings
        self._turn = Turn(
            concurrency=settings.concurrency,
            timeout_s=settings.timeout_s,
            retry_s=settings.retry_s,
            monotonic=monotonic,
            changed=changed,
        )

    async def scan(self, pieces: Callable[[int], Pieces], size_bytes: int) -> Malware:
        """What clamd says of a message of that size. Raises Unavailable where it says nothing.

        `pieces(limit)` gives its first `limit` octets; of a message that is larger, what was found
        counts, and nothing found is `unchecked`.
        """
        limit = self._settings.size_limit_bytes
        answer = await self._turn.ask(lambda: self._ask(pieces(min(limit, size_bytes))))
        found = _read(answer)
        return Malware("unchecked") if found.word == "clean" and size_bytes > limit else found

    async def _ask(self, pieces: Pieces) -> bytes:
        loop = asyncio.get_running_loop()
        with await self._connect() as sock:
            # clamd may answer and close before all was sent. A plain socket still gives what it said,
            # where a stream would have given it up with the connection.
            with suppress(BrokenPipeError, ConnectionResetError):
                await _send(sock, pieces)
            answer = b""
            while b"\0" not in answer and len(answer) < REPLY_BYTES:
                more = await loop.sock_recv(sock, REPLY_BYTES)
                if not more:
                    raise EOFError("closed without an answer")
                answer += more
        return answer.partition(b"\0")[0]

    async def _connect(self) -> socket.socket:
        loop, address = asyncio.get_running_loop(), self._settings.address
        if address.startswith("/"):
            return await _connected(socket.AF_UNIX, address)
        host, port = parse_listen(address)
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return await _connected(found[0][0], found[0][4])


async def _connected(family: socket.AddressFamily, place: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


async def _send(sock: socket.socket, pieces: Pieces) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, b"zINSTREAM\0")
    async for piece in pieces:
        for at in range(0, len(piece), CHUNK_BYTES):
            chunk = piece[at : at + CHUNK_BYTES]
            await loop.sock_sendall(sock, len(chunk).to_bytes(4, "big") + chunk)
    await loop.sock_sendall(sock, b"\0\0\0\0")


def _read(answer: bytes) -> Malware:
    """`stream: OK`, `stream: <name> FOUND`, or `<text> ERROR`."""
    text = answer.strip()
    if text.startswith(TOO_LARGE):
        return Malware("unchecked")
    if text.endswith(b" FOUND"):
        name = text.removesuffix(b" FOUND").partition(b": ")[2]
        return Malware("found", one_line(name.decode("utf-8", "replace"), NAME_CHARACTERS) or "unnamed")
    if text.endswith(b": OK"):
        return Malware("clean")
    raise Unavailable(one_line(text.decode("utf-8", "replace"), NAME_CHARACTERS), answered=True)
