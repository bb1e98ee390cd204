"""The PROXY protocol, versions 1 and 2: a load balancer's word for who the client is."""

from __future__ import annotations

import asyncio
import socket

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy

LINE_OCTETS = 107  # version 1, its CRLF included


class NotProxied(Exception):
    """What came is no PROXY header, or names no client."""


async def client_behind(connection: socket.socket, peer: str) -> str:
    """The client's address by the header that `connection` begins with; not an octet more is taken.

    `peer`, the proxy itself, where it speaks for itself (LOCAL, UNKNOWN: a health check). Raises
    NotProxied. The caller bounds the time.
    """
    try:
        said = await get_proxy(_Octets(connection))
    except (EOFError, OSError, ValueError):
        raise NotProxied("the connection ended") from None
    if not said.valid:
        raise NotProxied(said.error)
    if said.command == V2_CMD.LOCAL or said.src_addr is None:
        return peer
    if isinstance(said.src_addr, (str, bytes, bytearray)):  # a path: a Unix socket on the proxy's machine
        raise NotProxied("no IP address")
    return str(getattr(said.src_addr, "ipv4_mapped", None) or said.src_addr)


class _Octets:
    """A reader that never reads ahead: behind the header the client's own octets begin, maybe a handshake."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def read(self, n: int = 1) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._connection, n)

    async def readexactly(self, n: int) -> bytes:
        found = b""
        while len(found) < n:
            piece = await self.read(n - len(found))
            if not piece:
                raise EOFError
            found += piece
        return found

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        line = b""
        while not line.endswith(separator):
            if len(line) > LINE_OCTETS:
                raise ValueError("header too long")
            line += await self.readexactly(1)
        return line
