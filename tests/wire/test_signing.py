"""What leaves is signed, by both algorithms and in both forms, as verifiers that nobody here wrote see it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import dkim
import pytest

from mailgov.relay.clock import Clock, Steady
from mailgov.relay.node import LOOKS_AT_ONCE
from mailgov.relay.senders.canonical import Bodies, Form
from mailgov.store.snapshot import SigningKey
from tests.support.dkim_verify import mail_dkim, opendkim
from tests.support.dns_server import DnsServer
from tests.support.messages import plain, signed, with_attachment
from tests.support.programs import needs
from tests.support.relay_node import (
    AN,
    BINH,
    DOMAIN,
    ED25519_SELECTOR,
    RSA_SELECTOR,
    account,
    directory,
    private_keys,
)
from tests.unit.relay.test_sign import records
from tests.wire.conftest import OpenWorld, World

FORMS = ["relaxed/simple", "relaxed/relaxed"]
BLANKS = b"a  b \t c\t\r\n \r\n.\r\n..x  \r\n" * 40 + b"\r\n\r\n \r\n"
MESSAGES = {
    "plain": plain(AN, BINH),
    "multipart/signed": signed(AN, BINH),
    "blanks": f"From: <{AN}>\r\nTo: <{BINH}>\r\nSubject: Kính gửi\r\n\r\n".encode() + BLANKS,
    "in a file, hashed in a thread": with_attachment(AN, BINH, size_bytes=2_000_000),
}


async def left(world: World, message: bytes, author: str = AN) -> bytes:
    """The message as it leaves, after a sign-in and DATA."""
    wire = await world.inside(author)
    assert (await wire.mail(author, BINH, message=message)).code == 250
    return await world.leaving(world.offered[-1])


def tags(message: bytes) -> list[dict[bytes, bytes]]:
    """Of each signature, from the top."""
    header = message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b"").replace(b"\r\n ", b" ")
    fields = [line for line in header.split(b"\r\n") if line.startswith(b"DKIM-Signature:")]
    parts = [field.partition(b":")[2].split(b";") for field in fields]
    return [dict(part.strip().split(b"=", 1) for part in one) for one in parts]


def by_dkimpy(message: bytes, known: dict[str, str]) -> list[bool]:
    """What dkimpy says of each of two signatures."""

    def text(name: bytes, timeout: int = 5) -> bytes | None:
        return known[name.decode().rstrip(".")].encode()

    return [bool(dkim.DKIM(message).verify(idx=at, dnsfunc=text)) for at in (0, 1)]


@needs("opendkim", "Mail::DKIM", "Net::DNS")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(MESSAGES.keys() - {"plain"}))
async def test_three_verifiers_agree_on_both_signatures(
    open_world: OpenWorld, dns_server: DnsServer, tmp_path: Path, form: str, name: str
) -> None:
    world = await open_world(dkim={"canonicalization": form})
    message = await left(world, MESSAGES[name])
    told = tags(message)
    assert [one[b"a"] for one in told] == [b"rsa-sha256", b"ed25519-sha256"]
    assert {one[b"c"].decode() for one in told} == {form}
    assert by_dkimpy(message, records()) == [True, True]
    verdicts = {one.selector: one.result for one in opendkim(message, records(), tmp_path)}
    assert verdicts == {RSA_SELECTOR: "pass", ED25519_SELECTOR: "pass"}
    for record, text in records().items():
        dns_server.txt(record, text)
    assert mail_dkim(message, dns_server)[0].result == "pass"


@pytest.mark.parametrize("form", FORMS)
async def test_blanks_that_a_hop_changes_in_the_body_are_borne_where_the_setting_says_so(
    open_world: OpenWorld, form: str
) -> None:
    world = await open_world(dkim={"canonicalization": form})
    message = await left(world, MESSAGES["blanks"])
    changed = message.replace(b"a  b \t c\t\r\n", b"a b c\r\n")
    assert changed != message
    if form == "relaxed/relaxed":
        assert by_dkimpy(changed, records()) == [True, True]
    else:
        with pytest.raises(dkim.ValidationError):
            by_dkimpy(changed, records())


async def test_each_domain_signs_with_its_own_key(open_world: OpenWorld) -> None:
    """A merged agency's old domain is a domain of ours as any: d= is the author's, never another's."""
    old, bare = "tinhcu.gov.vn", "moi.gov.vn"
    an = account(AN, f"annv@{old}", f"annv@{bare}")
    keys = {
        DOMAIN: (SigningKey(DOMAIN, RSA_SELECTOR, "rsa", f"{RSA_SELECTOR}.pem"),),
        old: (SigningKey(old, ED25519_SELECTOR, "ed25519", f"{ED25519_SELECTOR}.pem"),),
    }
    snapshot = directory([an, account(BINH)], domains=[DOMAIN, old, bare], keys=keys)
    world = await open_world(snapshot=snapshot, province={"renamed_domains": {old: DOMAIN}})
    seen = {}
    for domain in (DOMAIN, old, bare):
        wire = await world.inside()
        author = f"annv@{domain}"
        assert (await wire.mail(author, BINH, message=plain(author, BINH))).code == 250
        seen[domain] = [(one[b"d"], one[b"s"]) for one in tags(await world.leaving(world.offered[-1]))]
    assert seen == {
        DOMAIN: [(DOMAIN.encode(), RSA_SELECTOR.encode())],
        old: [(old.encode(), ED25519_SELECTOR.encode())],
        bare: [],
    }


async def test_large_bodies_are_hashed_off_the_loop_two_at_a_time_and_small_ones_on_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The border is `INLINE_BYTES`; the digests are real, only where they are made is written down."""
    where: list[str] = []
    under_way = most = 0
    digest, counting = Bodies.digest, threading.Lock()

    def noted(bodies: Bodies, form: Form) -> tuple[bytes, int]:
        nonlocal under_way, most
        with counting:
            where.append(threading.current_thread().name)
            under_way += 1
            most = max(most, under_way)
        try:
            return digest(bodies, form)
        finally:
            with counting:
                under_way -= 1

    monkeypatch.setattr(Bodies, "digest", noted)
    await left(world, plain(AN, BINH))
    assert where == [threading.main_thread().name]
    where.clear()
    large = with_attachment(AN, BINH, size_bytes=1_000_000)
    wires = [await world.inside() for _ in range(5)]
    replies = await asyncio.gather(*(wire.mail(AN, BINH, message=large) for wire in wires))
    assert [reply.code for reply in replies] == [250] * 5
    assert len(where) == 5
    assert all(name.startswith("relay") for name in where), where
    assert 1 <= most <= LOOKS_AT_ONCE
    assert by_dkimpy(await world.leaving(world.offered[-1]), records()) == [True, True]


async def test_a_clock_that_leapt_ahead_dates_no_signature(world: World) -> None:
    """A verifier may refuse a signature that was made in the future."""
    ahead_ms = 0
    clock = Clock(now_ms=lambda: time.time_ns() // 1_000_000 + ahead_ms)
    world.node.clock, world.node.steady = clock, Steady(clock)
    began_s = time.time()
    for one in tags(await left(world, MESSAGES["plain"])):
        assert began_s - 1 <= int(one[b"t"]) <= time.time()
    ahead_ms = 3_600_000
    message = await left(world, MESSAGES["plain"])
    assert [b"t" in one for one in tags(message)] == [False, False]
    assert by_dkimpy(message, records()) == [True, True]


def test_the_keys_here_are_of_the_size_that_is_asked_for() -> None:
    assert {getattr(key, "key_size", 256) for key in private_keys().values()} == {2048, 256}
