"""mailgov side by side with the relays that one would assemble today.

    make bench [BENCH_ARGS="--rounds 1 --scale 0.2 --shapes 20,kept --peers postfix-rspamd,mailgov-2"]

Every run has a fresh peer and a fresh sink; the peers run in turn, each round in the other order. Needs
Debian's postfix, opendkim, rspamd and dovecot-core, and root; a peer that cannot run is named and left out.
`--sessions`, `--size`, `--messages`, `--kept` and `--submission` make a shape of one's own. `--write` puts
the report into docs/performance.md, if nothing disturbed it; without --write it goes to bench-work/ alone.
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
from tests.bench.measure import run
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
    return parser.parse_args(argv)


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
    peers: Sequence[Peer], site: Site, shapes: Mapping[str, Shape], rounds: int, work: Path
) -> Iterator[Run]:
    """All rounds of one shape, then of the next; every other round the other way round."""
    sink_port = free_port()
    for name, shape in shapes.items():
        for number in range(1, rounds + 1):
            for peer in peers if number % 2 else reversed(peers):
                one = run(peer, site, name, shape, number, work / "peer", sink_port)
                print(f"{shape}: round {number}: {one.peer}: {one.delivered_rate:.0f} messages/s", flush=True)
                yield one


def main() -> int:
    options = arguments()
    if not find_program("smtp-source"):
        print("bench: smtp-source and smtp-sink are missing (apt-get install postfix)", file=sys.stderr)
        return 1
    shapes = shapes_of(options)
    with work_folder() as work:
        site = Site.make(work)
        known = all_peers(site, work)
        asked = options.peers.split(",") if options.peers else known
        reasons = {known[name].name: known[name].missing() for name in asked}
        left_out = {name: reason for name, reason in reasons.items() if reason}
        peers = [known[name] for name in asked if known[name].name not in left_out]
        with cpu.group("probe") as probe:
            if not probe.measured:
                left_out["CPU and memory"] = "no control group may be made here"
        runs = list(take_turns(peers, site, shapes, options.rounds, work))
        own = Mailgov(site, OWN_WORKERS)
        text = report(runs, shapes, own.name, Mailgov(site, 1).name, left_out, work)
        if options.queued and not options.shapes and "own" not in shapes:
            queued, more = deferred.compare(own, options.queued, options.rounds, shapes["20"], work)
            text, runs = text + "\n" + queued, runs + more
    print("\n" + text)
    _keep(text, runs)
    if not all(each.exact for each in runs):
        return 1
    return document.write("bench", text, noise(runs)) if options.write else 0


def _keep(text: str, runs: Sequence[Run]) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    Path("bench-work", f"relay-{stamp}.md").write_text(text, encoding="utf-8")
    rows = [json.dumps(dataclasses.asdict(each)) for each in runs]
    Path("bench-work", f"relay-{stamp}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
