"""Coverage-guided fuzzing of the reader and of all that reads a message: the corpus, and more each time."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz import budget
from tests.fuzz.mutate import inputs
from tests.fuzz.run import GUIDED, NAMES, seeds, target_class

INPUTS = {"session": 60, "mail": 600}
"""Changed ones, in `make test`."""
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_and_what_is_near_it_break_nothing(name: str, tmp_path: Path) -> None:
    corpus = seeds(name)
    with target_class(name).opened(tmp_path) as target:
        for data in [b"", *corpus, *islice(inputs(corpus, 1945), INPUTS[name])]:
            try:
                target.one(data)
            except BaseException as error:
                error.add_note(f"the input: {data!r}")
                raise


@pytest.mark.slow
@pytest.mark.limit_s(budget.LIMIT_S)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_breaks_for_a_long_time(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", f"{budget.EACH_S:.0f}"]
    done = subprocess.run(words, check=False, capture_output=True, cwd=ROOT, encoding="latin-1")
    with capsys.disabled():
        how = "guided by coverage" if GUIDED else "at random: atheris is not installed"
        sys.stdout.write(f"\n{name}, {how}\n{(done.stdout + done.stderr)[-600:]}\n")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
