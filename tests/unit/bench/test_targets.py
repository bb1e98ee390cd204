"""What is asked for is held against the right figures."""

from __future__ import annotations

import dataclasses

from tests.bench.figures import Run, Spread
from tests.bench.targets import SIGNING, Target, targets
from tests.unit.bench.test_figures import RUN, of


def shape(runs: list[Run], name: str) -> list[Run]:
    return [dataclasses.replace(run, shape=name) for run in runs]


def test_a_verdict_goes_by_the_wish_then_by_the_must() -> None:
    def verdict(median: float, must: float | None = 3.0, wish: float | None = 5.0) -> str:
        return Target("faster", must, wish, Spread(median, 1.0, 9.0, 3)).verdict

    assert [verdict(each) for each in (5.0, 4.0, 2.9)] == ["reached", "met", "MISSED"]
    assert [verdict(each, None) for each in (5.0, 4.0)] == ["reached", "not reached"]
    assert [verdict(each, 1.0, None) for each in (1.0, 0.9)] == ["reached", "MISSED"]


def test_less_is_better_for_cpu_and_of_memory_the_highest_counts() -> None:
    spread = Spread(0.8, 0.7, 2.0, 3)
    assert Target("CPU", 1.6, 0.9, spread, least=False).verdict == "reached"
    assert Target("memory", 1.6, None, spread, least=False, worst=True).verdict == "MISSED"


def test_the_figures_are_of_the_main_shape_and_the_order_holds_in_each() -> None:
    opendkim, rspamd, exim = SIGNING
    main = [of("ours", 1, 900, 1.2), of("one", 1, 500), of(opendkim, 1, 250), of(rspamd, 1, 300)]
    kept = shape([of("ours", 1, 900), of(rspamd, 1, 1000), of(exim, 1, 100)], "kept")
    found = {each.what: (each.found.median, each.verdict) for each in targets(main + kept, "ours", "one")}
    assert found == {
        f"times as fast as {opendkim}": (3.6, "met"),
        f"times as fast as {rspamd}": (3.0, "met"),
        "CPU seconds per 1,000 messages": (1.2, "met"),
        f"ahead of every signing peer, shape 20 (nearest: {rspamd})": (3.0, "reached"),
        f"ahead of every signing peer, shape kept (nearest: {rspamd})": (0.9, "MISSED"),
        "times as fast as one": (1.8, "reached"),
        "MB of memory of the largest process, in any shape": (RUN.largest_mb, "reached"),
    }


def test_what_was_not_measured_is_not_judged() -> None:
    assert targets([of("theirs", 1, 100)], "ours", "one") == []
