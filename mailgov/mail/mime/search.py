"""Boundary lines found by byte search (RFC 2046 5.1.1), in bounded work."""

from __future__ import annotations

from mailgov.mail.transfer import Data

_FALSE_BOUNDARIES = 20_000  # lines that only begin like a boundary, in the whole message
_LINE_OCTETS = 2000  # how far the end of a boundary line is looked for
_SMALLEST_WINDOW, _LARGEST_WINDOW = 1 << 12, 1 << 20
_SEARCHES = 12  # times the whole message may be searched; each level of nesting searches its part once


class Search:
    """Over `data`, which is another while the walk is in decoded content; `complete` until a bound is met."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.complete = True
        self._false_left = _FALSE_BOUNDARIES
        self._left = _SEARCHES * (len(data) + _LARGEST_WINDOW)

    def allow(self, octets: int) -> None:
        """There are so many more octets to be searched."""
        self._left += _SEARCHES * octets

    def next_line(self, delimiter: bytes, start: int, end: int) -> tuple[int, int, bool] | None:
        """The next boundary line from `start` (where a line begins) to `end`.

        Answers where the line begins, where the next one does, and whether it closes the multipart.
        """
        at = self._find(b"\n" + delimiter, max(0, start - 1), end)
        while at >= 0:
            rest = at + 1 + len(delimiter)
            line, line_end, _ = bytes(self.data[rest : min(end, rest + _LINE_OCTETS)]).partition(b"\n")
            tail = line.rstrip(b" \t\r")
            if tail in {b"", b"--"}:
                return at + 1, rest + len(line) + len(line_end), tail == b"--"
            self._false_left -= 1  # another, longer boundary
            if self._false_left <= 0:
                self.complete = False
                return None
            at = self._find(b"\n" + delimiter, rest, end)
        return None

    def _find(self, needle: bytes, start: int, end: int) -> int:
        """As bytes.find, until the message has been searched too often."""
        if self._left <= 0:
            self.complete = False
            return -1
        data = self.data
        if isinstance(data, (bytes, bytearray)):
            at = data.find(needle, start, end)
        else:  # no fast search of its own: in windows, small ones first for the many short parts
            at, size, window_start = -1, _SMALLEST_WINDOW, start
            while at < 0 and window_start < end:
                found = bytes(data[window_start : min(end, window_start + size)]).find(needle)
                at = window_start + found if found >= 0 else -1
                window_start += size - len(needle) + 1
                size = min(2 * size, _LARGEST_WINDOW)
        self._left -= (end if at < 0 else at) - start
        return at
