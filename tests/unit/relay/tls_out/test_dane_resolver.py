"""DANE behind a real Unbound: what it vouches for is kept to, what is forged stops mail."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailgov.mail.events import OutcomeEvent
from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.route import Lane, Router
from mailgov.store.spool import Change
from tests.support.certificates import Authority, Issued
from tests.support.processes import free_port
from tests.support.programs import needs
from tests.support.relay_node import node_settings, running_node
from tests.support.sink import Sink
from tests.support.validating_dns import PROGRAMS, Zone, running_unbound
from tests.unit.relay.conftest import OwnTime, queued, stored
from tests.unit.relay.tls_out.conftest import digest

pytestmark = needs(*PROGRAMS)

WRONG = "ab" * 32


@dataclass(frozen=True, slots=True)
class Outside:
    """The zones of `zones`, and one mail host behind them all, which has `now`, or soon `soon`."""

    resolver: str
    sink: Sink
    authority: Authority
    now: Issued
    soon: Issued


def authority_key(authority: Authority) -> bytes:
    key = x509.load_der_x509_certificate(authority.der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def zones(port: int, authority: Authority, now: Issued, soon: Issued) -> list[Zone]:
    """By name what is said of the host's certificate."""

    def host(*tlsa: str, name: str = "mx") -> list[str]:
        records = [f"_{port}._tcp.{name} 60 IN TLSA {one}" for one in tlsa]
        return [f"@ 60 IN MX 10 {name}", f"{name} 60 IN A 127.0.0.1", *records]

    has = f"3 1 1 {digest(now.public_key())}"
    return [
        Zone("key.test", host(has)),
        Zone("authority.test", host(f"2 1 1 {digest(authority_key(authority))}")),
        Zone("rollover.test", host(has, f"3 1 1 {digest(soon.public_key())}")),
        Zone("wrong.test", host(f"3 1 1 {WRONG}")),
        Zone("none.test", host()),
        Zone("alias.test", ["@ 60 IN MX 10 mail", "mail 60 IN CNAME mx.key.test."]),
        Zone(
            "shadowed.test",  # RFC 7672 2.2.2: the name behind the alias comes first
            [
                "@ 60 IN MX 10 mail",
                "mail 60 IN CNAME mx.key.test.",
                f"_{port}._tcp.mail 60 IN TLSA 3 1 1 {WRONG}",
            ],
        ),
        Zone(
            "own.test",  # the same, where nothing stands behind the alias
            ["@ 60 IN MX 10 mail", "mail 60 IN CNAME mx.none.test.", f"_{port}._tcp.mail 60 IN TLSA {has}"],
        ),
        Zone(  # signed itself, and led to where nothing is
            "half.test",
            ["@ 60 IN MX 10 mail", "mail 60 IN CNAME mx.plain.test.", f"_{port}._tcp.mail 60 IN TLSA {has}"],
        ),
        Zone(
            "half-wrong.test",
            [
                "@ 60 IN MX 10 mail",
                "mail 60 IN CNAME mx.plain.test.",
                f"_{port}._tcp.mail 60 IN TLSA 3 1 1 {WRONG}",
            ],
        ),
        Zone("plain.test", host(f"3 1 1 {WRONG}"), signed=False),
        Zone("elsewhere.test", ["@ 60 IN MX 10 mx.plain.test."]),
        Zone("forged-mx.test", host(has), forged=[("MX\t10 mx.", "MX\t10 ns.")]),
        Zone("forged-address.test", host(has), forged=[("127.0.0.1", "127.0.0.9")]),
        Zone("forged-tlsa.test", host(f"3 1 1 {WRONG}"), forged=[(WRONG, digest(now.public_key()))]),
        Zone("expired.test", host(has), expired=True),
    ]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "soon").mkdir()
    authority = Authority.make(folder)
    now = authority.issue(folder, "mx.key.test", "mx.authority.test")
    soon = authority.issue(folder / "soon", "mx.key.test")
    port = free_port()
    with (
        running_unbound(folder, zones(port, authority, now, soon)) as resolver,
        Sink(port=port, tls=now.server_context()) as sink,
    ):
        yield Outside(resolver, sink, authority, now, soon)


async def sent(outside: Outside, folder: Path, domain: str, tls: ssl.SSLContext | None) -> OutcomeEvent:
    """What becomes of a message to b@`domain`, whose host shows `tls`."""
    outside.sink.tls = tls
    outside.sink.messages.clear()
    settings = node_settings(
        folder,
        {
            "dns": {"nameservers": [outside.resolver], "validating": True},
            "delivery": {"allow_networks": ["127.0.0.0/8"], "mx_port": outside.sink.port},
            "tls_out": {"mta_sts": False},
        },
    )
    with running_node(settings, clock=OwnTime().clock()) as node:
        message = await stored(node, queued(f"b@{domain}"))
        session = LaneSession(Lane("mx", domain))
        router = Router(settings.delivery, node.resolver, settings.hostname)
        await Attempt(node, router).run(node.spool, message, message.recipients, session)
        await session.close()
        await node.spool.apply(Change())
        (told,) = [e for _, e in await node.spool.events(0, 10) if isinstance(e, OutcomeEvent)]
        return told


@pytest.mark.parametrize(
    ("domain", "verified"),
    [
        ("key.test", "dane"),
        ("authority.test", "dane"),
        ("rollover.test", "dane"),
        ("alias.test", "dane"),
        ("shadowed.test", "dane"),
        ("own.test", "dane"),
        ("half.test", "dane"),
        ("none.test", "no"),
        ("plain.test", "no"),
        ("elsewhere.test", "no"),
    ],
)
async def test_mail_goes_and_its_record_says_what_was_proven(
    outside: Outside, tmp_path: Path, domain: str, verified: str
) -> None:
    told = await sent(outside, tmp_path, domain, outside.now.server_context())
    assert (told.state, told.tls) == ("delivered", f"TLSv1.3 TLS_AES_256_GCM_SHA384 verified={verified}")


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("wrong.test", "451 4.7.5 No trusted TLS with mx.wrong.test"),
        ("half-wrong.test", "451 4.7.5 No trusted TLS with mail.half-wrong.test"),
        ("forged-mx.test", "451 4.4.3 "),
        ("forged-address.test", "451 4.4.3 "),
        ("forged-tlsa.test", "451 4.7.5 The DNS does not answer for the TLSA records of mx.forged-tlsa.test"),
        ("expired.test", "451 4.4.3 "),
    ],
)
async def test_mail_waits_where_the_certificate_or_the_dns_is_not_right(
    outside: Outside, tmp_path: Path, domain: str, said: str
) -> None:
    told = await sent(outside, tmp_path, domain, outside.now.server_context())
    assert told.state == "deferred"
    assert str(told.reply).startswith(said)
    assert not outside.sink.messages


async def test_a_new_key_may_be_used_once_both_records_are_published(
    outside: Outside, tmp_path: Path
) -> None:
    soon = outside.soon.server_context()
    assert (await sent(outside, tmp_path / "1", "rollover.test", soon)).state == "delivered"
    told = await sent(outside, tmp_path / "2", "key.test", soon)
    assert (told.state, str(told.reply)[:9]) == ("deferred", "451 4.7.5")


async def test_an_authority_vouches_for_names_that_are_right_alone(outside: Outside, tmp_path: Path) -> None:
    other = outside.authority.issue(tmp_path, "mx.other.test").server_context()
    told = await sent(outside, tmp_path / "node", "authority.test", other)
    assert (told.state, str(told.reply)[:9]) == ("deferred", "451 4.7.5")


async def test_who_takes_starttls_out_of_the_way_gets_nothing(outside: Outside, tmp_path: Path) -> None:
    told = await sent(outside, tmp_path, "key.test", None)
    assert (told.state, str(told.reply)[:9]) == ("deferred", "451 4.7.4")
    assert not outside.sink.messages
