"""Postfix's smtp-sink as the outside world: a receiver that nobody here wrote. Needs `needs("smtp-sink")`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Program, free_port, wait_port, wait_until
from tests.support.programs import program

_COUNT = re.compile(r"mesg=(\d+)")
_ADDED = re.compile(rb"Received: from [^\n]*\n(?:\t[^\n]*\n)*")


@dataclass(frozen=True, slots=True)
class Dumped:
    """One message of a dump: line ends are CRLF again."""

    reverse_path: str
    recipients: tuple[str, ...]
    data: bytes


class SmtpSink:
    """A running smtp-sink; `messages` reads what it has dumped."""

    def __init__(self, port: int, folder: Path, running: Program) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        self._program = running

    def count(self) -> int:
        """Messages that it has accepted so far, as it says itself."""
        found = _COUNT.findall(self._program.output())
        return int(found[-1]) if found else 0

    def wait_for(self, count: int, *, timeout_s: float = 20.0) -> list[Dumped]:
        """The messages, once there are `count` of them at least."""
        wait_until(
            lambda: self.count() >= count,
            timeout_s=timeout_s,
            what=f"message {count} at smtp-sink",
            program=self._program,
        )
        return self.messages()

    def messages(self) -> list[Dumped]:
        """All that it has dumped, in no order."""
        return [_parse(file.read_bytes()) for file in sorted(self._folder.iterdir())]


@contextmanager
def smtp_sink(folder: Path, *, options: Sequence[str] = (), port: int | None = None) -> Iterator[SmtpSink]:
    """smtp-sink on loopback, dumping under `folder`; `options` such as `["-r", "DATA"]` go to it."""
    dumps = folder / "dumps"
    dumps.mkdir()
    port = port or free_port()
    argv = [program("smtp-sink"), "-c", "-d", f"{dumps}/%H%M%S."]
    if os.geteuid() == 0:
        argv += ["-u", "root"]  # it wants to be told under which account to go on
    with Program([*argv, *options, f"127.0.0.1:{port}", "256"], log=folder / "smtp-sink.log") as running:
        wait_port(port, program=running)
        yield SmtpSink(port, dumps, running)


def _parse(dump: bytes) -> Dumped:
    reverse_path, recipients = "", []
    while dump.startswith(b"X-"):
        line, _, rest = dump.partition(b"\n")
        name, _, value = line.decode("utf-8", "surrogateescape").partition(": ")
        path = value.partition(">")[0].lstrip("<")
        if name == "X-Mail-Args":
            reverse_path = path
        elif name == "X-Rcpt-Args":
            recipients.append(path)
        elif name not in {"X-Client-Addr", "X-Client-Proto", "X-Helo-Args"}:
            break  # the message's own header has begun
        dump = rest
    dump = _ADDED.sub(b"", dump, count=1)
    return Dumped(reverse_path, tuple(recipients), dump.removesuffix(b"\n").replace(b"\n", b"\r\n"))
