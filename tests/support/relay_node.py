"""A relay's node inside the test's own process: everything real but the ledger."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailgov.identity.passwords import PasswordChecker, hash_password
from mailgov.policy import Policy, load, read_directory
from mailgov.relay.clock import Clock
from mailgov.relay.dns import Resolver
from mailgov.relay.node import DirectoryView, Node, PolicyView
from mailgov.relay.sign import signer_of
from mailgov.settings import Settings
from mailgov.store.guard import Guard
from mailgov.store.snapshot import AccountEntry, AliasEntry, SigningKey, Snapshot
from mailgov.store.spool import Spool

DOMAIN = "caobang.gov.vn"
HOSTNAME = f"mail.{DOMAIN}"
PASSWORD = "Pác-Bó 1941"
POLICY = Path(__file__).resolve().parent.parent.parent / "policy"
AN, BINH, SUSPENDED, SCANNER = (f"{name}@{DOMAIN}" for name in ("annv", "binhtt", "cuchk", "scanner"))
OFFICE = f"ubnd@{DOMAIN}"
"""An's by grant."""
RSA_SELECTOR, ED25519_SELECTOR = "r1", "e1"


@cache
def shipped_policy() -> Policy:
    """The policy of the source tree."""
    return load(read_directory(POLICY))


@cache
def password_hash() -> str:
    """The argon2id hash of PASSWORD."""
    return hash_password(PASSWORD)


@cache
def private_keys() -> dict[str, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey]:
    """DKIM keys by selector, generated once a run."""
    return {
        RSA_SELECTOR: rsa.generate_private_key(65537, 2048),
        ED25519_SELECTOR: ed25519.Ed25519PrivateKey.generate(),
    }


def account(address: str, *addresses: str, **more: Any) -> AccountEntry:
    """An account that may write as `address` and as `addresses`; others of its fields by name."""
    given: dict[str, Any] = {
        "id": 1,
        "address": address,
        "kind": "personal",
        "display_name": address.partition("@")[0],
        "agency": "SNV",
        "person_class": "cong_chuc",
        "password_hash": password_hash(),
        "suspended": False,
        "must_change": False,
        "citizen_desk": False,
        "addresses": frozenset({address, *addresses}),
        "registered": frozenset(),
    }
    return AccountEntry(**{**given, **more})


def alias(name: str, *targets: str, kind: str = "alias") -> AliasEntry:
    """An alias, list or forward of our domain; a name without @ and such targets are of our domain."""
    whole = [text if "@" in text else f"{text}@{DOMAIN}" for text in (name, *targets)]
    return AliasEntry(whole[0], kind, tuple(whole[1:]))


def directory(
    accounts: Sequence[AccountEntry] = (),
    aliases: Sequence[AliasEntry] = (),
    *,
    domains: Sequence[str] = (DOMAIN,),
    keys: Mapping[str, tuple[SigningKey, ...]] | None = None,
) -> Snapshot:
    """A snapshot of these, and of nothing else."""
    return Snapshot(
        revision=1,
        policy_revision=1,
        loaded_ms=time.time_ns() // 1_000_000,
        domains=frozenset(domains),
        accounts={entry.address: entry for entry in accounts},
        aliases={entry.address: entry for entry in aliases},
        signing_keys=dict(keys or {}),
        registered=frozenset().union(*(entry.registered for entry in accounts)),
    )


def province() -> Snapshot:
    """An (with a grant and an alias), Bình, a suspended account, a scanner, a postmaster, two DKIM keys."""
    keys = tuple(
        SigningKey(DOMAIN, selector, algorithm, f"{selector}.pem")
        for selector, algorithm in ((RSA_SELECTOR, "rsa"), (ED25519_SELECTOR, "ed25519"))
    )
    return directory(
        [
            account(AN, OFFICE, f"vanthu@{DOMAIN}", registered=frozenset({"an.rieng@gmail.com"})),
            account(BINH),
            account(SUSPENDED, suspended=True),
            account(SCANNER, kind="functional"),
            account(OFFICE, kind="functional"),
        ],
        [
            alias("vanthu", "annv"),
            alias("postmaster", "binhtt"),
            alias("ld", "annv", "binhtt", "annv", "vanthu", kind="list"),
            alias("vong1", "vong2"),
            alias("vong2", "vong1"),
        ],
        keys={DOMAIN: keys},
    )


def node_settings(folder: Path, sections: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Settings with the data under `folder` and each section's given keys."""
    return Settings.model_validate({"hostname": HOSTNAME, "data_dir": folder, **(sections or {})})


@contextmanager
def running_node(
    settings: Settings,
    snapshot: Snapshot | None = None,
    clock: Clock | None = None,
    passwords: PasswordChecker | None = None,
) -> Iterator[Node]:
    """A node whose directory was confirmed just now; its parts are closed when the block is left.

    `passwords` may be shared between nodes, and stays the caller's: what it has verified lately
    costs no argon2id again.
    """
    data_dir = settings.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    for selector, key in private_keys().items():
        (data_dir / f"{selector}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    clock = clock or Clock()
    executor = ThreadPoolExecutor(4, thread_name_prefix="relay")
    spool = Spool.open(
        data_dir / "spool" / "0",
        settings=settings.spool,
        executor=executor,
        new_id=secrets.token_hex(16),
        now_ms=clock.now_ms(),
    )
    node = Node(
        settings=settings,
        clock=clock,
        directory=DirectoryView(None, clock.monotonic),
        policy=PolicyView(shipped_policy()),
        resolver=Resolver(settings.dns),
        guard=Guard.open(data_dir / "guard.sqlite"),
        spool=spool,
        signer=signer_of(settings),
        passwords=passwords or PasswordChecker(os.urandom(32), clock.monotonic),
        executor=executor,
    )
    node.directory.confirm(snapshot or province())
    try:
        yield node
    finally:
        spool.close()
        if passwords is None:
            node.passwords.close()
        executor.shutdown()
        node.guard.close()
