"""Whom a change of the directory puts out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgov.imap.service import shut_out
from mailgov.store.snapshot import Snapshot
from tests.support.relay_node import AN, BINH, SUSPENDED, directory, province


def changed(**fields: Any) -> Snapshot:
    """The province, with An's account changed."""
    snapshot = province()
    snapshot.accounts[AN] = replace(snapshot.accounts[AN], **fields)
    return snapshot


@pytest.mark.parametrize(
    "fields",
    [{"suspended": True}, {"password_hash": "another"}, {"password_hash": None}, {"must_change": True}],
)
def test_who_may_no_longer_be_in(fields: dict[str, Any]) -> None:
    assert shut_out(province(), changed(**fields)) == {AN}


@pytest.mark.parametrize(
    "fields",
    [{"display_name": "An"}, {"agency": "VP"}, {"addresses": frozenset()}, {"citizen_desk": True}],
)
def test_who_stays(fields: dict[str, Any]) -> None:
    assert shut_out(province(), changed(**fields)) == frozenset()


def test_who_is_gone_and_whose_domain_is_disabled() -> None:
    before = province()
    assert shut_out(before, directory()) == set(before.accounts) - {SUSPENDED}
    after = replace(province(), domains=frozenset())
    assert {AN, BINH} <= shut_out(before, after)


def test_who_was_not_in_is_not_put_out() -> None:
    assert shut_out(changed(suspended=True), province()) == frozenset()
    assert shut_out(directory(), province()) == frozenset()
