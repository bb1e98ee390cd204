"""A load of submissions, STARTTLS and AUTH PLAIN before each message, as people's mail programs send.

    python -m tests.bench.submit PORT SESSIONS MESSAGES SIZE KEPT REVERSE_PATH RECIPIENT < PASSWORD

Postfix's smtp-source has neither. A process for each session, in lock step like smtp-source: a handshake and
a dozen small reads and writes are all that a message costs here, and no lock is shared. Exits 0 when each
message was answered 250; prints what the first refused one heard.
"""

from __future__ import annotations

import argparse
import base64
import multiprocessing
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TIMEOUT_S = 120.0
_LINE = b"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuv\r\n"


class Refused(Exception):
    """The server said something else than what was waited for."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one session sends; `size_bytes` is a whole message's, the final dot not counted."""

    port: int
    messages: int
    size_bytes: int
    kept: bool
    reverse_path: str
    recipient: str
    password: str
    session: int = 0


def message(job: Job, number: int) -> bytes:
    """A message of `size_bytes` octets (or one more), with the fields that a mail program writes."""
    header = (
        f"From: <{job.reverse_path}>\r\nTo: <{job.recipient}>\r\nSubject: bench {number}\r\n"
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n"
        f"Message-ID: <{job.session}.{number}.{time.time_ns()}@client.bench>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
    ).encode()
    room = max(0, job.size_bytes - len(header))
    lines, rest = divmod(room, len(_LINE))
    tail = b"x" * max(0, rest - 2) + b"\r\n" if rest else b""
    return header + _LINE * lines + tail


class Session:
    """One signed-in connection. Raises Refused, or OSError when the connection breaks."""

    def __init__(self, job: Job, context: ssl.SSLContext) -> None:
        self._job = job
        raw = socket.create_connection(("127.0.0.1", job.port), timeout=TIMEOUT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: socket.socket = raw
        self._unread = b""
        self._reply(b"220")
        self._say(b"EHLO client.bench\r\n", b"250")
        self._say(b"STARTTLS\r\n", b"220")
        self._socket = context.wrap_socket(raw)
        self._say(b"EHLO client.bench\r\n", b"250")
        claim = f"\0{job.reverse_path}\0{job.password}".encode()
        self._say(b"AUTH PLAIN " + base64.b64encode(claim) + b"\r\n", b"235")

    def send(self, number: int) -> None:
        """One message, from MAIL to the 250 that takes it."""
        job = self._job
        self._say(f"MAIL FROM:<{job.reverse_path}>\r\n".encode(), b"250")
        self._say(f"RCPT TO:<{job.recipient}>\r\n".encode(), b"250")
        self._say(b"DATA\r\n", b"354")
        self._say(message(job, number) + b".\r\n", b"250")

    def quit(self) -> None:
        """QUIT and the reply to it."""
        self._say(b"QUIT\r\n", b"221")
        self._socket.close()

    def close(self) -> None:
        """Let go of the connection; harmless when it is closed."""
        self._socket.close()

    def _say(self, octets: bytes, wanted: bytes) -> None:
        self._socket.sendall(octets)
        self._reply(wanted)

    def _reply(self, wanted: bytes) -> None:
        """Read one reply, all its lines."""
        while True:
            line, found, rest = self._unread.partition(b"\r\n")
            if not found:
                chunk = self._socket.recv(65_536)
                if not chunk:
                    raise Refused("the connection was closed")
                self._unread += chunk
                continue
            self._unread = rest
            if line[3:4] != b"-":
                if not line.startswith(wanted):
                    raise Refused(line.decode("latin-1"))
                return


def tls() -> ssl.SSLContext:
    """TLS without a look at who is there: loopback, and each handshake a full one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def signed_in(job: Job, context: ssl.SSLContext) -> Iterator[Session]:
    session = Session(job, context)
    try:
        yield session
        session.quit()
    finally:
        session.close()


def run(job: Job) -> str | None:
    """Send all of a session's messages; what the first refused one heard, or None."""
    context = tls()
    try:
        if job.kept:
            with signed_in(job, context) as session:
                for number in range(job.messages):
                    session.send(number)
            return None
        for number in range(job.messages):
            with signed_in(job, context) as session:
                session.send(number)
    except (Refused, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def shares(messages: int, sessions: int) -> list[int]:
    """How many messages each session sends: all of them, as even as can be."""
    each, more = divmod(messages, sessions)
    return [each + (number < more) for number in range(sessions)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.submit")
    for name in ("port", "sessions", "messages", "size", "kept"):
        parser.add_argument(name, type=int)
    parser.add_argument("reverse_path")
    parser.add_argument("recipient")
    asked = parser.parse_args()
    password = sys.stdin.readline().rstrip("\n")
    jobs = [
        Job(asked.port, share, asked.size, bool(asked.kept), asked.reverse_path, asked.recipient, password, n)
        for n, share in enumerate(shares(asked.messages, asked.sessions))
        if share
    ]
    with multiprocessing.get_context("fork").Pool(len(jobs)) as pool:
        faults = [fault for fault in pool.map(run, jobs, chunksize=1) if fault]
    for fault in faults[:1]:
        print(f"{len(faults)} of {len(jobs)} sessions ended early: {fault}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
