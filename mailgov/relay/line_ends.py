"""Lines are settled as a message comes in: what leaves has CRLF and nothing else (RFC 5321 2.3.8)."""

from __future__ import annotations

import re

_ANY = re.compile(rb"\r\n|\r|\n")


class BareLineEnd(ValueError):
    """A CR or LF that is not part of CRLF, where such are refused."""


class Lines:
    """Checks or mends a message's lines, whatever the chunks' edges.

    It stands behind whatever finds the message's end, so mending never moves that end. `limit_octets`
    is of a line with its CRLF, without a dot that was doubled; 0 is no limit. Both methods raise
    BareLineEnd, unless `normalize`.
    """

    def __init__(self, *, normalize: bool = False, limit_octets: int = 0) -> None:
        self._normalize, self._limit = normalize, limit_octets
        self._carry = b""
        self._last = b"\r\n"
        self._open_octets = 0
        self.too_long = False
        """True once a line was over the limit."""

    def feed(self, data: bytes) -> bytes:
        """What `data` completes; a final CR waits for what follows it."""
        data, self._carry = self._carry + data, b""
        if data.endswith(b"\r"):
            data, self._carry = data[:-1], b"\r"
        return self._settled(data)

    def end(self) -> bytes:
        """What still belongs to the message: a last line that BDAT left open is closed as DATA does it."""
        rest, self._carry = self._settled(self._carry), b""
        return rest or (b"" if self._last == b"\r\n" else b"\r\n")

    def _settled(self, data: bytes) -> bytes:
        rest = data.replace(b"\r\n", b"")  # counting octets one by one takes thrice as long
        if b"\n" in rest or b"\r" in rest:
            if not self._normalize:
                raise BareLineEnd
            data = _ANY.sub(b"\r\n", data)
        if data:
            self._last = (self._last + data[-2:])[-2:]
            if self._limit and not self.too_long:
                self._measure(data)
        return data

    def _measure(self, data: bytes) -> None:
        lengths = [len(line) + 1 for line in data.split(b"\n")]  # the LF itself
        lengths[0] += self._open_octets
        self._open_octets = lengths[-1] - 1
        self.too_long = max(lengths) > self._limit
