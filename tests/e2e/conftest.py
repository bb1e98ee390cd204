"""A province for the stories that only look, started once for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.province import Province, running_province


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    with running_province(tmp_path_factory.mktemp("province")) as running:
        yield running
