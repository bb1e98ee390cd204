"""Inputs without coverage's guidance: the corpus, changed at random, where atheris is not at hand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

WORDS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"--", b"--b", b"--b--", b'"', b"\\", b";", b"=", b"%",
    b"*0*=", b".", b"\r\n.\r\n", b"\n.\n", b"\r\n..", b"\r\n\r\n", b"\0", b"\xff", b"<", b">", b"@", b"(",
    b")", b",", b"=?utf-8?B?", b"=?utf-8?Q?", b"=?x?b?", b"?=", b"=C4=91", b"From: ", b"Subject: ",
    b"Date: ", b"Message-ID: <", b"Received: ", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: attachment; filename*=utf-8''",
    b"DKIM-Signature: v=1; a=rsa-sha256; d=a.b; s=c; h=from; bh=YQ==; b=YQ==\r\n",
    b"ARC-Seal: i=1; cv=none; ", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"MZ",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"7z\xbc\xaf\x27\x1c", b"MAIL FROM:<a@b.vn>\r\n",
    b"RCPT TO:<binhtt@caobang.gov.vn>\r\n", b"DATA\r\n", b"BDAT 4 LAST\r\n", b"RSET\r\n", b" SIZE=1",
    b" BODY=8BITMIME", b" NOTIFY=NEVER", b" ORCPT=rfc822;a", b" RET=HDRS", b" include:", b" ip4:", b"%{i}",
    "Giấy mời".encode(), "TỐI MẬT".encode(), "\u202e".encode(),
]  # fmt: skip
"""libFuzzer's dictionary too."""
LONGEST = 65_536


def inputs(corpus: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Without an end, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        octets = bytearray(rng.choice(corpus))
        for _ in range(rng.choice((1, 1, 2, 4, 8, 16))):
            _change(rng, octets, corpus)
        yield bytes(octets[:LONGEST])


def _change(rng: random.Random, octets: bytearray, corpus: Sequence[bytes]) -> None:
    start = rng.randrange(len(octets) + 1)
    end = min(len(octets), start + rng.choice((1, 2, 4, 16, 64, 512)))
    match rng.randrange(6):
        case 0:
            octets[start:start] = rng.choice(WORDS)
        case 1:
            octets[start:end] = rng.choice(WORDS)
        case 2:
            del octets[start:end]
        case 3:
            octets[start:start] = octets[start:end] * rng.choice((1, 2, 10, 200))
        case 4:
            other = rng.choice(corpus)
            octets[start:end] = other[rng.randrange(len(other) + 1) :][: end - start + 64]
        case _:
            octets[start : start + 1] = rng.randbytes(1)
