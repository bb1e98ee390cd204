"""The openspf suite for RFC 7208: zones and answers that were made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mailgov.relay.dns import RecordKind, Records
from mailgov.relay.senders.spf import Client, check_host
from tests.support import yaml_text
from tests.unit.relay.senders.conformance import FOLDER

SUITE = FOLDER / "spf" / "openspf" / "rfc7208-tests.yml"
MEANT = {"r": "unknown", "t": 0}


def cases() -> list[Any]:
    if not SUITE.is_file() or not yaml_text.can_read():
        return []
    return [
        pytest.param(case, document["zonedata"], id=name)
        for document in yaml_text.documents(SUITE)
        for name, case in document["tests"].items()
    ]


class Zone:
    """The suite's zone format: SPF stands for TXT too where no TXT stands (its README)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = {name.lower(): entries for name, entries in data.items()}

    async def lookup(self, name: str, kind: RecordKind) -> Records:
        return self.answer(name, kind)

    def answer(self, name: str, kind: RecordKind, depth: int = 10) -> Records:
        entries = self._data.get(name.removesuffix(".").lower())
        if entries is None or any(
            len(label) > 63 or not label for label in name.removesuffix(".").split(".")
        ):
            return Records("nxdomain")
        has_txt = any(isinstance(e, dict) and "TXT" in e for e in entries)
        found: list[str] = []
        for entry in entries:
            if entry == "TIMEOUT":
                return Records("temporary") if not found else Records("ok", tuple(found))
            for told, value in entry.items():
                as_kind = "TXT" if told == "SPF" and not has_txt else told
                if as_kind == "CNAME" and depth:
                    return self.answer(value, kind, depth - 1)
                if as_kind == kind and value != "NONE":
                    found.append(self._value(kind, value))
        return Records("ok", tuple(found)) if found else Records("none")

    @staticmethod
    def _value(kind: RecordKind, value: Any) -> str:
        if kind == "MX":
            return str(value[1]).removesuffix(".")
        return (
            "".join(value)
            if isinstance(value, list)
            else str(value).removesuffix("." if kind == "PTR" else "")
        )


@pytest.mark.skipif(not cases(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR), or no python3-yaml")
@pytest.mark.parametrize(("case", "zone"), cases())
async def test_case(case: dict[str, Any], zone: dict[str, Any]) -> None:
    sender = case["mailfrom"] or f"postmaster@{case['helo']}"
    client = Client(case["host"], sender, case["helo"])
    told = await check_host(client, Zone(zone).lookup, explain=True)
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert told.result in allowed
    expected = case.get("explanation")
    if expected == "DEFAULT":
        assert told.explanation is None
    elif expected is not None:
        assert told.explanation == expected


@pytest.mark.skipif(not cases(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR), or no python3-yaml")
def test_the_suite_is_whole() -> None:
    assert len(cases()) == 203
