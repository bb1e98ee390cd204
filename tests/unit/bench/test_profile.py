"""Where the profile puts CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.profile import SAMPLER, Process, thread_name
from tests.bench.stages import LOOP, OTHER, Sample, by_function, by_stage, stage_of

ROOT = "/srv/mailgov"
START = (f"{ROOT}/child.py:_run", f"{ROOT}/child.py:main", "/usr/lib/python3/runpy.py:_run_code")
BUSY = """
import sys, threading, time

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))

def rest():
    time.sleep(60)

threading.Thread(target=rest, daemon=True).start()
more = threading.Thread(target=burn, args=(0.1,), name="more_7")
more.start()
burn(0.4)
more.join()
open(sys.argv[1] + "/stop", "w").close()
while not list(__import__("pathlib").Path(sys.argv[1]).glob("*.json")):
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("frames", "stage"),
    [
        (("mail/headers.py:all", "relay/sign.py:sign", "relay/intake.py:take"), "signature"),
        (
            ("mail/address.py:parse", "relay/session/envelope.py:mail"),
            "session: connection, commands, replies",
        ),
        (("relay/clock.py:now", "relay/intake.py:take"), "intake: facts, edits, Received"),
        (("store/spool/rows.py:insert", "store/spool/writer.py:_run"), "spool"),
        (("relay/report.py:round",), OTHER),
        ((), LOOP),
    ],
)
def test_the_innermost_frame_that_a_stage_knows_decides(frames: tuple[str, ...], stage: str) -> None:
    assert stage_of((*(f"{ROOT}/{frame}" for frame in frames), *START)) == stage


def test_time_is_added_up_the_dearest_first() -> None:
    samples = [
        Sample("MainThread", (f"{ROOT}/relay/client.py:send", *START), 5),
        Sample("MainThread", ("/lib/re.py:match", f"{ROOT}/policy/walk.py:walk", *START), 7),
        Sample("spool-writer", (f"{ROOT}/relay/client.py:send",), 4),
        Sample("MainThread", START, 1),
    ]
    assert list(by_stage(samples).items()) == [("delivery: SMTP client", 9), ("policy", 7), (LOOP, 1)]
    assert list(by_function(samples)) == ["relay/client.py:send", "policy/walk.py:walk", LOOP]


def test_threads_of_one_kind_have_one_name() -> None:
    names = ("MainThread", "relay_3", "Thread-4 (work)", "spool-writer")
    assert [thread_name(name) for name in names] == ["main", "relay", "work", "spool-writer"]


def test_a_process_is_told_by_its_threads_own_clocks(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    env = {**os.environ, "PYTHONPATH": str(SAMPLER), "SAMPLER_FOLDER": str(tmp_path)}
    subprocess.run([sys.executable, "-c", BUSY, str(tmp_path)], check=True, env=env, timeout=30)
    (written,) = tmp_path.glob("*.json")
    seen = Process.read(written)
    used: dict[str, int] = {}
    for sample in seen.samples:
        if any(frame.endswith(":burn") for frame in sample.stack):
            used[thread_name(sample.thread)] = used.get(thread_name(sample.thread), 0) + sample.ns
    assert seen.name == "supervisor"
    assert used["main"] == pytest.approx(0.4e9, rel=0.25)
    assert used["more"] == pytest.approx(0.1e9, rel=0.5)
    assert sum(used.values()) == pytest.approx(sum(sample.ns for sample in seen.samples), rel=0.1)
