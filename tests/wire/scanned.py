"""What a stranger sends to be looked into, and the outside of a scanner's tests."""

from __future__ import annotations

STRANGER = "vanthu@bo-mau.example"


def letter(part: bytes, author: str = STRANGER, *, before: int = 0) -> bytes:
    """A message whose last part is `part`, header and all; `before` octets stand in a text part before it."""
    filler = (b"Kinh gui " * 8 + b"\r\n") * (before // 74)
    return (
        b"From: <" + author.encode() + b">\r\nSubject: Bao cao\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain\r\n\r\nKinh gui\r\n" + filler + b"--b\r\n" + part + b"--b--\r\n"
    )
