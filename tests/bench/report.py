"""What the rounds gave, as text: medians, spreads, and ratios of peers that ran next to each other."""

from __future__ import annotations

import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import Shape
from tests.support.programs import find_program


@dataclass(frozen=True, slots=True)
class Run:
    """One peer in one round; rates are messages a second, None stands for "not measured"."""

    peer: str
    round: int
    delivered: int
    """Messages that the sink had when the clock stopped."""
    complete: bool
    accepted_rate: float
    """Until the load generator had its last 250."""
    delivered_rate: float
    """Until the sink had the last message."""
    cpu_s_per_1000: float | None
    memory_mb: float | None


def summary(runs: Sequence[Run], shape: Shape, own: str, work: Path) -> str:
    """The whole report. `own` names the peer that the others are compared with."""
    peers = list(dict.fromkeys(run.peer for run in runs))
    lines = [
        str(shape),
        *_made_how(work),
        "",
        _row("", "delivered/s", "accepted/s", "CPU s per 1,000", "memory MB"),
    ]
    for peer in peers:
        mine = [run for run in runs if run.peer == peer]
        lines.append(
            _row(
                peer,
                _spread([run.delivered_rate for run in mine]),
                _spread([run.accepted_rate for run in mine]),
                _spread([run.cpu_s_per_1000 for run in mine]),
                _spread([run.memory_mb for run in mine]),
            )
        )
    lines.append("")
    lines += [_ratio(runs, own, peer) for peer in peers if peer != own and own in peers]
    lines += [
        f"INCOMPLETE: {run.peer}, round {run.round}: the sink had {run.delivered} of {shape.messages}"
        for run in runs
        if not run.complete
    ]
    return "\n".join(lines) + "\n"


def _made_how(work: Path) -> list[str]:
    versions = [f"Linux {platform.release()}", f"Python {platform.python_version()}"]
    if postconf := find_program("postconf"):
        said = subprocess.run(
            [postconf, "-h", "-d", "mail_version"], check=False, capture_output=True, text=True
        )
        versions.append(f"Postfix {said.stdout.strip()}")
    return [
        f"{platform.machine()}, {_cores()} cores shared by load, peer and sink; {', '.join(versions)}",
        f"queues under {work} ({_file_system(work)}); every peer keeps a message durably before its 250;",
        "OpenDKIM and mailgov sign with RSA-2048; peers ran in turn, each round in the other order;",
        "the clock stops when smtp-sink has the last message; median (lowest–highest).",
        "Below 30% a difference between runs minutes apart means nothing: read the ratios.",
    ]


def _cores() -> int:
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines()) or 1


def _file_system(folder: Path) -> str:
    said = subprocess.run(
        ["stat", "-f", "-c", "%T", str(folder)], check=False, capture_output=True, text=True
    )
    return said.stdout.strip() or "file system unknown"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not measured"
    if len(known) == 1:
        return _number(known[0])
    return f"{_number(statistics.median(known))} ({_number(min(known))}–{_number(max(known))})"


def _row(*cells: str) -> str:
    first, *rest = cells
    return f"{first:<37}" + "".join(f"{cell:>22}" for cell in rest)


def _ratio(runs: Sequence[Run], own: str, peer: str) -> str:
    """Round by round, so that a machine that slows down between rounds does not count."""
    by_round = {(run.peer, run.round): run for run in runs if run.complete}
    pairs = [
        (mine, other)
        for (name, number), mine in by_round.items()
        if name == own and (other := by_round.get((peer, number))) is not None
    ]
    if not pairs:
        return f"{own} against {peer}: no complete round of both"
    speed = _spread([mine.delivered_rate / other.delivered_rate for mine, other in pairs])
    cpu = _spread(
        [
            mine.cpu_s_per_1000 / other.cpu_s_per_1000
            for mine, other in pairs
            if mine.cpu_s_per_1000 is not None and other.cpu_s_per_1000
        ]
    )
    return f"{own} against {peer}: messages a second × {speed}, CPU × {cpu}"
