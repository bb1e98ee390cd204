"""A province for the stories that only look, started once for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mailgov_service import Service
from tests.support.processes import free_port
from tests.support.province import Province, running_province


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    with running_province(tmp_path_factory.mktemp("province")) as running:
        yield running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The demo province that `make run` makes, running with IMAP; each story has figures of its own."""
    sink = free_port()
    service = Service(
        tmp_path_factory.mktemp("demo"),
        {"demo": {"sink": f"127.0.0.1:{sink}"}, "delivery": {"routes": {"*": f"smtp:127.0.0.1:{sink}"}}},
    )
    service.settings["smtp"] = {"trusted": [service.trusted_listener("scanner@caobang.gov.vn")]}
    service.init("--demo")
    service.start("--imap")
    try:
        yield service
    finally:
        service.kill()
