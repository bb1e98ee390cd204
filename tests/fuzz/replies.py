"""What is said to strangers: well-formed replies (RFC 5321 4.2, RFC 2034), and nothing of the inside."""

from __future__ import annotations

import re

TELLS_OF_THE_INSIDE = re.compile(r"Traceback|Exception|[A-Z][a-z]+Error\b|\bFile \"|object at 0x|\.py\b")
_REPLY = re.compile(rb"(?:(\d{3})-[ -~\x80-\xff]*\r\n)*(\d{3}) ([ -~\x80-\xff]*)\r\n")
_PLAIN = frozenset({b"220", b"334", b"354"})
_ENHANCED = re.compile(rb"([245])\.\d{1,3}\.\d{1,3} ")


def check_replies(said: bytes) -> None:
    """Raises AssertionError where a session said anything else."""
    at = 0
    greeted = False
    while at < len(said):
        found = _REPLY.match(said, at)
        assert found, f"no reply: {said[at : at + 200]!r}"
        lines = found[0].split(b"\r\n")[:-1]
        assert all(line[:3] == found[2] and len(line) <= 510 for line in lines), found[0]
        assert not TELLS_OF_THE_INSIDE.search(found[0].decode()), found[0]
        hello = len(lines) > 1 or (found[2] == b"250" and b"mail." in found[3])
        enhanced = _ENHANCED.match(lines[0][4:])
        assert (enhanced and enhanced[1] == found[2][:1]) or found[2] in _PLAIN or hello, found[0]
        assert greeted or found[2] == b"220", found[0]
        greeted, at = True, found.end()
