"""Where each microsecond of a message goes: by process and thread, by stage, by function.

    make profile [BENCH_ARGS="--messages 5000 --size 102400 --submission --workers 1 --write"]

Runs the service as `make bench` does, with a sampler in each of its processes (tests/bench/sampler), whose
own CPU is left out of the figures. Beside them stands what nothing here can save: RSA-2048 alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from tests.bench import cpu, document
from tests.bench.figures import Run, number
from tests.bench.measure import run
from tests.bench.own import Mailgov
from tests.bench.relay import work_folder
from tests.bench.report import made_how, noise, table
from tests.bench.shapes import Shape
from tests.bench.site import Site
from tests.bench.stages import Sample, by_function, by_stage
from tests.support.processes import free_port, wait_until

SAMPLER = Path(__file__).parent / "sampler"
FUNCTIONS = 25


@dataclass(frozen=True, slots=True)
class Process:
    """What a process's sampler wrote."""

    name: str
    user_s: float
    system_s: float
    sampler_s: float
    samples: tuple[Sample, ...]

    @staticmethod
    def read(path: Path) -> Process:
        found = json.loads(path.read_text(encoding="utf-8"))
        samples = tuple(Sample(thread, tuple(stack), ns) for thread, stack, ns in found["stacks"])
        return Process(_name(found["argv"]), found["user_s"], found["system_s"], found["sampler_s"], samples)


def _name(argv: Sequence[str]) -> str:
    """`relay.1` of a worker, whose command line ends with its spec; else the supervisor."""
    if "mailgov.child" not in argv:
        return "supervisor"
    spec = json.loads([word for word in argv if word][-1])
    return f"relay.{spec['index']}" if spec["role"] == "relay" else str(spec["role"])


@dataclass(frozen=True, slots=True)
class Watched:
    """mailgov with a sampler in each process, which looks while the load runs."""

    own: Mailgov
    place: Path

    @property
    def name(self) -> str:
        return self.own.name

    def missing(self) -> str | None:
        return None

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: cpu.Group, submission: bool) -> Iterator[int]:
        """As mailgov's; when the block is left, all samplers have written."""
        with self.own.running(folder, sink_port, cpu, submission) as port:
            (self.place / "go").touch()
            yield port
            (self.place / "stop").touch()
            expected = len(cpu.pids())
            wait_until(
                lambda: len(list(self.place.glob("*.json"))) >= expected,
                timeout_s=30,
                what=f"what {expected} samplers saw",
            )


def profile(measured: Run, seen: Sequence[Process], shape: Shape, work: Path) -> str:
    """The report; all figures in microseconds of CPU a message."""
    us = 1e6 / measured.delivered
    samples = [sample for process in seen for sample in process.samples]
    own_s, system_s = sum(each.sampler_s for each in seen), sum(each.system_s for each in seen)
    total_s = sum(each.user_s for each in seen) + system_s - own_s
    sampled_s = sum(sample.ns for sample in samples) / 1e9
    stages = {name: ns / 1e9 for name, ns in by_stage(samples).items()}
    stages["not seen by the sampler (native threads, short-lived ones)"] = max(0.0, total_s - sampled_s)
    functions = list(by_function(samples).items())[:FUNCTIONS]
    return "\n".join(
        [
            made_how(work),
            "",
            f"**{shape}**: {measured.delivered:,} messages, {measured.peer}; {total_s * us:,.0f} µs of CPU"
            f" a message, {system_s * us:,.0f} of them in the kernel. The samplers' {own_s * us:,.0f} are no"
            " part of it.",
            "",
            *table(
                ["process", "thread", "µs a message"], [row for each in seen for row in _threads(each, us)]
            ),
            "",
            *table(["stage", "µs a message", "share"], _shares(stages, us, total_s)),
            "",
            *table(
                ["function, with what it calls elsewhere", "µs a message", "share"],
                _shares({f"`{name}`": ns / 1e9 for name, ns in functions}, us, total_s),
            ),
            "",
            *_limits(),
        ]
    )


def _threads(process: Process, us: float) -> list[list[str]]:
    found: dict[str, float] = {}
    for sample in process.samples:
        name = thread_name(sample.thread)
        found[name] = found.get(name, 0.0) + sample.ns / 1e9
    rows = [
        [process.name, name, number(s * us)] for name, s in sorted(found.items(), key=lambda one: -one[1])
    ]
    rest_s = process.user_s + process.system_s - process.sampler_s - sum(found.values())
    return [*rows, [process.name, "other threads", number(max(0.0, rest_s) * us)]] if rows else []


def thread_name(name: str) -> str:
    """Threads of one kind have one name: `relay_3` is `relay`, `Thread-4 (work)` is `work`."""
    if name == "MainThread":
        return "main"
    _, numbered, function = name.partition(" (")
    return function.rstrip(")") if numbered else name.rstrip("0123456789_-")


def _shares(seconds: Mapping[str, float], us: float, total_s: float) -> list[list[str]]:
    return [[name, number(s * us), f"{s / total_s:.1%}"] for name, s in seconds.items()]


def _limits() -> list[str]:
    """What a message costs at the least: its signature, with a message's header to be signed."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ed25519_key = ed25519.Ed25519PrivateKey.generate()
    octets = bytes(1024)
    rsa_us = cost_us(lambda: rsa_key.sign(octets, padding.PKCS1v15(), hashes.SHA256()))
    ed25519_us = cost_us(lambda: ed25519_key.sign(octets))
    return [
        f"RSA-2048 alone costs {rsa_us:.0f} µs (Ed25519 {ed25519_us:.0f} µs): a core that did nothing else"
        f" would sign {1e6 / rsa_us:,.0f} messages a second.",
    ]


def cost_us(act: Callable[[], object], times: int = 1000) -> float:
    """Microseconds of this process's CPU that `act` costs; the best of five tries."""
    tries = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            act()
        tries.append((time.process_time() - start) / times * 1e6)
    return min(tries)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench.profile", description="where the time goes")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--size", type=int, default=4096, help="bytes of a message")
    parser.add_argument("--kept", action="store_true", help="all messages of a session on one connection")
    parser.add_argument("--submission", action="store_true", help="STARTTLS and AUTH first")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="put it into docs/performance.md")
    return parser.parse_args(argv)


def main() -> int:
    asked = arguments()
    shape = Shape(asked.messages, asked.sessions, asked.size, asked.kept, asked.submission)
    with work_folder() as work, tempfile.TemporaryDirectory(prefix="mailgov-profile-") as folder:
        site, place = Site.make(work), Path(folder)
        env = {"PYTHONPATH": str(SAMPLER), "SAMPLER_FOLDER": folder}
        watched = Watched(Mailgov(site, asked.workers, env), place)
        measured = run(watched, site, "profile", shape, 1, work / "peer", free_port())
        seen = sorted((Process.read(path) for path in place.glob("*.json")), key=lambda each: each.name)
        text = profile(measured, seen, shape, work)
    print(text)
    if not measured.exact or not seen:
        print("the run was not complete, or no control group may be made here", file=sys.stderr)
        return 1
    faults = noise([measured])
    if asked.write:
        return document.write("profile", text, faults)
    print("\n".join(faults))
    return 0


if __name__ == "__main__":
    sys.exit(main())
