"""An MTA-STS policy over HTTPS (RFC 8461 3.3): the standard library in threads of its own, bounded."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from mailgov.relay.dns import Resolver
from mailgov.relay.tls_out.sts_text import PolicyInvalid, StsPolicy, read_policy

BODY_OCTETS = 65_536
FETCH_S = 10.0
"""For the whole of it: mail waits meanwhile."""
PATH = "/.well-known/mta-sts.txt"
ADDRESSES_TRIED = 2


class FetchFailed(Exception):
    """No policy came. `result` is what RFC 8460 4.3 calls it; the message is one line."""

    def __init__(self, result: str, cause: str) -> None:
        super().__init__(cause)
        self.result = result


class Fetcher:
    """Fetches policies; `may_reach` says of an address whether a stranger's DNS may point there."""

    def __init__(
        self,
        resolver: Resolver,
        executor: Executor,
        context: Callable[[], ssl.SSLContext],
        may_reach: Callable[[str], bool],
        port: int = 443,
    ) -> None:
        self._resolver, self._executor, self._context = resolver, executor, context
        self._may_reach, self._port = may_reach, port

    async def fetch(self, domain: str) -> StsPolicy:
        """The policy that `mta-sts.<domain>` serves now, within `FETCH_S`. Raises FetchFailed.

        The certificate must be that host's and in force. A redirect, another status than 200, another
        type than text/plain, more than `BODY_OCTETS` or an address of ours is no policy.
        """
        host = f"mta-sts.{domain}"
        open_sockets: list[socket.socket] = []
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(FETCH_S):
                addresses = await self._addresses(host)
                body = await loop.run_in_executor(self._executor, self._get, host, addresses, open_sockets)
        except TimeoutError:
            raise FetchFailed("sts-policy-fetch-error", f"{host}: nothing whole in {FETCH_S:.0f} s") from None
        finally:  # the thread hears of it and ends
            for one in open_sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        try:
            return read_policy(body)
        except PolicyInvalid as error:
            raise FetchFailed("sts-policy-invalid", f"{host}: {error}") from None

    async def _addresses(self, host: str) -> Sequence[str]:
        found = await self._resolver.addresses(host)
        usable = [address for address in found.addresses if self._may_reach(address)]
        if not usable:
            raise FetchFailed("sts-policy-fetch-error", f"{host}: no address that may be asked")
        return usable[:ADDRESSES_TRIED]

    def _get(self, host: str, addresses: Sequence[str], open_sockets: list[socket.socket]) -> bytes:
        try:
            return self._answer(host, self._connected(addresses, open_sockets))
        except ssl.SSLError as error:
            text = getattr(error, "verify_message", "") or error.reason or "TLS failed"
            raise FetchFailed("sts-webpki-invalid", f"{host}: {text}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchFailed("sts-policy-fetch-error", f"{host}: {type(error).__name__}") from None

    def _connected(self, addresses: Sequence[str], open_sockets: list[socket.socket]) -> socket.socket:
        for number, address in enumerate(addresses, start=1):
            try:
                made = socket.create_connection((address, self._port), timeout=FETCH_S / len(addresses))
            except OSError:
                if number == len(addresses):
                    raise
                continue
            open_sockets.append(made)
            return made
        raise OSError("no address")

    def _answer(self, host: str, connected: socket.socket) -> bytes:
        connected.settimeout(FETCH_S)
        with self._context().wrap_socket(connected, server_hostname=host) as secured:
            connection = http.client.HTTPSConnection(host, self._port)
            connection.sock = secured
            connection.request("GET", PATH, headers={"User-Agent": "mailgov", "Connection": "close"})
            answer = connection.getresponse()
            kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            if answer.status != 200 or kind != "text/plain":
                raise FetchFailed("sts-policy-fetch-error", f"{host}: {answer.status} {kind[:80]}")
            body = answer.read(BODY_OCTETS + 1)
        if len(body) > BODY_OCTETS:
            raise FetchFailed("sts-policy-fetch-error", f"{host}: more than {BODY_OCTETS} octets")
        return body


def reachable(allowed: Sequence[str]) -> Callable[[str], bool]:
    """Says of an address whether it is public, or in one of the allowed networks."""
    networks = [ipaddress.ip_network(network) for network in allowed]

    def may_reach(text: str) -> bool:
        address = ipaddress.ip_address(text)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_global or any(address in network for network in networks)

    return may_reach
