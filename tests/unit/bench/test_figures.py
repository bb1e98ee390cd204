"""The arithmetic of the bench's report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.bench.figures import Run, Spread, others_share, ratio
from tests.bench.relay import arguments
from tests.bench.report import noise, report
from tests.bench.shapes import SHAPES, Shape

RUN = Run(
    shape="20",
    peer="ours",
    round=1,
    sent=100,
    delivered=100,
    accepted_rate=80.0,
    delivered_rate=50.0,
    cpu_s_per_1000=1.0,
    load_cpu_s_per_1000=0.5,
    memory_mb=100.0,
    largest_mb=60.0,
    others=0.01,
)


def of(peer: str, round_: int, rate: float, cpu_s: float | None = 1.0, delivered: int = 100) -> Run:
    return dataclasses.replace(
        RUN, peer=peer, round=round_, delivered_rate=rate, cpu_s_per_1000=cpu_s, delivered=delivered
    )


def test_a_spread_is_the_median_between_the_extremes_of_what_was_measured() -> None:
    spread = Spread.of([300.0, None, 100.0, 250.0])
    assert spread == Spread(median=250.0, lowest=100.0, highest=300.0, count=3)
    assert str(spread) == "250 (100–300)"
    assert str(Spread.of([1234.5])) == "1,234"
    assert str(Spread.of([12.34, 0.567])) == "6.45 (0.57–12.3)"
    assert Spread.of([None]) is None


def test_ratios_are_taken_round_by_round() -> None:
    # The machine was half as fast in the second round: the ratio of the medians would tell 2.67.
    runs = [of("ours", 1, 400), of("theirs", 1, 100), of("theirs", 2, 50), of("ours", 2, 200)]
    runs += [of("ours", 3, 300), of("theirs", 3, 150)]
    assert ratio(runs, "ours", "theirs", lambda run: run.delivered_rate) == Spread(4.0, 2.0, 4.0, 3)


def test_a_round_that_lost_a_message_or_had_one_twice_counts_for_nothing() -> None:
    runs = [of("ours", 1, 400, delivered=99), of("theirs", 1, 100)]
    runs += [of("ours", 2, 400), of("theirs", 2, 100, delivered=101)]
    assert ratio(runs, "ours", "theirs", lambda run: run.delivered_rate) is None
    refused = dataclasses.replace(RUN, accepted_rate=0.0)
    assert [run.exact for run in (*runs, refused)] == [False, True, True, False, False]


def test_a_figure_that_was_not_measured_has_no_ratio() -> None:
    runs = [
        of("ours", 1, 400, None),
        of("theirs", 1, 100),
        of("ours", 2, 400, 2.0),
        of("theirs", 2, 100, 4.0),
    ]
    assert ratio(runs, "ours", "theirs", lambda run: run.cpu_s_per_1000) == Spread(0.5, 0.5, 0.5, 1)


def test_rounds_of_different_shapes_are_never_a_pair() -> None:
    other = dataclasses.replace(of("theirs", 1, 100), shape="kept")
    assert ratio([of("ours", 1, 400), other], "ours", "theirs", lambda run: run.delivered_rate) is None


def test_what_others_took_is_what_nobody_in_the_run_did() -> None:
    assert others_share(machine_s=12.0, accounted_s=9.0, seconds=10.0, cores=2) == pytest.approx(0.15)
    assert others_share(machine_s=8.99, accounted_s=9.0, seconds=10.0, cores=2) == 0.0


def test_the_report_has_each_shape_the_ratios_and_what_is_wrong(tmp_path: Path) -> None:
    lost = dataclasses.replace(of("theirs", 2, 90, delivered=98), others=0.5)
    runs = [of("ours", 1, 400, 0.9), of("theirs", 1, 100, 3.6), of("ours", 2, 420, 0.9), lost]
    text = report(
        runs, {"20": Shape(100, 20, 4096)}, "ours", "one of us", {"Exim": "not installed: unshare"}, tmp_path
    )
    assert "**20 sessions, 4 KB, one message a connection**: 100 messages, 2 rounds" in text
    assert "| ours | 410 (400–420) | 80.0 (80.0–80.0) | 0.90 (0.90–0.90) |" in text
    assert "| theirs | 100 | 80.0 | 3.60 |" in text
    assert "| theirs | × 4.00 | × 0.25 |" in text
    assert "Left out: Exim: not installed: unshare." in text
    assert "INEXACT: theirs, 20, round 2: 100 were sent, the sink had 98" in text
    assert noise(runs) == ["NOISE: theirs, 20, round 2: others used 50% of the cores"]


def test_shapes_say_what_they_are_and_keep_a_message_for_each_session() -> None:
    assert str(SHAPES["submission"]) == (
        "20 sessions, 4 KB, one message a connection, submission with STARTTLS and AUTH"
    )
    assert str(SHAPES["1"]).startswith("1 session, 4 KB")
    assert SHAPES["100"].scaled(0.001).messages == 100


def test_only_the_whole_bench_may_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments(["--write", "--rounds", "5"]).write
    for part in (["--shapes", "20"], ["--peers", "exim"], ["--scale", "0.1"], ["--kept"], ["--queued", "0"]):
        with pytest.raises(SystemExit):
            arguments(["--write", *part])
    assert "--write takes the whole bench" in capsys.readouterr().err
