"""Valimail's suite for RFC 8617: messages, zones and verdicts that were made elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.dns import Records
from mailgov.relay.senders import arc
from mailgov.relay.senders.canonical import Bodies, Fields
from tests.support import yaml_text
from tests.unit.relay.senders.conformance import FOLDER

SUITE = FOLDER / "arc" / "valimail" / "arc-draft-validation-tests.yml"
REASON = "no conformance data (MAILGOV_CONFORMANCE_DIR), or no python3-yaml"


def sections() -> list[Any]:
    if not SUITE.is_file() or not yaml_text.can_read():
        return []
    return [pytest.param(one, id=one["description"]) for one in yaml_text.documents(SUITE)]


def told(case: dict[str, Any], zone: dict[str, str]) -> str:
    message = "\r\n".join(case["message"].splitlines()).encode() + b"\r\n"
    header = HeaderBlock.scan(message)
    fields = Fields(header)
    chain = arc.read_chain(fields)
    keys = {
        name: Records("ok", (zone[name],)) if name in zone else Records("nxdomain") for name in chain.keys
    }
    return arc.validate(chain, keys, fields, Bodies(message, header.size)).result


@pytest.mark.skipif(not sections(), reason=REASON)
@pytest.mark.parametrize("section", sections())
def test_section(section: dict[str, Any]) -> None:
    zone = section.get("txt-records") or {}
    results = {name: told(case, zone) for name, case in section["tests"].items()}
    # The three cases with an empty expectation mean a chain that ended before: a failed one.
    assert results == {name: (case["cv"] or "Fail").lower() for name, case in section["tests"].items()}


@pytest.mark.skipif(not sections(), reason=REASON)
def test_the_suite_is_whole() -> None:
    assert sum(len(section.values[0]["tests"]) for section in sections()) == 171
