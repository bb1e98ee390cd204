"""What every test gets: a time limit, a clean environment, and the outside world on loopback."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator
from types import FrameType

import hypothesis
import pytest

from tests.support.dns_server import DnsServer
from tests.support.plain_logs import plain_logs
from tests.support.sink import Sink

UNIT_LIMIT_S = 60
E2E_LIMIT_S = 120
SLOW_LIMIT_S = 1200

# Examples are bounded by number, not by a machine's speed.
hypothesis.settings.register_profile("mailgov", deadline=None, print_blob=True)
hypothesis.settings.load_profile("mailgov")

# Collecting makes thousands of tests, which all stay to the end: looking through them for garbage, again and
# again, took a fifth of collecting, and later a part of every test.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def _limit_s(item: pytest.Item) -> float:
    if marker := item.get_closest_marker("limit_s"):
        return float(marker.args[0])
    if item.get_closest_marker("slow") or item.get_closest_marker("bench"):
        return SLOW_LIMIT_S
    return E2E_LIMIT_S if item.get_closest_marker("e2e") else UNIT_LIMIT_S


def _limited(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the running phase when its time is over, and again every 5 s should a handler swallow it."""
    seconds = _limit_s(item)

    def over(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"over its limit of {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5.0)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> None:
    """Settings of the account that runs the tests must not reach them."""
    for name in [name for name in os.environ if name.startswith("MAILGOV_")]:
        if name != "MAILGOV_CONFORMANCE_DIR":
            del os.environ[name]


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Ours as plain lines."""
    with plain_logs():
        yield


@pytest.fixture
def dns_server() -> Iterator[DnsServer]:
    """The world's DNS, empty at first."""
    with DnsServer() as server:
        yield server


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that accepts everything until it is told otherwise."""
    with Sink() as server:
        yield server
