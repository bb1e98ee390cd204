"""Memory under large messages: many sessions at once, by DATA and by BDAT, against a real `mailgov serve`.

    make bench-memory [BENCH_ARGS="--sessions 100 --megabytes 50 --surplus 20"]

Prints resident memory of each process before and at its highest, and what the surplus sessions
heard. Exits 1 above 512 MB for a process, above 8 MB for a session, or where a surplus session is served.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support.mailgov_service import Service
from tests.wire.client import Closed, Said, Wire

PROCESS_MB, SESSION_MB = 512, 8
RECIPIENT = "annv@caobang.gov.vn"
HEAD = b"From: <khach@example.org>\r\nSubject: bench\r\nMessage-ID: <%d@example.org>\r\n\r\n"
PIECE = (b"QUJD" * 19 + b"\r\n") * 2048
"""160 KB in lines of 76, as base64 has them."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process in MB, now and at its highest since `forget`."""

    now: float
    highest: float

    @classmethod
    def of(cls, pid: int) -> Memory:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", text, re.MULTILINE))
        return cls(int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024)


def forget(pid: int) -> None:
    """Start the highest mark anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


async def envelope(wire: Wire) -> None:
    await wire.ehlo()
    said = await wire.envelope("khach@example.org", RECIPIENT)
    assert [reply.code for reply in said] == [250, 250], said


async def by_data(wire: Wire, number: int, pieces: int) -> Said:
    assert (await wire.say("DATA")).code == 354
    await wire.send(HEAD % number)
    for _ in range(pieces):
        await wire.send(PIECE)
    await wire.send(b".\r\n")
    return await patiently(wire)


async def by_bdat(wire: Wire, number: int, pieces: int) -> Said:
    assert (await wire.bdat(HEAD % number)).code == 250
    for _ in range(pieces):
        await wire.send(b"BDAT %d\r\n" % len(PIECE) + PIECE)
        assert (await patiently(wire)).code == 250
    await wire.send(b"BDAT 0 LAST\r\n")
    return await patiently(wire)


async def patiently(wire: Wire) -> Said:
    """The next reply, in the 10 minutes that RFC 5321 4.5.3.2.6 gives the end of data."""
    async with asyncio.timeout(600):
        return await wire._reply(False)


async def rush(
    port: int, how: str, sessions: int, surplus: int, pieces: int
) -> tuple[Counter[str], Counter[str]]:
    """All sessions open before any sends its message; what they and the surplus heard."""
    wires = []
    for number in range(sessions):
        wire = await Wire.connect(port, source=f"127.0.1.{number % 200 + 1}")
        await envelope(wire)
        wires.append(wire)
    turned = Counter([await turned_away(port) for _ in range(surplus)])
    send = by_data if how == "DATA" else by_bdat
    said = await asyncio.gather(*(send(wire, number, pieces) for number, wire in enumerate(wires)))
    for wire in wires:
        await wire.say("QUIT")
        await wire.closed()
    return Counter(reply.short for reply in said), turned


async def turned_away(port: int) -> str:
    wire = await Wire.connect(port, greeted=False, source="127.0.2.1")
    try:
        return str((await wire.reply(plain=True)).code)
    except Closed:
        return "closed"
    finally:
        await wire.close()


def measure(service: Service, how: str, options: argparse.Namespace) -> bool:
    pids = dict.fromkeys(service.processes("relay"), "relay")
    pids |= dict.fromkeys(service.processes("web"), "web") | {service.program.pid: "supervisor"}
    before = {pid: Memory.of(pid) for pid in pids}
    for pid in pids:
        forget(pid)
    pieces = options.megabytes * 1_000_000 // len(PIECE)
    start = time.monotonic()
    said, turned = asyncio.run(rush(service.mx, how, options.sessions, options.surplus, pieces))
    took = time.monotonic() - start
    print(f"\n{how}: {options.sessions} sessions of {options.megabytes} MB at once, {took:.0f} s")
    print(f"  they heard {dict(said)}; {options.surplus} more heard {dict(turned)}")
    fine = set(said) == {"250 2.0.0"} and set(turned) <= {"421", "452"}
    for pid, role in pids.items():
        memory = Memory.of(pid)
        each = (memory.highest - before[pid].now) / options.sessions
        print(
            f"  {role:<10} before {before[pid].now:6.1f} MB, highest {memory.highest:6.1f} MB,"
            f" now {memory.now:6.1f} MB; {each:.2f} MB a session"
        )
        fine = fine and memory.highest < PROCESS_MB and each < SESSION_MB
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--surplus", type=int, default=20)
    parser.add_argument("--folder", help="where the spool lies for the time of the run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailgov-memory-", dir=options.folder) as folder:
        service = Service(Path(folder) / "mailgov", {"smtp": {"session_limit": options.sessions}})
        service.init()
        service.add_account(RECIPIENT)
        with service:
            fine = [measure(service, how, options) for how in ("DATA", "BDAT")]
    print("\nwithin the bounds" if all(fine) else "\nNOT within the bounds")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
