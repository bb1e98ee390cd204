"""What a signature and a body's hash cost, by size and form: `python -m tests.bench.signing`."""

from __future__ import annotations

import base64
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from mailgov.relay.sign import Signer, body_hash
from mailgov.store.snapshot import SigningKey
from tests.support.relay_node import DOMAIN, ED25519_SELECTOR, RSA_SELECTOR, private_keys

SIZES = (4096, 16_384, 65_536, 131_072, 1_048_576, 10_485_760, 41_943_040)
LINE = b"Kinh gui cac don vi,  ve viec hop giao ban thang 11 nam 2026 tai UBND\r\n"
HEAD = (
    b"From: An <annv@caobang.gov.vn>\r\nTo: b@example.org\r\nSubject: hop\r\nMessage-ID: <1@caobang.vn>\r\n"
    b"Date: Mon, 02 Nov 2026 08:15:00 +0700\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
)
ROUNDS = 5


def microseconds(
    work: Callable[[], object], times: int, clock: Callable[[], float] = time.thread_time
) -> float:
    """CPU of one `work()`, the least of some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = clock()
        for _ in range(times):
            work()
        found.append((clock() - began) / times * 1e6)
    return min(found)


def bodies(size: int) -> dict[str, bytes]:
    """Lines of text, and an attachment as it is sent."""
    encoded = b"\r\n".join(base64.b64encode(os.urandom(57)) for _ in range(size // 78 + 1))
    return {
        "text": (LINE * (size // len(LINE) + 1))[: size - 2] + b"\r\n",
        "base64": encoded[: size - 2] + b"\r\n",
    }


def main() -> None:
    for size in SIZES:
        times = max(2, min(400, 20_000_000 // size))
        for kind, body in bodies(size).items():
            simple = microseconds(lambda body=body: body_hash(body, 0, "simple"), times)  # type: ignore[misc]
            relaxed = microseconds(lambda body=body: body_hash(body, 0, "relaxed"), times)  # type: ignore[misc]
            print(f"{size:>9} octets of {kind:<6}: simple {simple:>7.0f} us, relaxed {relaxed:>7.0f} us")
    with tempfile.TemporaryDirectory() as name:
        for selector, key in private_keys().items():
            Path(name, f"{selector}.pem").write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        rsa = SigningKey(DOMAIN, RSA_SELECTOR, "rsa", f"{RSA_SELECTOR}.pem")
        ed25519 = SigningKey(DOMAIN, ED25519_SELECTOR, "ed25519", f"{ED25519_SELECTOR}.pem")
        signer, digest = Signer(Path(name)), body_hash(HEAD, 0)
        for what, keys in {"rsa": [rsa], "ed25519": [ed25519], "both": [rsa, ed25519]}.items():
            signer.sign(keys, HEAD, digest, 0)  # reads the keys
            took = microseconds(lambda keys=keys: signer.sign(keys, HEAD, digest, 0), 300)  # type: ignore[misc]
            print(f"signing by {what}: {took:.0f} us")
    with ThreadPoolExecutor(1) as threads:
        took = microseconds(lambda: threads.submit(int).result(), 1000, time.process_time)
        print(f"a thread's turn: {took:.0f} us of the process")


if __name__ == "__main__":
    main()
