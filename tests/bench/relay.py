"""mailgov side by side with Postfix, alone and with OpenDKIM and a policy service.

`python -m tests.bench.relay [--messages N] [--sessions N] [--size BYTES] [--rounds N] [--kept]
[--peers postfix,full,mailgov]`. Every run has a fresh peer and a fresh sink. Needs Debian's
postfix and opendkim, and root for Postfix; a peer that cannot run is named and left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.bench import cpu
from tests.bench.load import Shape, counting_sink, send
from tests.bench.own import Mailgov
from tests.bench.postfix import Postfix
from tests.bench.report import Run, summary
from tests.support.processes import free_port, wait_until
from tests.support.programs import find_program, program

DOMAIN = "bench.gov.vn"
ACCOUNT = f"scanner@{DOMAIN}"
RECIPIENT_DOMAIN = "destination.test"
RECIPIENT = f"citizen@{RECIPIENT_DOMAIN}"
TIMEOUT_S = 120.0


class Peer(Protocol):
    """A service under load."""

    @property
    def name(self) -> str: ...

    def missing(self) -> str | None: ...

    def running(self, folder: Path, sink_port: int, cpu: cpu.Group) -> AbstractContextManager[int]: ...


def run(peer: Peer, number: int, shape: Shape, work: Path) -> Run:
    """One peer, once."""
    sink_port = free_port()
    folder = work / "peer"
    with (
        cpu.group("peer") as used,
        cpu.group("load") as aside,
        counting_sink(sink_port, aside) as sink,
        peer.running(folder, sink_port, used) as port,
    ):
        _settle(used)
        sink.expect(shape.messages)
        cpu_before = used.cpu_s()
        start = time.perf_counter()
        sent = send(shape, port, ACCOUNT, RECIPIENT, aside, work / "load.log", TIMEOUT_S)
        accepted_at = time.perf_counter()
        reached_at = sink.reached_at(TIMEOUT_S if sent else 1.0)
        end = reached_at or time.perf_counter()
        cpu_after = used.cpu_s()
        memory_mb = used.memory_mb()
        delivered = sink.count
    cpu_s = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
    return Run(
        peer=peer.name,
        round=number,
        delivered=delivered,
        complete=sent and reached_at is not None,
        accepted_rate=shape.messages / (accepted_at - start) if sent else 0.0,
        delivered_rate=delivered / (end - start),
        cpu_s_per_1000=None if cpu_s is None or not delivered else cpu_s / delivered * 1000,
        memory_mb=memory_mb,
    )


def _settle(used: cpu.Group) -> None:
    """Wait until the peer has done starting: less than a tenth of a core over half a second."""
    before: list[tuple[float, float]] = []

    def quiet() -> bool:
        now, spent = time.perf_counter(), used.cpu_s()
        if spent is None:
            return True
        before.append((now, spent))
        then = next(((at, s) for at, s in reversed(before) if now - at >= 0.5), None)
        return then is not None and (spent - then[1]) / (now - then[0]) < 0.1

    wait_until(quiet, timeout_s=20, what="a quiet peer")


@contextmanager
def work_folder() -> Iterator[Path]:
    """`bench-work` here, or a folder under /var/tmp where Postfix's account could not reach it."""
    here = Path("bench-work").resolve()
    here.mkdir(exist_ok=True)
    here.chmod(0o755)
    if all(parent.stat().st_mode & 0o001 for parent in here.parents):
        yield here
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="mailgov-bench-") as elsewhere:
        Path(elsewhere).chmod(0o755)
        yield Path(elsewhere)


def signing_key(work: Path) -> Path:
    """An RSA-2048 key for OpenDKIM."""
    key = work / "dkim.pem"
    if not key.exists():
        argv = [program("openssl"), "genrsa", "-traditional", "-out", str(key), "2048"]
        subprocess.run(argv, check=True, capture_output=True)
    return key


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench.relay", description="mailgov beside Postfix")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--size", type=int, default=4096, help="bytes of a message")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kept", action="store_true", help="all messages of a session on one connection")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="mailgov's workers")
    parser.add_argument("--peers", default="postfix,full,mailgov")
    return parser.parse_args(argv)


def main() -> int:
    options = arguments()
    if not find_program("smtp-source"):
        print(
            "bench: Postfix's smtp-source and smtp-sink are not installed (apt-get install postfix)",
            file=sys.stderr,
        )
        return 1
    shape = Shape(options.messages, options.sessions, options.size, options.kept)
    own = Mailgov(DOMAIN, ACCOUNT, RECIPIENT_DOMAIN, options.workers)
    with work_folder() as work:
        key = signing_key(work)
        known: dict[str, Peer] = {"postfix": Postfix(False, DOMAIN, key), "full": Postfix(True, DOMAIN, key)}
        known["mailgov"] = own
        peers = []
        for peer in (known[name] for name in options.peers.split(",")):
            if reason := peer.missing():
                print(f"left out: {peer.name}: {reason}")
            else:
                peers.append(peer)
        with cpu.group("probe") as probe:
            if not probe.measured:
                print("CPU and memory are not measured: no control group may be made here")
        runs = []
        for number in range(1, options.rounds + 1):
            for peer in peers if number % 2 else reversed(peers):
                runs.append(run(peer, number, shape, work))
                print(f"round {number}: {peer.name}: {runs[-1].delivered_rate:.0f} messages/s", flush=True)
        text = summary(runs, shape, own.name, work)
    print("\n" + text)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    Path("bench-work", f"relay-{stamp}.txt").write_text(text, encoding="utf-8")
    rows = [json.dumps(dataclasses.asdict(each)) for each in runs]
    Path("bench-work", f"relay-{stamp}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return 0 if all(each.complete for each in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
