"""Attachments that are not what they seem, from outside and from our own offices."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from mailgov.mail.events import encode
from mailgov.policy.reply import without_marks
from tests.support.files import PDF, PE, encrypted, workbook, zipped
from tests.support.relay_node import AN, BINH
from tests.wire.conftest import World

STRANGER = "vanthu@bo-mau.example"


def letter(name: str, content: bytes, author: str = STRANGER) -> bytes:
    return (
        b"From: <" + author.encode() + b">\r\nSubject: Bao cao\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nKinh gui\r\n'
        b"--b\r\nContent-Disposition: attachment; filename*=UTF-8''" + quote(name).encode() + b"\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(content).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "risks"),
    [
        ("hoá đơn.pdf.exe", PE, ("executable", "double-extension")),
        ("công văn.pdf", PE, ("executable", "disguised")),
        ("công văn.zip", zipped({"mở ra.js": b"WScript.Echo(1)"}), ("script",)),
        ("công văn.zip", zipped({"a.pdf": bytes(600_000), "b.exe": PE}, deflated=False), ("executable",)),
    ],
)
async def test_from_outside_refused_and_from_our_own_noted(
    world: World, name: str, content: bytes, risks: tuple[str, ...]
) -> None:
    outside = await world.outside()
    said = await outside.mail(STRANGER, BINH, message=letter(name, content))
    assert said.short == "550 5.7.1"
    assert "Xin gui tai lieu dang PDF" in said.text
    assert "rule dangerous-attachment; " in said.text
    plain = without_marks(name)
    assert f'attachment 1 of 1 "{plain}" ({", ".join(risks)})' in said.text
    assert await outside.alive()
    inside = await world.inside()
    assert (await inside.mail(AN, BINH, message=letter(name, content, AN))).code == 250
    refused, taken = await world.events()
    assert (refused.verdict, taken.verdict) == ("rejected", "accepted")
    assert set(refused.risks) == set(taken.risks) == set(risks)
    assert [decision.rule for decision in taken.decisions] == ["risky-attachment"]
    at = f"1/1: {', '.join(risks)}"
    assert [
        d.facts and d.facts["content.attachments"] for d in (refused.decisions[0], taken.decisions[0])
    ] == [[at]] * 2
    assert name.encode() not in encode(refused), "an attachment's name is not kept"
    assert taken.malware is None
    assert all(world.count(f"attachment_{risk.replace('-', '_')}") == 2 for risk in risks)


@pytest.mark.parametrize(
    ("name", "content", "risks"),
    [
        ("số liệu.xlsm", workbook(macro=True), ("macro",)),
        ("hồ sơ.zip", encrypted(zipped({"a.pdf": PDF})), ("encrypted",)),
        ("hồ sơ.pdf", PDF, ()),
        ("hồ sơ.zip", b"PK\x03\x04 khong phai zip", ("nested",)),
    ],
)
async def test_what_has_its_use_is_taken_and_noted(
    world: World, name: str, content: bytes, risks: tuple[str, ...]
) -> None:
    assert (await (await world.outside()).mail(STRANGER, BINH, message=letter(name, content))).code == 250
    (event,) = await world.events()
    assert event.risks == risks
    assert [decision.rule for decision in event.decisions] == (["risky-attachment"] if risks else [])


async def test_records_of_refused_strangers_are_bounded(world: World) -> None:
    wires = [await world.outside() for _ in range(4)]
    for n in range(64):
        said = await wires[n % 4].mail(STRANGER, BINH, message=letter("a.exe", PE))
        assert said.short == "550 5.7.1"
    assert 60 <= len(await world.events()) <= 64  # the rest where it falls into two minutes
    assert world.count("refused_policy_dangerous-attachment") <= 4
