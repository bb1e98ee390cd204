"""Next hops that are away for an hour, and some that hang: what waits for them costs nobody else anything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.campaign import hangs
from tests.support.campaign.outage import outage
from tests.support.campaign.told import machine, tell

QUEUE, DOMAINS = 50_000, 50


@pytest.fixture
def few_logs() -> Iterator[None]:
    """A quarter of a million deferrals are no news here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.configure(**before)


@pytest.mark.slow
@pytest.mark.usefixtures("few_logs")
@pytest.mark.limit_s(900)
async def test_an_hour_without_next_hops_drains_fast_and_fairly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F21; the summary is in docs/reliability.md."""
    async with outage(tmp_path, queued=QUEUE, domains=DOMAINS) as (campaign, sink):
        with machine() as ran:
            await campaign.hour()
            await campaign.rest()
            with sink:
                await campaign.recover()
                await campaign.settle()
    result = campaign.result
    said = "\n".join([*ran, result.summary()])
    with capsys.disabled():
        tell("outage", said)
    assert not any(result.wrong.values()), said
    assert max(result.attempts) <= 5, "asked more often than the schedule says"
    assert result.drain_rate >= 2 * result.rate, said
    assert result.full_octets < 3 * QUEUE * 4096, said
    assert result.shares[0] >= 0.5, said
    assert result.shares[1] <= 1.5, said
    assert result.fresh_p95_s < result.drained_s / 5, f"new mail waits behind the old\n{said}"


@pytest.mark.slow
@pytest.mark.limit_s(120)
def test_next_hops_that_hang_at_any_step_are_left_and_hold_nobody_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F4; the summary is in docs/reliability.md. How fast others' mail is beside them: `make bench-queue`."""
    with machine() as ran:
        result = hangs.run(tmp_path)
    said = "\n".join([*ran, result.summary()])
    with capsys.disabled():
        tell("hangs", said)
    assert result.arrived == hangs.OTHERS, said
    assert sum(one.first for one in result.hung) >= hangs.CONCURRENCY, said
    assert not any(one.ended for one in result.hung), f"the others waited for one\n{said}"
    for one in result.hung:
        assert one.begun <= hangs.CONNECTIONS, said
        assert min(one.held) >= hangs.TIMEOUT_S - 0.5, said
