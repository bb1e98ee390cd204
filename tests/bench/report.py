"""The report as Markdown: a table for each shape, the ratios, and all that speaks against a figure."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.figures import Run, Spread, ratio
from tests.bench.shapes import Shape
from tests.bench.targets import HEADS, targets
from tests.support.programs import find_program

QUIET = 0.05
"""With more than this share of the cores gone to others, a run is noise."""
_COLUMNS = (
    "delivered/s",
    "accepted/s",
    "CPU s per 1,000",
    "load's CPU s per 1,000",
    "memory MB",
    "largest MB",
)


def report(
    runs: Sequence[Run],
    shapes: Mapping[str, Shape],
    own: str,
    fewer: str,
    left_out: Mapping[str, str],
    work: Path,
) -> str:
    """All shapes. `own` is whom the others are compared with, `fewer` is the same with one worker.

    `left_out` says why a peer is not there.
    """
    parts = [made_how(work)]
    for name, shape in shapes.items():
        mine = [run for run in runs if run.shape == name]
        if mine:
            parts.append("\n".join(_shape(mine, shape, own)))
    if asked := targets(runs, own, fewer):
        parts.append("\n".join(table(HEADS, [each.row() for each in asked])))
    parts += [f"Left out: {peer}: {reason}." for peer, reason in left_out.items()]
    if faults := _faults(runs):
        parts.append("\n".join(f"- {fault}" for fault in faults))
    return "\n\n".join(parts) + "\n"


def made_how(work: Path) -> str:
    """One paragraph: when, and on what machine."""
    versions = [f"Linux {platform.release()}", f"Python {platform.python_version()}"]
    if postconf := find_program("postconf"):
        versions.append(f"Postfix {_said([postconf, '-h', '-d', 'mail_version'])}")
    file_system = _said(["findmnt", "-no", "FSTYPE", "-T", str(work)]) or "unknown"
    return (
        f"Made {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}: {_processor()}, {cores()} cores"
        f" shared by load, peer and sink; {', '.join(versions)}; queues on {file_system}."
    )


def noise(runs: Sequence[Run]) -> list[str]:
    """The runs that others disturbed."""
    return [
        f"NOISE: {run.peer}, {run.shape}, round {run.round}: others used {run.others:.0%} of the cores"
        for run in runs
        if run.others is not None and run.others > QUIET
    ]


def cores() -> int:
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines()) or 1


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; all columns but the first are figures, and stand to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def shown(spread: Spread | None) -> str:
    return "not measured" if spread is None else str(spread)


def _shape(runs: Sequence[Run], shape: Shape, own: str) -> list[str]:
    peers = list(dict.fromkeys(run.peer for run in runs))
    rows = []
    for peer in peers:
        mine = [run for run in runs if run.peer == peer and run.exact]
        figures = (
            Spread.of(run.delivered_rate for run in mine),
            Spread.of(run.accepted_rate for run in mine),
            Spread.of(run.cpu_s_per_1000 for run in mine),
            Spread.of(run.load_cpu_s_per_1000 for run in mine),
            Spread.of(run.memory_mb for run in mine),
            Spread.of(run.largest_mb for run in mine),
        )
        rows.append([peer, *map(shown, figures)])
    rounds = len({run.round for run in runs})
    head = f"**{shape}**: {shape.messages:,} messages, {rounds} rounds"
    lines = [head, "", *table([" ", *_COLUMNS], rows)]
    others = [peer for peer in peers if peer != own]
    if own in peers and others:
        lines += [
            "",
            *table([f"{own} against", "messages/s", "CPU"], [_against(runs, own, p) for p in others]),
        ]
    return lines


def _against(runs: Sequence[Run], own: str, peer: str) -> list[str]:
    speed = ratio(runs, own, peer, lambda run: run.delivered_rate)
    cpu = ratio(runs, own, peer, lambda run: run.cpu_s_per_1000)
    return [peer, *("no round of both" if each is None else f"× {each}" for each in (speed, cpu))]


def _faults(runs: Sequence[Run]) -> list[str]:
    inexact = [
        f"INEXACT: {run.peer}, {run.shape}, round {run.round}: {run.sent} were sent,"
        f" {'not all were accepted, ' if not run.accepted_rate else ''}the sink had {run.delivered}"
        for run in runs
        if not run.exact
    ]
    return [*inexact, *noise(runs)]


def _said(argv: Sequence[str]) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
