"""Load, a next hop with moods, and processes killed at random: nothing lost, nothing changed, all counted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.campaign.run import RATE, Campaign, run
from tests.support.campaign.told import machine, tell

KILLS = int(os.environ.get("CRASH_KILLS", "50"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
GAP_S = 10.0
EXTRA_SHARE = 0.01
RECIPIENTS = 2
"""Of a message, in the mean: a bound for kills that are closer together."""
UNTIL_220_S = 10.0
CROWDED = 3 if "PYTEST_XDIST_WORKER" in os.environ else 1
"""In `make test` other tests share the processors with the start of the service."""

Check = Callable[..., None]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Prints the summary, and asserts what every campaign must hold."""

    def checked(campaign: Campaign, until_220_s: float, section: str = "", ran: Sequence[str] = ()) -> None:
        said, found = "\n".join([*ran, campaign.summary()]), campaign.balance
        with capsys.disabled():
            if not section:
                sys.stdout.write(f"\n{said}\n")
            else:
                tell(section, said)
        for name in ("lost", "torn", "corrupt", "refused", "strangers"):
            assert not getattr(found, name), f"{name}: {sorted(getattr(found, name))[:5]}\n{said}"
        assert found.accepted, said
        assert campaign.figures == campaign.counted, said
        assert not campaign.left, f"{campaign.left[:5]}\n{said}"
        assert max(kill.until_220_s for kill in campaign.kills) <= until_220_s, said
        assert campaign.exit_status == 0, said

    return checked


def test_two_kills_under_load(tmp_path: Path, check: Check) -> None:
    campaign = run(tmp_path, seed=SEED, kills=2, gap_s=2.0, roles=("supervisor", "everything"))
    check(campaign, CROWDED * UNTIL_220_S)
    # Closer than ten seconds apart, each kill may cost what a hundredth of ten seconds' load is.
    assert campaign.balance.extra <= 2 * EXTRA_SHARE * GAP_S * RATE * RECIPIENTS


@pytest.mark.slow
@pytest.mark.limit_s(KILLS * 20 + 180)
def test_many_kills_under_load(tmp_path: Path, check: Check) -> None:
    """`make crash`; `make crash CAMPAIGN_WRITE=1` puts its summary into docs/reliability.md."""
    with machine() as ran:
        campaign = run(tmp_path, seed=SEED, kills=KILLS, gap_s=GAP_S)
    check(campaign, CROWDED * UNTIL_220_S, "crash", ran)
    assert campaign.extra_share <= EXTRA_SHARE
