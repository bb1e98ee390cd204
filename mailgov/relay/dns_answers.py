"""Answers of the DNS, weighed in one linear pass before a record of them is decoded.

Who answers is a stranger, and compression (RFC 1035 4.1.4) lets two octets stand for a name of 127 labels:
64 KB may cost seconds to decode. What passes here costs milliseconds, whatever is in it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rdataclass
import dns.rdatatype

ANSWER_OCTETS = 16_384
"""Of one answer: SPF, DKIM keys, DMARC, MX and addresses take under 4 KB, the fullest TXT sets under 10."""
ANSWER_OWNERS = 12
"""Different names that own them: the question, the aliases on the way, a zone or two."""
ANSWER_WORK = 10_000
"""What decoding may cost, in microseconds or so: 100 addresses or texts of an everyday name take 8000."""
RECORD_WORK = 60
STRING_WORK = 8
"""Of each string of a text, which may have no octet at all."""
LABELS_WORK = 3
"""A name in the data costs the square of its labels over this: its canonical form is made label by label."""

HEADER = struct.Struct("!HHHHHH")
RECORD = struct.Struct("!HHIH")
NAME_OCTETS = 255
NAME_JUMPS = 16
POINTER = 0xC0
OPAQUE = 65_534
"""A type for private use (RFC 6895 3.1): its data are octets, and nobody reads them."""
NAMES: dict[int, tuple[int, int]] = {
    dns.rdatatype.CNAME: (0, 1),
    dns.rdatatype.PTR: (0, 1),
    dns.rdatatype.MX: (2, 1),
    dns.rdatatype.SOA: (0, 2),
}
"""Where names begin in the data of the kinds that are decoded, and how many stand there."""


class TooCostly(dns.exception.FormError):
    """An answer past the bounds: another server may be asked, and what the name has is not known now."""


class BoundedNameserver(dns.nameserver.Do53Nameserver):
    """A DNS server, over UDP, and TCP where that is too small; its answers are weighed, then decoded."""

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,  # noqa: ASYNC109 - the signature is dnspython's
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """The answer; raises Truncated where TCP is to be asked, DNSException, OSError or EOFError for none.

        The system chooses the place to ask from, and `source` is not looked at: the resolver names none.
        """
        ask = self._over_tcp if max_size else self._over_udp
        try:
            async with asyncio.timeout(timeout):
                return await ask(request, backend)
        except TimeoutError:
            raise dns.exception.Timeout from None

    async def _over_udp(self, request: dns.message.QueryMessage, backend: Any) -> dns.message.Message:
        family = dns.inet.af_for_address(self.address)
        server = dns.inet.low_level_address_tuple((self.address, self.port), family)
        async with await backend.make_socket(family, socket.SOCK_DGRAM, 0, None, None) as sock:
            await dns.asyncquery.send_udp(sock, request, server)
            while True:
                wire, sender = await sock.recvfrom(65_535, None)
                if _same_place(family, sender, server) and (answer := read(request, wire)) is not None:
                    return answer

    async def _over_tcp(self, request: dns.message.QueryMessage, backend: Any) -> dns.message.Message:
        family = dns.inet.af_for_address(self.address)
        server = (self.address, self.port)
        async with await backend.make_socket(family, socket.SOCK_STREAM, 0, None, server) as sock:
            await dns.asyncquery.send_tcp(sock, request)
            size = int.from_bytes(await _exactly(sock, 2), "big")
            if size > ANSWER_OCTETS:
                raise TooCostly
            answer = read(request, await _exactly(sock, size))
        if answer is None:
            raise dns.query.BadResponse
        return answer


def _same_place(family: int, sender: tuple[Any, ...], server: tuple[Any, ...]) -> bool:
    packed = [dns.inet.inet_pton(family, place[0].partition("%")[0]) for place in (sender, server)]
    return packed[0] == packed[1] and sender[1] == server[1]


async def _exactly(sock: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        if not (more := await sock.recv(size - len(got), None)):
            raise EOFError
        got += more
    return bytes(got)


def read(request: dns.message.QueryMessage, wire: bytes) -> dns.message.Message | None:
    """The message of `wire` without its additional section; None where it does not answer `request`.

    Records of other kinds than the one asked for, aliases and the zone's SOA are left as octets. Raises
    TooCostly past the bounds, Truncated for an answer that says that it is cut, FormError for what is no
    message.
    """
    try:
        end = _answers(request, wire)
        if end is None:
            return None
        if len(wire) > ANSWER_OCTETS:
            raise TooCostly
        return dns.message.from_wire(weighed(wire, end, request.question[0].rdtype))
    except (dns.message.Truncated, dns.exception.FormError):
        raise
    except (dns.exception.DNSException, IndexError, struct.error) as error:
        raise dns.exception.FormError from error


def _answers(request: dns.message.QueryMessage, wire: bytes) -> int | None:
    """Where the records begin, if this answers the request by its number and question."""
    if len(wire) < HEADER.size:
        return None
    number, flags, questions, *_ = HEADER.unpack_from(wire)
    if number != request.id or questions > 1:
        return None
    try:
        end = _skip(wire, HEADER.size) + 4 if questions else HEADER.size
        head = dns.message.from_wire(
            HEADER.pack(number, flags, questions, 0, 0, 0) + wire[HEADER.size : end], ignore_trailing=True
        )
    except (dns.exception.DNSException, IndexError, ValueError):
        return None
    if not request.is_response(head):
        return None
    if flags & dns.flags.TC:
        raise dns.message.Truncated
    return end


def weighed(wire: bytes, at: int, kind: int) -> bytes:
    """`wire` up to its additional section, what nobody asked for made opaque; raises TooCostly."""
    number, flags, questions, answers, authorities, _ = HEADER.unpack_from(wire)
    if (answers + authorities) * RECORD_WORK > ANSWER_WORK:
        raise TooCostly
    out = bytearray(wire)
    found = []
    for _ in range(answers + authorities):
        start, at = at, _skip(out, at)
        it, group, _, size = RECORD.unpack_from(out, at)
        if group != dns.rdataclass.IN or it not in (kind, dns.rdatatype.CNAME, dns.rdatatype.SOA):
            it = OPAQUE
            struct.pack_into("!HH", out, at, it, dns.rdataclass.IN)
        found.append((it, start, at + RECORD.size, size))
        at += RECORD.size + size
    HEADER.pack_into(out, 0, number, flags, questions, answers, authorities, 0)
    del out[at:]
    _weigh(out, found)
    return bytes(out)


def _weigh(wire: bytearray, records: list[tuple[int, int, int, int]]) -> None:
    """Raise TooCostly for too many owners or too much work: (type, record, data, size of data) of each."""
    owners = set()
    work = RECORD_WORK * len(records)
    for kind, start, data, size in records:
        owner, _, _ = _written_out(wire, start)
        owners.add(owner)
        work += len(owner) + _data_work(wire, kind, data, size)
        if work > ANSWER_WORK or len(owners) > ANSWER_OWNERS:
            raise TooCostly


def _data_work(wire: bytearray, kind: int, at: int, size: int) -> int:
    if kind == dns.rdatatype.TXT:
        return STRING_WORK * _strings(wire, at, at + size)
    work = 0
    offset, names = NAMES.get(kind, (0, 0))
    at += offset
    for _ in range(names):
        name, labels, at = _written_out(wire, at)
        work += len(name) + labels * labels // LABELS_WORK
    return work


def _skip(wire: bytes | bytearray, at: int) -> int:
    """The octet after the name as it is written at `at`."""
    while size := wire[at]:
        if size >= POINTER:
            return at + 2
        at += 1 + size
    return at + 1


def _written_out(wire: bytearray, at: int) -> tuple[bytes, int, int]:
    """The name at `at` without compression, in lower case, its labels, and the octet after it as it stands.

    Pointers lead back only (RFC 1035 4.1.4).
    """
    name = bytearray()
    bound, after, labels, jumps = at, 0, 0, 0
    while size := wire[at]:
        if size >= POINTER:
            jumps += 1
            after = after or at + 2
            at = (size & 0x3F) << 8 | wire[at + 1]
            if at >= bound:
                raise dns.name.BadPointer
            bound = at
        else:
            labels += 1
            name += wire[at : at + 1 + size]
            at += 1 + size
        if len(name) >= NAME_OCTETS or jumps > NAME_JUMPS:
            raise TooCostly
    return bytes(name).lower() + b"\0", labels, after or at + 1


def _strings(wire: bytearray, at: int, end: int) -> int:
    count = 0
    while at < end:
        at += 1 + wire[at]
        count += 1
    return count
