"""A connection without a socket: bytes go in as they are cut, what is said is kept."""

from __future__ import annotations

import asyncio
from typing import Any

from mailgov.relay.server import RelayServer


class Pipe(asyncio.Transport):
    """A session's transport, for inputs by the thousand."""

    def __init__(self, session: RelayServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._session, self._loop = session, loop
        self._closed = False
        self._open = asyncio.Event()
        self._open.set()
        self.said = bytearray()
        self.ended = asyncio.Event()
        session.connection_made(self)

    async def feed(self, pieces: list[bytes]) -> None:
        """Give the pieces one by one, then the end of input; return when the session has ended."""
        for piece in pieces:
            await self._open.wait()
            if self._closed:
                break
            self._session.data_received(piece)
            await asyncio.sleep(0)
        if not self._closed and not self._session.eof_received():
            self.close()
        await self.ended.wait()

    # What the session asks of its transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 4321) if name == "peername" else default

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        if not self._closed:
            self.said += data

    def pause_reading(self) -> None:
        self._open.clear()

    def resume_reading(self) -> None:
        self._open.set()

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._open.set()
            self._loop.call_soon(self._lost)

    def abort(self) -> None:
        self.close()

    def _lost(self) -> None:
        self._session.connection_lost(None)
        self.ended.set()
