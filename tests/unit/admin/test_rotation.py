"""One key in the place of another, on a real ledger, with a DNS server that says what it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import dkim
import pytest

from mailgov.admin import keys, rotation
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.mail.events import OutcomeEvent
from mailgov.relay.key_watch import BEGUN, COUNTER, MISSING, WITHDRAWN, KeyWatch
from mailgov.relay.node import Node
from mailgov.relay.sign import body_hash
from mailgov.settings import DkimSettings, DnsSettings
from mailgov.store import audit, audit_rows
from mailgov.store.dkim_keys import DkimKeyView
from mailgov.store.ledger import apply_events
from mailgov.store.snapshot import load_snapshot
from tests.support.dns_server import DnsServer
from tests.support.relay_node import running_node
from tests.unit.admin.province import DOMAIN, NOW_MS, OPERATOR, SPOOL, WAITING
from tests.unit.relay.conftest import OwnTime

HEAD = b"From: annv@caobang.gov.vn\r\nSubject: x\r\n"
DAY_MS = 86_400_000


@dataclass
class Office:
    """An administrator's hands, a worker's watch, the DNS and the time."""

    ctx: AdminContext
    node: Node
    dns: DnsServer
    time: OwnTime

    async def watch(self, after_s: float = 61) -> None:
        """The worker's next look, and what it follows of the directory."""
        self.time.ms += round(after_s * 1000)
        await KeyWatch(self.node, self.ctx.db).round()
        self.node.directory.confirm(await load_snapshot(self.ctx.db, self.time.ms))

    async def keys(self) -> dict[str, DkimKeyView]:
        return {key.selector: key for key in await keys.list_keys(self.ctx, OPERATOR, DOMAIN)}

    async def states(self) -> dict[str, str]:
        return {selector: key.state for selector, key in (await self.keys()).items()}

    async def publish(self) -> None:
        """Everything that is to be there."""
        for key in (await self.keys()).values():
            self.dns.txt(key.record_name, key.record)

    async def acts(self, act: str) -> list[object]:
        async with self.ctx.db.read() as session:
            return [row.content for row in await audit_rows.rows(session, limit=100, act=act)]

    def signs_with(self) -> list[str]:
        """The selectors of a message's signatures, each verified with what the DNS has now."""
        found = self.node.directory.snapshot.signing_keys[DOMAIN]
        message = HEAD + b"\r\nbody\r\n"
        digest = body_hash(message, len(HEAD) + 2)
        signed = self.node.signer.sign(found, HEAD, digest, self.time.ms // 1000) + message
        for at in range(len(found)):
            assert dkim.DKIM(signed).verify(idx=at, dnsfunc=self._text), f"{found[at]} is not published"
        return [key.selector for key in found]

    def _text(self, name: bytes, timeout: int = 5) -> bytes | None:
        try:
            return self.dns.text(name.decode()).encode()
        except KeyError:
            return None


@pytest.fixture
async def office(ctx: AdminContext, dns_server: DnsServer) -> AsyncIterator[Office]:
    """A province whose one key, Ed25519, signs and is published."""
    time = OwnTime(NOW_MS)
    settings = ctx.settings.model_copy(
        update={
            "dns": DnsSettings.model_validate({"nameservers": [dns_server.address], "timeout_s": 1}),
            "dkim": DkimSettings(check_interval_s=300, settle_s=600),
        }
    )
    with running_node(settings, clock=time.clock()) as node:
        made = Office(replace(ctx, settings=settings, now_ms=time.now_ms), node, dns_server, time)
        await made.publish()
        node.directory.confirm(await load_snapshot(ctx.db, NOW_MS))
        yield made


async def test_a_new_key_signs_by_itself_once_it_was_seen_for_a_while(office: Office) -> None:
    made = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    assert [(key.selector, key.algorithm, key.state) for key in made] == [
        ("ed25519202511-2", "ed25519", "pending")
    ]
    await office.watch()
    assert (await office.keys())["ed25519202511-2"].standing == "missing"
    assert office.signs_with() == ["ed25519202511"]
    await office.publish()
    await office.watch()
    assert await office.states() == {"ed25519202511": "active", "ed25519202511-2": "pending"}
    for _ in range(9):
        await office.watch()
        assert office.signs_with() == ["ed25519202511"]
    await office.watch()
    assert await office.states() == {"ed25519202511": "retired", "ed25519202511-2": "active"}
    assert office.signs_with() == ["ed25519202511-2"]
    assert await office.acts(BEGUN) == [
        {"selector": "ed25519202511-2", "algorithm": "ed25519", "retired": ["ed25519202511"]}
    ]
    assert (await audit.verify(office.ctx.db)).problems == []


async def test_the_old_key_stays_until_its_mail_has_arrived_and_is_then_withdrawn(office: Office) -> None:
    await rotation.rotate(office.ctx, OPERATOR, DOMAIN)
    await office.publish()
    assert (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).begun
    old = (await office.keys())["ed25519202511"]
    assert old.withdraw_ms is not None
    assert old.withdraw_ms - office.time.ms == 10 * DAY_MS, "five days here, five at the next hops"
    office.dns.forget(old.record_name)  # somebody is too fast
    await office.watch()
    assert office.signs_with() == ["ed25519202511-2"]
    ((told,),) = (await office.acts(MISSING),)
    assert isinstance(told, dict)
    assert (told["selector"], told["state"], told["standing"]) == ("ed25519202511", "retired", "missing")
    office.dns.txt(old.record_name, old.record)
    await office.watch(10 * 86_400)
    held = (await office.keys())["ed25519202511"].withdraw_ms
    assert held == office.time.ms + 5 * DAY_MS, "a letter of its time still waits"
    gone = [OutcomeEvent(WAITING, at, NOW_MS + 9, "dropped") for at in (1, 2)]
    await apply_events(office.ctx.db, SPOOL, "test", list(enumerate(gone, 3)), NOW_MS)
    await office.watch(5 * 86_400)
    old = (await office.keys())["ed25519202511"]
    assert rotation.advice(old, office.time.ms).startswith("take it out of the DNS")
    looks = {one.key.selector: one for one in await rotation.look(office.ctx, OPERATOR)}
    assert looks[old.selector].over
    assert old.state == "retired"
    office.dns.forget(old.record_name)
    await office.watch(301)
    assert (await office.states())["ed25519202511"] == "withdrawn"
    assert await office.acts(WITHDRAWN) == [{"selector": "ed25519202511"}]
    assert (await audit.verify(office.ctx.db)).problems == []


async def test_both_algorithms_sign_together_and_rotate_together(office: Office) -> None:
    await keys.generate_key(office.ctx, OPERATOR, DOMAIN)
    await office.publish()
    assert [key.selector for key in (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).begun] == [
        "rsa202511"
    ]
    await office.watch()
    assert office.signs_with() == ["ed25519202511", "rsa202511"]
    made = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    assert [key.selector for key in made] == ["rsa202511-2", "ed25519202511-2"]
    await office.watch()
    assert office.signs_with() == ["ed25519202511", "rsa202511"]
    office.dns.txt(made[0].record_name, made[0].record)
    turned = await rotation.rotate(office.ctx, OPERATOR, DOMAIN)
    assert [key.selector for key in turned.begun] == ["rsa202511-2"]
    assert [(one.key.selector, one.found.standing) for one in turned.waiting] == [
        ("ed25519202511-2", "missing")
    ]
    await office.watch()
    assert office.signs_with() == ["ed25519202511", "rsa202511-2"]


async def test_trouble_with_the_dns_changes_nothing(office: Office) -> None:
    (made,) = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    await office.publish()
    await office.watch()
    for key in (await office.keys()).values():
        office.dns.servfail(key.record_name)
    await office.watch(1000)
    seen = await office.keys()
    assert {selector: (key.state, key.standing) for selector, key in seen.items()} == {
        "ed25519202511": ("active", "unknown"),
        "ed25519202511-2": ("pending", "unknown"),
    }
    assert seen[made.selector].seen_ms is not None, "what was seen before still counts"
    assert await office.acts(MISSING) == []
    with pytest.raises(AdminError, match="unknown: the DNS does not answer"):
        await rotation.begin_key(office.ctx, OPERATOR, DOMAIN, made.selector)


async def test_a_published_key_that_disappears_is_told_once_a_day_and_signs_on(office: Office) -> None:
    office.dns.forget(f"ed25519202511._domainkey.{DOMAIN}")
    for _ in range(3):
        await office.watch(301)
    assert [row["standing"] for row in await office.acts(MISSING) if isinstance(row, dict)] == ["missing"]
    assert office.node.counters.values[COUNTER] == 1
    assert [key.selector for key in office.node.directory.snapshot.signing_keys[DOMAIN]] == ["ed25519202511"]
    await office.watch(86_400)
    assert len(await office.acts(MISSING)) == 2
    await office.publish()
    await office.watch(301)
    await office.watch(301)
    assert office.node.counters.values[COUNTER] == 0


async def test_a_gap_in_the_dns_begins_the_wait_anew(office: Office) -> None:
    (made,) = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    await office.publish()
    await office.watch()
    office.dns.forget(made.record_name)
    await office.watch(500)
    await office.publish()
    await office.watch(500)
    await office.watch(500)
    assert (await office.states())[made.selector] == "pending"
    await office.watch(500)
    assert (await office.states())[made.selector] == "active"


async def test_a_key_whose_private_side_is_not_here_never_begins(office: Office) -> None:
    (made,) = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    await office.publish()
    (office.ctx.settings.data_dir / made.key_file).rename(office.ctx.settings.data_dir / "elsewhere")
    for _ in range(3):
        await office.watch(700)
    seen = (await office.keys())[made.selector]
    assert (seen.state, seen.standing) == ("pending", "no_private_key")
    with pytest.raises(AdminError, match="No such file"):
        await rotation.begin_key(office.ctx, OPERATOR, DOMAIN, made.selector, unchecked=True)


async def test_another_machine_that_lacks_the_key_keeps_it_from_beginning(office: Office) -> None:
    (made,) = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    await office.publish()
    file = office.ctx.settings.data_dir / made.key_file
    file.rename(file.with_suffix(".away"))
    await office.watch()
    file.with_suffix(".away").rename(file)
    settings = office.ctx.settings.model_copy(update={"hostname": "mail2.caobang.gov.vn"})
    turned = await rotation.rotate(replace(office.ctx, settings=settings), OPERATOR, DOMAIN)
    assert not turned.begun
    assert "copy the key file there" in turned.waiting[0].found.detail
    await office.watch()
    assert (await rotation.rotate(replace(office.ctx, settings=settings), OPERATOR, DOMAIN)).begun


async def test_of_two_workers_one_begins(office: Office) -> None:
    (made,) = (await rotation.rotate(office.ctx, OPERATOR, DOMAIN)).made
    await office.publish()
    await office.watch()
    office.time.ms += 700_000
    watches = [KeyWatch(office.node, office.ctx.db) for _ in range(2)]
    for watch in watches:
        await watch._begin(made, office.time.ms)
    assert len(await office.acts(BEGUN)) == 1
    assert (await audit.verify(office.ctx.db)).problems == []


async def test_keys_are_retired_by_hand_but_not_the_last_one(office: Office) -> None:
    with pytest.raises(AdminError, match="the only key that signs"):
        await rotation.retire_key(office.ctx, OPERATOR, DOMAIN, "ed25519202511")
    made = await keys.generate_key(office.ctx, OPERATOR, DOMAIN, selector="mistake", algorithm="ed25519")
    assert (await rotation.retire_key(office.ctx, OPERATOR, DOMAIN, made.selector)).state == "withdrawn"
    with pytest.raises(AdminError, match="not pending"):
        await rotation.begin_key(office.ctx, OPERATOR, DOMAIN, made.selector)
    await keys.generate_key(office.ctx, OPERATOR, DOMAIN)
    assert (await rotation.rotate(office.ctx, OPERATOR, DOMAIN, unchecked=True)).begun
    retired = await rotation.retire_key(office.ctx, OPERATOR, DOMAIN, "ed25519202511")
    assert retired.state == "retired"
    with pytest.raises(AdminError, match="may be on its way"):
        await rotation.retire_key(office.ctx, OPERATOR, DOMAIN, "ed25519202511")
    assert await office.states() == {
        "ed25519202511": "retired",
        "mistake": "withdrawn",
        "rsa202511": "active",
    }
    assert (await audit.verify(office.ctx.db)).problems == []
