"""The suites' own messages over MX: each is refused with a code, or kept whole for its mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import yaml_text
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN
from tests.unit.relay.senders.conformance import FOLDER
from tests.wire.client import Wire
from tests.wire.conftest import OpenWorld, World

ARC = FOLDER / "arc" / "valimail" / "arc-draft-validation-tests.yml"
SENDER = "jqd@d1.example"
NO_AUTHOR = "550 5.6.0"
"""Nobody can tell who wrote it (RFC 5322 3.6)."""


def sections() -> list[Any]:
    if not ARC.is_file() or not yaml_text.can_read():
        return []
    return [pytest.param(one, id=one["description"]) for one in yaml_text.documents(ARC)]


def files() -> list[Path]:
    """Whatever lies there, keys and records too: they are messages of a kind, the worst."""
    return sorted([*(FOLDER / "dkim" / "dkimpy").glob("*"), *(FOLDER / "mime-vi").glob("*.eml")])


def both(file: Path) -> tuple[bytes, bytes]:
    """As it lies there, and with the line ends that a mail server would give it."""
    raw = file.read_bytes()
    lines = b"\r\n".join(line.rstrip(b"\r") for line in raw.split(b"\n")).removesuffix(b"\r\n")
    return raw, lines + b"\r\n"


async def accounted_for(world: World, wire: Wire, message: bytes) -> str:
    """The reply to the message, once it is known that it says what happened."""
    before, files_before = len(world.offered), world.files()
    said = await wire.mail(SENDER, AN, message=message)
    if said.code == 250:
        assert len(world.offered) == before + 1
        assert await world.bytes_of(world.offered[-1]) == message
        assert (await world.events())[-1].queue_id == world.offered[-1].queue_id
    else:
        assert 400 <= said.code <= 599
        assert len(said.enhanced) >= 5
        assert (len(world.offered), world.files()) == (before, files_before)
    return said.short


@pytest.mark.skipif(
    not sections(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR), or no python3-yaml"
)
@pytest.mark.parametrize("section", sections())
async def test_arc_chains_are_told_as_the_suite_tells_them(
    open_world: OpenWorld, dns_server: DnsServer, section: dict[str, Any]
) -> None:
    for name, text in (section.get("txt-records") or {}).items():
        dns_server.txt(name, " ".join(text.split()))
    world = await open_world()
    wire = await world.outside()
    told, expected = {}, {}
    for name, case in section["tests"].items():
        message = "\r\n".join(case["message"].splitlines()).encode() + b"\r\n"
        code = await accounted_for(world, wire, message)
        told[name] = (await world.events())[-1].arc if code == "250 2.0.0" else code
        without = b"\r\nfrom:" not in b"\r\n" + message.lower()
        expected[name] = NO_AUTHOR if without else (case["cv"] or "Fail").lower()
    assert told == expected


@pytest.mark.skipif(not files(), reason="no conformance data (MAILGOV_CONFORMANCE_DIR)")
@pytest.mark.parametrize("file", files(), ids=lambda file: file.name)
async def test_each_file_is_refused_with_a_code_or_kept(world: World, file: Path) -> None:
    raw, lines = both(file)
    wire = await world.outside()
    if raw != lines and b"\n" in raw.replace(b"\r\n", b""):
        assert await accounted_for(world, wire, raw + b"\r\n") == "554 5.6.0", "bare line ends"
    code = await accounted_for(world, wire, lines)
    readable = b"\r\nfrom:" in b"\r\n" + lines.lower()
    assert code in ("250 2.0.0", NO_AUTHOR)
    assert readable or code == NO_AUTHOR
