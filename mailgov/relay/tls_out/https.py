"""One question over HTTPS to a stranger's host: the standard library in threads of its own, bounded."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from mailgov.relay.dns import Resolver

BODY_OCTETS = 65_536
ASK_S = 10.0
"""For the whole of it: mail may wait meanwhile."""
ADDRESSES_TRIED = 2


class NoAnswer(Exception):
    """Nothing that could be used came; the message is one line."""


class NotTrusted(NoAnswer):
    """The host's certificate is not one for its name, in force and of somebody we believe."""


@dataclass(frozen=True, slots=True)
class Question:
    """`path` with its query; GET without a body, POST with one."""

    host: str
    path: str
    port: int = 443
    body: bytes | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """`kind` is the media type, in lower case and without parameters."""

    status: int
    kind: str
    body: bytes


class Https:
    """Asks; `may_reach` says whether a stranger's DNS may point to an address. It follows no redirect."""

    def __init__(
        self,
        resolver: Resolver,
        executor: Executor,
        context: Callable[[], ssl.SSLContext],
        may_reach: Callable[[str], bool],
    ) -> None:
        self._resolver, self._executor, self._context = resolver, executor, context
        self.may_reach = may_reach

    async def ask(self, question: Question) -> Answer:
        """The answer, whole, within `ASK_S` and `BODY_OCTETS`. Raises NoAnswer."""
        leash = _Leash()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ASK_S):
                found = await self._resolver.addresses(question.host)
                addresses = [one for one in found.addresses if self.may_reach(one)][:ADDRESSES_TRIED]
                if not addresses:
                    raise NoAnswer(f"{question.host}: no address that may be asked")
                return await loop.run_in_executor(self._executor, self._ask, question, addresses, leash)
        except TimeoutError:
            raise NoAnswer(f"{question.host}: nothing whole in {ASK_S:.0f} s") from None
        finally:  # the thread hears of it and ends
            leash.end()

    def _ask(self, question: Question, addresses: Sequence[str], leash: _Leash) -> Answer:
        host = question.host
        try:
            return self._said(question, _connected(addresses, question.port, leash))
        except ssl.SSLError as error:
            text = getattr(error, "verify_message", "") or error.reason or "TLS failed"
            raise NotTrusted(f"{host}: {text}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{host}: {type(error).__name__}") from None

    def _said(self, question: Question, connected: socket.socket) -> Answer:
        connected.settimeout(ASK_S)
        with self._context().wrap_socket(connected, server_hostname=question.host) as secured:
            connection = http.client.HTTPSConnection(question.host, question.port)
            connection.sock = secured
            fields = {"User-Agent": "mailgov", "Connection": "close", **question.fields}
            method = "GET" if question.body is None else "POST"
            connection.request(method, question.path, body=question.body, headers=fields)
            answer = connection.getresponse()
            kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            body = answer.read(BODY_OCTETS + 1)
        if len(body) > BODY_OCTETS:
            raise NoAnswer(f"{question.host}: more than {BODY_OCTETS} octets")
        return Answer(answer.status, kind, body)


class _Leash:
    """Ends the connections of a thread from outside, whatever it does with them and however they drip."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self._over = False

    def hold(self, made: socket.socket) -> None:
        """Raises TimeoutError where it is over already: the connection came too late."""
        with self._lock:
            if self._over:
                made.close()
                raise TimeoutError
            self._held.append(made.dup())  # TLS takes the descriptor of `made` away with it

    def end(self) -> None:
        """Every read and write on them ends now."""
        with self._lock:
            self._over = True
            for one in self._held:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._held.clear()


def _connected(addresses: Sequence[str], port: int, leash: _Leash) -> socket.socket:
    for number, address in enumerate(addresses, start=1):
        try:
            made = socket.create_connection((address, port), timeout=ASK_S / len(addresses))
        except OSError:
            if number == len(addresses):
                raise
            continue
        leash.hold(made)
        return made
    raise OSError("no address")


def reachable(allowed: Sequence[str]) -> Callable[[str], bool]:
    """Says of an address whether it is public, or in one of the allowed networks."""
    networks = [ipaddress.ip_network(network) for network in allowed]

    def may_reach(text: str) -> bool:
        address = ipaddress.ip_address(text)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_global or any(address in network for network in networks)

    return may_reach
