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


def cases() -> list[Any]:
    if not SUITE.is_file() or not yaml_text.can_read():
        return []
    return [
        pytest.param(case, document.get("txt-records") or {}, id=name)
        for document in yaml_text.documents(SUITE)
        for name, case in document["tests"].items()
    ]


@pytest.mark.skipif(not cases(), reason=REASON)
@pytest.mark.parametrize(("case", "zone"), cases())
def test_case(case: dict[str, Any], zone: dict[str, str]) -> None:
    message = "\r\n".join(case["message"].splitlines()).encode() + b"\r\n"
    header = HeaderBlock.scan(message)
    fields = Fields(header)
    chain = arc.read_chain(fields)
    keys = {
        name: Records("ok", (zone[name],)) if name in zone else Records("nxdomain") for name in chain.keys
    }
    told = arc.validate(chain, keys, fields, Bodies(message, header.size))
    # The three cases with an empty expectation mean a chain that ended before: a failed one.
    assert told.result == (case["cv"] or "Fail").lower(), told


@pytest.mark.skipif(not cases(), reason=REASON)
def test_the_suite_is_whole() -> None:
    assert len(cases()) == 171
