"""An authoritative DNS server on loopback, UDP and TCP, whose records and faults the tests choose."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.support.loop_thread import LoopThread
from tests.support.processes import free_port

Key = tuple[str, str]
Raw = Callable[[bytes, bool], bytes | None]
"""From a question in wire form, and whether it came over TCP, to the octets that go back."""
CNAME_LIMIT = 10


def _fold(name: str) -> str:
    return name.rstrip(".").lower()


class DnsServer:
    """Answers for every name in the world: NXDOMAIN where nothing was added.

    `address` is `host:port` as `dns.nameservers` takes it. Records may be changed while it
    runs. `questions` counts (name, type) pairs as asked, names in lower case without the last dot.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = free_port(host)
        self.questions: Counter[Key] = Counter()
        self.delay_s = 0.0
        self._records: dict[Key, dns.rrset.RRset] = {}
        self._rcodes: dict[str, dns.rcode.Rcode] = {}
        self._silent: set[str] = set()
        self._truncated: set[str] = set()
        self._raw: dict[str, Raw] = {}
        self._vouched: tuple[str, ...] = ()
        self._thread: LoopThread | None = None
        self._open: list[asyncio.DatagramTransport | asyncio.Server] = []

    # What the tests say

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def add(self, name: str, rdtype: str, *values: str, ttl: int = 60) -> None:
        """Set the records of one name and type, in zone-file form; replaces what was there."""
        absolute = dns.name.from_text(name)
        self._records[_fold(name), rdtype] = dns.rrset.from_text(absolute, ttl, "IN", rdtype, *values)

    def mx(self, domain: str, *hosts: str, ttl: int = 60) -> None:
        """MX records with preferences 10, 20, … in the order given; none means the null MX (RFC 7505)."""
        values = [f"{10 * (i + 1)} {host.rstrip('.')}." for i, host in enumerate(hosts)] or ["0 ."]
        self.add(domain, "MX", *values, ttl=ttl)

    def a(self, name: str, *addresses: str, ttl: int = 60) -> None:
        """A or AAAA records, by the look of each address."""
        for rdtype, group in (
            ("A", [a for a in addresses if ":" not in a]),
            ("AAAA", [a for a in addresses if ":" in a]),
        ):
            if group:
                self.add(name, rdtype, *group, ttl=ttl)

    def txt(self, name: str, *texts: str, ttl: int = 60) -> None:
        """TXT records; each text is cut into strings of 255 octets (RFC 1035 3.3.14)."""
        values = []
        for text in texts:
            parts = [text[i : i + 255] for i in range(0, len(text), 255)] or [""]
            values.append(
                " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
            )
        self.add(name, "TXT", *values, ttl=ttl)

    def cname(self, name: str, target: str, ttl: int = 60) -> None:
        self.add(name, "CNAME", f"{target.rstrip('.')}.", ttl=ttl)

    def servfail(self, name: str) -> None:
        """Answer SERVFAIL to every question about the name."""
        self._rcodes[_fold(name)] = dns.rcode.SERVFAIL

    def refuse(self, name: str) -> None:
        """Answer REFUSED to every question about the name."""
        self._rcodes[_fold(name)] = dns.rcode.REFUSED

    def silence(self, name: str) -> None:
        """Never answer a question about the name: it times out."""
        self._silent.add(_fold(name))

    def truncate(self, name: str) -> None:
        """Answer over UDP with the TC bit alone, so that the question comes again over TCP."""
        self._truncated.add(_fold(name))

    def raw(self, name: str, reply: Raw) -> None:
        """Answer every question about the name with the octets that `reply` makes of it."""
        self._raw[_fold(name)] = reply

    def forget(self, name: str) -> None:
        """Drop every record and fault of the name: NXDOMAIN again."""
        folded = _fold(name)
        for key in [key for key in self._records if key[0] == folded]:
            del self._records[key]
        self._rcodes.pop(folded, None)
        self._silent.discard(folded)
        self._truncated.discard(folded)
        self._raw.pop(folded, None)

    def vouch(self, *zones: str) -> None:
        """Say AD, as a validating resolver does, of what lies in these zones, to who asks for it."""
        self._vouched = tuple(_fold(zone) for zone in zones)

    def asked(self, name: str, rdtype: str) -> int:
        """How often this was asked."""
        return self.questions[_fold(name), rdtype]

    def text(self, name: str) -> str:
        """The content of the name's first TXT record; KeyError without one."""
        return b"".join(self._records[_fold(name), "TXT"][0].strings).decode()

    # What resolvers hear

    def answer(self, wire: bytes, *, over_tcp: bool) -> bytes | None:
        """The reply to one question in wire form, or None for none."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
            return response.to_wire()
        question = query.question[0]
        name, rdtype = _fold(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        self.questions[name, rdtype] += 1
        if query.flags & dns.flags.AD and any(f".{name}".endswith(f".{zone}") for zone in self._vouched):
            response.flags |= dns.flags.AD
        if name in self._silent:
            return None
        if name in self._raw:
            return self._raw[name](wire, over_tcp)
        if name in self._truncated and not over_tcp:
            response.flags |= dns.flags.TC
            return response.to_wire()
        if name in self._rcodes:
            response.set_rcode(self._rcodes[name])
        else:
            self._fill(response, name, rdtype)
        limit = 65535 if over_tcp else max(512, query.payload)
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.AA | dns.flags.TC
            return short.to_wire()

    def _fill(self, response: dns.message.Message, name: str, rdtype: str) -> None:
        for _ in range(CNAME_LIMIT):
            if found := self._records.get((name, rdtype)):
                response.answer.append(found)
                return
            alias = self._records.get((name, "CNAME"))
            if alias is None:
                break
            response.answer.append(alias)
            name = _fold(alias[0].target.to_text())
        exists = any(key[0] == name or key[0].endswith("." + name) for key in self._records)
        if not exists:
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = "ns.test. hostmaster.test. 1 3600 600 86400 60"
        response.authority.append(dns.rrset.from_text(".", 60, "IN", "SOA", soa))

    # Its life

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=(self.host, self.port))
        self._open = [udp, await asyncio.start_server(self._tcp, self.host, self.port)]

    async def _close(self) -> None:
        for endpoint in self._open:
            endpoint.close()

    async def _tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                reply = self.answer(await reader.readexactly(size), over_tcp=True)
                await asyncio.sleep(self.delay_s)
                if reply is not None:
                    writer.write(len(reply).to_bytes(2, "big") + reply)
                    await writer.drain()

    def start(self) -> DnsServer:
        self._thread = LoopThread("test dns")
        self._thread.run(self._serve())
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.run(self._close())
            self._thread.close()
            self._thread = None

    def __enter__(self) -> DnsServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # by the loop's contract for datagrams

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._server.answer(data, over_tcp=False)
        if reply is not None and self._transport is not None:
            asyncio.get_running_loop().call_later(self._server.delay_s, self._transport.sendto, reply, addr)
