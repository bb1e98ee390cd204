"""Mail to the domain that an agency had before it was merged."""

from __future__ import annotations

from tests.support.relay_node import AN, BINH, DOMAIN, account, directory
from tests.wire.conftest import OpenWorld

OLD = "tinhcu.gov.vn"
DATA = f"From: <khach@example.org>\r\nTo: <annv@{OLD}>\r\nSubject: x\r\nMessage-ID: <1@a.vn>\r\n\r\nx\r\n"


async def test_the_envelope_has_the_new_address_and_the_header_is_as_it_was(open_world: OpenWorld) -> None:
    snapshot = directory([account(AN), account(BINH)], domains=[DOMAIN, OLD])
    world = await open_world(snapshot=snapshot, province={"renamed_domains": {OLD.upper(): DOMAIN}})
    wire = await world.outside()
    said = await wire.envelope("khach@example.org", f"annv@{OLD}", f"nobody@{OLD}")
    assert [reply.code for reply in said] == [250, 250, 550]
    assert (await wire.data(DATA.encode())).code == 250
    (kept,) = world.offered
    assert [(r.address, r.destination) for r in kept.recipients] == [(AN, AN)]
    assert await world.bytes_of(kept) == DATA.encode()
    (event,) = await world.events()
    assert [r.original for r in event.recipients if r.state != "rejected"] == [f"annv@{OLD}"]
