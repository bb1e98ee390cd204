"""Asks rspamd whether a message is spam (its HTTP protocol, /checkv2)."""

from __future__ import annotations

import asyncio
import json
import math
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import h11

from mailgov.relay.contents.clamd import Pieces
from mailgov.relay.contents.turn import Changed, Turn, Unavailable
from mailgov.settings import RspamdSettings

RECIPIENTS_LIMIT = 100
"""Recipients that it is told of."""
VALUE_OCTETS = 320
"""Of one of the fields that tell the envelope: an address has 320 at most (RFC 5321 4.5.3.1)."""
ANSWER_OCTETS = 262_144
"""An answer names each symbol with its options: some tens of kilobytes."""
HEADER_OCTETS = 16_384
SCORE_LIMIT = 10_000.0

_UNSAFE = re.compile(rb"[\x00-\x20\x7f]")

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Spam:
    """A word of `mail.events.SPAM_WORDS`, and the score, None where there is none."""

    word: str
    score: float | None = None


def password_of(settings: RspamdSettings) -> bytes | None:
    """The password out of its file, None where no file is named. Raises OSError and ValueError."""
    if settings.password_file is None:
        return None
    password = settings.password_file.read_bytes().strip()
    if not password or _UNSAFE.search(password):
        raise ValueError(f"{settings.password_file} holds no password on one line")
    return password


class Rspamd:
    """A client of one rspamd. Each question has a connection of its own: rspamd closes it anyway."""

    def __init__(
        self,
        settings: RspamdSettings,
        password: bytes | None,
        monotonic: Callable[[], float],
        changed: Changed | None = None,
    ) -> None:
        self._settings, self._password = settings, password
        self._url: SplitResult = urlsplit(settings.url)
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._turn = Turn(
            concurrency=settings.concurrency,
            timeout_s=settings.timeout_s,
            retry_s=settings.retry_s,
            monotonic=monotonic,
            changed=changed,
        )

    async def check(self, envelope: Fields, pieces: Callable[[int], Pieces], size_bytes: int) -> Spam:
        """What rspamd says of a message of that size. Raises Unavailable where it says nothing.

        `envelope` are fields of the request that tell where it came from, as rspamd names them;
        `pieces(limit)` gives its octets.
        """
        if size_bytes > self._settings.size_limit_bytes:
            return Spam("unchecked")
        answer = await self._turn.ask(lambda: self._ask(envelope, pieces(size_bytes), size_bytes))
        return self._read(answer)

    async def _ask(self, envelope: Fields, pieces: Pieces, size_bytes: int) -> bytes:
        url = self._url
        port = url.port or (443 if self._tls else 80)
        reader, writer = await asyncio.open_connection(url.hostname, port, ssl=self._tls, limit=HEADER_OCTETS)
        try:
            connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_OCTETS)
            writer.write(connection.send(self._request(envelope, size_bytes)))
            async for piece in pieces:
                writer.write(connection.send(h11.Data(data=piece)))
                await writer.drain()
            writer.write(connection.send(h11.EndOfMessage()))
            await writer.drain()
            return await _answer(reader, connection)
        except h11.ProtocolError as error:
            raise Unavailable(f"not HTTP: {error}", answered=True) from None
        finally:
            writer.transport.abort()

    def _request(self, envelope: Fields, size_bytes: int) -> h11.Request:
        fields = [
            (b"Host", self._url.netloc.rpartition("@")[2].encode()),
            (b"Connection", b"close"),
            (b"Content-Length", str(size_bytes).encode()),
        ]
        if self._password is not None:
            fields.append((b"Password", self._password))
        for name, value in envelope:
            told = _UNSAFE.sub(b"?", value.encode("utf-8", "replace"))[:VALUE_OCTETS]
            fields.append((name.encode(), told))
        return h11.Request(method="POST", target=f"{self._url.path}/checkv2", headers=fields)

    def _read(self, answer: bytes) -> Spam:
        try:
            told: Any = json.loads(answer)
            action, score = told["action"], float(told["score"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Unavailable("an answer without action and score", answered=True) from None
        if not math.isfinite(score) or not isinstance(action, str):
            raise Unavailable("an answer with an odd action or score", answered=True)
        settings = self._settings
        word = "spam" if action in settings.spam else "likely" if action in settings.likely else "ham"
        return Spam(word, round(max(-SCORE_LIMIT, min(SCORE_LIMIT, score)), 2))


async def _answer(reader: asyncio.StreamReader, connection: h11.Connection) -> bytes:
    """The body of a 200. Raises Unavailable for another status, and where it is too long."""
    body = bytearray()
    received = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            more = await reader.read(HEADER_OCTETS)
            received += len(more)
            if received > ANSWER_OCTETS:
                raise Unavailable("an answer too long", answered=True)
            connection.receive_data(more)
        elif isinstance(event, h11.Response) and event.status_code != 200:
            raise Unavailable(f"status {event.status_code}", answered=True)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("closed without an answer")
