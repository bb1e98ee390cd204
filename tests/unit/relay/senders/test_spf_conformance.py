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
REASON = "no conformance data (MAILGOV_CONFORMANCE_DIR), or no python3-yaml"


def sections() -> list[Any]:
    if not SUITE.is_file() or not yaml_text.can_read():
        return []
    return [pytest.param(one, id=one["description"]) for one in yaml_text.documents(SUITE)]


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


async def failing(case: dict[str, Any], zone: dict[str, Any]) -> str:
    """What is wrong with our answer; "" for nothing."""
    sender = case["mailfrom"] or f"postmaster@{case['helo']}"
    client = Client(case["host"], sender, case["helo"])
    told = await check_host(client, Zone(zone).lookup, explain=True)
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    if told.result not in allowed:
        return f"{told.result}, not {allowed}"
    if (plainly := await check_host(client, Zone(zone).lookup)).result not in allowed:
        return f"{plainly.result} where nobody asks for the explanation, as for mail, not {allowed}"
    expected = case.get("explanation")
    wanted = None if expected == "DEFAULT" else expected
    return "" if expected is None or told.explanation == wanted else f"explains {told.explanation!r}"


@pytest.mark.skipif(not sections(), reason=REASON)
@pytest.mark.parametrize("section", sections())
async def test_section(section: dict[str, Any]) -> None:
    wrong = {name: await failing(case, section["zonedata"]) for name, case in section["tests"].items()}
    assert {name: why for name, why in wrong.items() if why} == {}


@pytest.mark.skipif(not sections(), reason=REASON)
def test_the_suite_is_whole() -> None:
    assert sum(len(section.values[0]["tests"]) for section in sections()) == 203
