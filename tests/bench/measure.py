"""One run: a fresh sink, a peer, a load, and the clock."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench import cpu
from tests.bench.figures import Run, others_share
from tests.bench.load import counting_sink, send
from tests.bench.report import cores, noise
from tests.bench.shapes import Shape
from tests.bench.site import Peer, Site
from tests.support.processes import wait_until

TIMEOUT_S = 300.0
LEDGER_S = 2.0
"""After the load: mailgov's forwarder waits a second for company; what it does then is the messages' too."""


def run(peer: Peer, site: Site, name: str, shape: Shape, number: int, folder: Path, sink_port: int) -> Run:
    """One peer, once, in round `number` of the shape called `name`."""
    log = folder.with_name("load.log")
    with cpu.group("peer") as used, cpu.group("load") as aside, counting_sink(sink_port, aside) as sink:
        with peer.running(folder, sink_port, used, shape.submission) as port:
            settle(used)
            sink.expect(shape.messages)
            before = _Clocks(used, aside)
            sent = send(shape, port, site, aside, log, TIMEOUT_S)
            accepted_at = time.perf_counter()
            reached_at = sink.reached_at(TIMEOUT_S if sent else 1.0)
            end = reached_at or time.perf_counter()
            settle(used, LEDGER_S)
            after = _Clocks(used, aside)
            memory_mb, largest_mb = used.memory_mb(), used.largest_mb()
        delivered = sink.count
    start = before.at
    return Run(
        shape=name,
        peer=peer.name,
        round=number,
        sent=shape.messages,
        delivered=delivered,
        accepted_rate=shape.messages / (accepted_at - start) if sent else 0.0,
        delivered_rate=delivered / (end - start),
        cpu_s_per_1000=_per_1000(before.peer_s, after.peer_s, shape.messages),
        load_cpu_s_per_1000=_per_1000(before.load_s, after.load_s, shape.messages),
        memory_mb=memory_mb,
        largest_mb=largest_mb,
        others=after.others(before),
    )


def quietly(
    repeats: int,
    peer: Peer,
    site: Site,
    name: str,
    shape: Shape,
    number: int,
    folder: Path,
    sink_port: int,
) -> Run:
    """`run`, and again while others disturb it, `repeats` times at most."""
    one = run(peer, site, name, shape, number, folder, sink_port)
    for _ in range(repeats):
        if not one.exact or not noise([one]):
            break
        one = run(peer, site, name, shape, number, folder, sink_port)
    return one


class _Clocks:
    """CPU used so far by peer, load, this process and the machine."""

    def __init__(self, peer: cpu.Group, load: cpu.Group) -> None:
        self.peer_s, self.load_s = peer.cpu_s(), load.cpu_s()
        self.own_s, self.machine_s = cpu.own_s(), cpu.machine_s()
        self.at = time.perf_counter()

    def others(self, before: _Clocks) -> float | None:
        """The share of the machine that went to others since `before`; None where it is not measured."""
        if self.peer_s is None or self.load_s is None or before.peer_s is None or before.load_s is None:
            return None
        ours = self.peer_s - before.peer_s + self.load_s - before.load_s + self.own_s - before.own_s
        return others_share(self.machine_s - before.machine_s, ours, self.at - before.at, cores())


def _per_1000(before_s: float | None, after_s: float | None, messages: int) -> float | None:
    return None if before_s is None or after_s is None else (after_s - before_s) / messages * 1000


def settle(used: cpu.Group, seconds: float = 0.5) -> None:
    """Wait until the peer has done starting, or working: less than a tenth of a core over `seconds`."""
    before: list[tuple[float, float]] = []

    def quiet() -> bool:
        now, spent = time.perf_counter(), used.cpu_s()
        if spent is None:
            return True
        before.append((now, spent))
        then = next(((at, s) for at, s in reversed(before) if now - at >= seconds), None)
        return then is not None and (spent - then[1]) / (now - then[0]) < 0.1

    wait_until(quiet, timeout_s=60, what="a quiet peer")
