"""Any bytes as a session, as what follows DATA, and as the content of BDAT: the reader and the header's look.

An input's first octet says which of the three and on which listener, its second how it is cut.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailgov.relay.listener import Listener
from mailgov.relay.server import RelayServer
from tests.fuzz.edge import Edge, running_edge
from tests.fuzz.pipe import Pipe
from tests.fuzz.replies import check_replies
from tests.support.relay_node import BINH, SCANNER
from tests.wire.client import eventually

MIDDLES = tuple(
    f"EHLO client.test\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{BINH}>\r\n".encode()
    for sender in ("a@example.org", SCANNER)
)
LISTENERS = (Listener("mx"), Listener("trusted", None, ("127.0.0.0/8",), SCANNER))
TIME_S = 10.0
_END = re.compile(rb"\r\n\.\r\n")


class SessionTarget:
    """One input is one session, from its first octet to its last."""

    name = "session"

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[SessionTarget]:
        with running_edge(folder) as edge:
            yield cls(edge)

    def one(self, data: bytes) -> None:
        """Raises AssertionError, or whatever broke, where the input does what none may."""
        edge, start = self._edge, time.monotonic()
        how, cut, text = data[:1] or b"\0", (data[1:2] or b"\0")[0] + 1, data[2:]
        edge.clear()
        at = how[0] // 3 % 2
        stream, whole = _stream(how[0] % 3, MIDDLES[at], text, cut)
        said, kept = edge.run(self._session(LISTENERS[at], _cut(stream, cut)))
        check_replies(said)
        assert edge.node.counters.values["internal_errors"] == 0, said
        assert not edge.troubles, edge.troubles
        assert len(kept) == said.count(b"Ok: queued as "), (said, kept)
        if whole is not None:
            assert kept in ([], [whole]), (kept, whole)
        assert time.monotonic() - start < TIME_S

    async def _session(self, listener: Listener, pieces: list[bytes]) -> tuple[bytes, list[bytes]]:
        """What was said in it, and the messages that it left."""
        edge = self._edge
        pipe = Pipe(RelayServer(edge.node, listener, edge.loop), edge.loop)
        await pipe.feed(pieces)
        while edge.node.tasks:
            await asyncio.wait(edge.node.tasks)
            await asyncio.sleep(0)  # those that are done leave the set in a callback
        assert not edge.node.connections
        kept = await edge.taken()
        await eventually(lambda: not edge.files(), "the end of what was not kept")
        return bytes(pipe.said), kept


def _stream(mode: int, middle: bytes, text: bytes, cut: int) -> tuple[bytes, bytes | None]:
    """The octets of a session, and the one message that it may leave where that is known."""
    if mode == 0:
        return text, None
    if mode == 1:
        end = _END.search(b"\r\n" + text)
        if end is None:
            return middle + b"DATA\r\n" + text, b""
        if end.end() - 2 != len(text):
            return middle + b"DATA\r\n" + text, None  # what follows may bring messages of its own
        message = (b"\r\n" + text[:-3]).replace(b"\r\n.", b"\r\n")[2:]
        return middle + b"DATA\r\n" + text, message
    chunks = _cut(text, cut * 7) or [b""]
    framed = [b"BDAT %d\r\n%s" % (len(chunk), chunk) for chunk in chunks[:-1]]
    framed.append(b"BDAT %d LAST\r\n%s" % (len(chunks[-1]), chunks[-1]))
    return middle + b"".join(framed), text if text.endswith(b"\r\n") else text + b"\r\n"


def _cut(octets: bytes, size: int) -> list[bytes]:
    size = max(size, len(octets) // 500)  # as many pieces as that tell nothing new
    return [octets[at : at + size] for at in range(0, len(octets), size)]
