"""mailgov side by side with the relays that one would assemble today.

    make bench [BENCH_ARGS="--rounds 1 --scale 0.2 --shapes 20,kept --peers postfix-rspamd,mailgov-2"]

Every run has a fresh peer and a fresh sink; the peers run in turn, each round in the other order. Needs
Debian's postfix, opendkim, rspamd and dovecot-core, and root; a peer that cannot run is named and left out.
`--sessions`, `--size`, `--messages`, `--kept` and `--submission` make a shape of one's own. `--write` puts
the report of the whole bench into docs/performance.md, if nothing disturbed it; a disturbed run is repeated.
Exits 1 when a message was lost or came twice, or when a disturbed report was to be written.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import cpu, deferred, document
from tests.bench.exim import Exim
from tests.bench.figures import Run
from tests.bench.measure import quietly
from tests.bench.own import Mailgov
from tests.bench.postfix import Postfix
from tests.bench.report import noise, report
from tests.bench.shapes import SHAPES, Shape
from tests.bench.site import Peer, Site
from tests.support.processes import free_port
from tests.support.programs import find_program

OWN_WORKERS = os.cpu_count() or 1


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


def all_peers(site: Site, work: Path) -> dict[str, Peer]:
    """By the names that `--peers` knows, in the order of the first round."""
    found: dict[str, Peer] = {
        "postfix": Postfix(site),
        "postfix-opendkim": Postfix(site, "opendkim"),
        "postfix-rspamd": Postfix(site, "rspamd"),
        "exim": Exim(site, work / "exim"),
    }
    return found | {f"mailgov-{n}": Mailgov(site, n) for n in sorted({1, 2, OWN_WORKERS})}


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench.relay", description="mailgov beside its peers")
    parser.add_argument("--shapes", help=f"of {', '.join(SHAPES)}; all")
    parser.add_argument("--peers", help="such as postfix,postfix-opendkim,postfix-rspamd,exim,mailgov-2; all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of each shape's messages")
    parser.add_argument(
        "--queued", type=int, default=100_000, help="deferred messages beside none; 0: not run"
    )
    parser.add_argument("--write", action="store_true", help="put the report into docs/performance.md")
    own = parser.add_argument_group("a shape of one's own")
    own.add_argument("--messages", type=int)
    own.add_argument("--sessions", type=int)
    own.add_argument("--size", type=int, help="bytes of a message")
    own.add_argument("--kept", action="store_true", help="all messages of a session on one connection")
    own.add_argument("--submission", action="store_true", help="STARTTLS and AUTH first")
    asked = parser.parse_args(argv)
    part = asked.shapes or asked.peers or "own" in shapes_of(asked) or asked.scale < 1 or not asked.queued
    if asked.write and part:
        parser.error("--write takes the whole bench, not a part of it")
    return asked


def shapes_of(options: argparse.Namespace) -> dict[str, Shape]:
    """The shapes that were asked for, by name. Raises KeyError for one that there is not."""
    if options.messages or options.sessions or options.size or options.kept or options.submission:
        own = Shape(
            options.messages or 3000,
            options.sessions or 20,
            options.size or 4096,
            options.kept,
            options.submission,
        )
        return {"own": own}
    names = options.shapes.split(",") if options.shapes else SHAPES
    return {name: SHAPES[name].scaled(options.scale) for name in names}


def take_turns(
    peers: Sequence[Peer], site: Site, shapes: Mapping[str, Shape], rounds: int, repeats: int, work: Path
) -> Iterator[Run]:
    """All rounds of one shape, then of the next; every other round the other way round.

    A run that others disturbed is made again, `repeats` times at most.
    """
    sink_port = free_port()
    for name, shape in shapes.items():
        for number in range(1, rounds + 1):
            for peer in peers if number % 2 else reversed(peers):
                one = quietly(repeats, peer, site, name, shape, number, work / "peer", sink_port)
                print(f"{shape}: round {number}: {one.peer}: {one.delivered_rate:.0f} messages/s", flush=True)
                yield one


def main() -> int:
    options = arguments()
    if not find_program("smtp-source"):
        print("bench: smtp-source and smtp-sink are missing (apt-get install postfix)", file=sys.stderr)
        return 1
    shapes = shapes_of(options)
    repeats = 2 if options.write else 0
    with work_folder() as work:
        kept = Path("bench-work", f"relay-{time.strftime('%Y%m%d-%H%M%S')}")
        site = Site.make(work)
        peers, left_out = _asked(options, all_peers(site, work))
        turns = take_turns(peers, site, shapes, options.rounds, repeats, work)
        runs = list(_recorded(turns, kept.with_suffix(".jsonl")))
        own = Mailgov(site, OWN_WORKERS)
        text = report(runs, shapes, own.name, Mailgov(site, 1).name, left_out, work)
        kept.with_suffix(".md").write_text(text, encoding="utf-8")
        if options.queued and not options.shapes and "own" not in shapes:
            queued, more = deferred.compare(own, options.queued, options.rounds, repeats, shapes["20"], work)
            text, runs = text + "\n" + queued, runs + more
    print("\n" + text)
    kept.with_suffix(".md").write_text(text, encoding="utf-8")
    if not all(each.exact for each in runs):
        return 1
    return document.write("bench", text, noise(runs)) if options.write else 0


def _asked(options: argparse.Namespace, known: Mapping[str, Peer]) -> tuple[list[Peer], dict[str, str]]:
    """Those that run, and why the others do not, by name."""
    asked = [known[name] for name in (options.peers.split(",") if options.peers else known)]
    reasons = [(peer, peer.missing()) for peer in asked]
    left_out = {peer.name: reason for peer, reason in reasons if reason}
    with cpu.group("probe") as probe:
        if not probe.measured:
            left_out["CPU and memory"] = "no control group may be made here"
    return [peer for peer, reason in reasons if reason is None], left_out


def _recorded(turns: Iterator[Run], path: Path) -> Iterator[Run]:
    """The same runs, each written down as it comes: what breaks later loses none."""
    with path.open("w", encoding="utf-8") as rows:
        for one in turns:
            rows.write(json.dumps(dataclasses.asdict(one)) + "\n")
            rows.flush()
            yield one


if __name__ == "__main__":
    sys.exit(main())
