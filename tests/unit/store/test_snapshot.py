"""The directory at hand: complete, of one state, and back after a restart without the ledger."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import SQLModel

from mailgov.store.directory import bump_policy_revision, bump_revision
from mailgov.store.engine import Database
from mailgov.store.snapshot import (
    AliasEntry,
    SigningKey,
    load_file,
    load_snapshot,
    revisions,
    save,
)
from mailgov.store.sql import table
from mailgov.store.tables import (
    Account,
    AccountGrant,
    AccountPost,
    Alias,
    AliasTarget,
    DkimKey,
    Domain,
    RegisteredAddress,
)

NOW = 1_764_435_600_000  # 2025-11-30 00:00 in Asia/Ho_Chi_Minh
DOMAIN = "caobang.gov.vn"


async def fill(database: Database, rows: list[tuple[type[SQLModel], dict[str, Any]]]) -> None:
    async with database.write() as session:
        for model, values in rows:
            session.add(model(**values))
            await session.flush()


def account(number: int, name: str, **more: Any) -> tuple[type[SQLModel], dict[str, Any]]:
    values = {
        "id": number,
        "address": f"{name}@{DOMAIN}",
        "kind": "personal",
        "display_name": name,
        "created_ms": 1,
    }
    return Account, values | more


def alias(
    number: int, name: str, *targets: str, kind: str = "alias"
) -> list[tuple[type[SQLModel], dict[str, Any]]]:
    row = {"id": number, "address": f"{name}@{DOMAIN}", "kind": kind, "created_ms": 1}
    return [(Alias, row), *((AliasTarget, {"alias_id": number, "address": target}) for target in targets)]


async def directory(database: Database) -> None:
    await fill(
        database,
        [
            (Domain, {"name": DOMAIN, "created_ms": 1}),
            (Domain, {"name": "old.gov.vn", "created_ms": 1, "disabled_ms": 2}),
            account(1, "an", password_hash="$argon2id$…", must_change_password=True),
            account(2, "binh", suspended_ms=5, kind="functional", citizen_desk=True),
            account(3, "chi"),
            (AccountPost, {"account_id": 1, "agency_code": "H14.01", "valid_until": date(2025, 11, 30)}),
            (
                AccountPost,
                {
                    "account_id": 1,
                    "agency_code": "H14.02",
                    "person_class": "cong_chuc",
                    "valid_from": date(2025, 11, 30),
                },
            ),
            (AccountPost, {"account_id": 3, "agency_code": "H14.03", "valid_from": date(2025, 12, 1)}),
            (AccountGrant, {"account_id": 1, "address": f"vanphong@{DOMAIN}"}),
            (RegisteredAddress, {"account_id": 1, "address": "an@gmail.com"}),
            (RegisteredAddress, {"agency_code": "H14.02", "address": "so@yahoo.com"}),
            (RegisteredAddress, {"agency_code": "H14.09", "address": "xa@gmail.com"}),
            *alias(1, "giamdoc", f"an@{DOMAIN}"),
            *alias(2, "sep", f"giamdoc@{DOMAIN}"),
            *alias(3, "all", f"an@{DOMAIN}", f"binh@{DOMAIN}", kind="list"),
            *alias(4, "one", f"an@{DOMAIN}", kind="list"),
            *alias(5, "two", f"an@{DOMAIN}", f"chi@{DOMAIN}"),
            *alias(6, "loop", f"round@{DOMAIN}"),
            *alias(7, "round", f"loop@{DOMAIN}"),
            *alias(8, "empty"),
            *(
                (
                    DkimKey,
                    {
                        "domain": DOMAIN,
                        "selector": selector,
                        "algorithm": "rsa",
                        "public_key": "MIIB",
                        "key_file": f"dkim/{selector}.pem",
                        "state": state,
                        "created_ms": 1,
                    },
                )
                for selector, state in (
                    ("s2", "active"),
                    ("s1", "active"),
                    ("s0", "retired"),
                    ("s3", "pending"),
                )
            ),
        ],
    )


async def test_the_whole_directory(database: Database) -> None:
    await directory(database)
    snapshot = await load_snapshot(database, NOW)
    assert (snapshot.revision, snapshot.policy_revision, snapshot.loaded_ms) == (1, 1, NOW)
    assert snapshot.is_local("CaoBang.gov.vn")
    assert not snapshot.is_local("old.gov.vn")

    an = snapshot.accounts[f"an@{DOMAIN}"]
    assert (an.id, an.kind, an.agency, an.person_class) == (1, "personal", "H14.02", "cong_chuc")
    assert (an.password_hash, an.must_change, an.suspended) == ("$argon2id$…", True, False)
    assert an.addresses == frozenset(f"{name}@{DOMAIN}" for name in ("an", "vanphong", "giamdoc", "sep"))
    assert an.registered == frozenset({"an@gmail.com", "so@yahoo.com"})
    assert "argon2id" not in repr(snapshot)

    binh = snapshot.accounts[f"binh@{DOMAIN}"]
    assert (binh.suspended, binh.citizen_desk, binh.agency, binh.kind) == (True, True, None, "functional")
    assert snapshot.accounts[f"chi@{DOMAIN}"].agency is None, "the post begins tomorrow"

    assert snapshot.alias(f"all@{DOMAIN}") == AliasEntry(
        f"all@{DOMAIN}", "list", (f"an@{DOMAIN}", f"binh@{DOMAIN}")
    )
    assert snapshot.aliases[f"empty@{DOMAIN}"].targets == ()
    assert snapshot.signing_keys == {
        DOMAIN: (
            SigningKey(DOMAIN, "s1", "rsa", "dkim/s1.pem"),
            SigningKey(DOMAIN, "s2", "rsa", "dkim/s2.pem"),
        )
    }
    assert snapshot.registered == frozenset({"an@gmail.com", "so@yahoo.com", "xa@gmail.com"})


async def test_the_post_of_the_day_decides_the_agency(database: Database) -> None:
    await directory(database)
    for ms, agency in ((NOW - 1, "H14.01"), (NOW, "H14.02")):
        assert (await load_snapshot(database, ms)).accounts[f"an@{DOMAIN}"].agency == agency
    utc = await load_snapshot(database, NOW, timezone="UTC")
    assert utc.accounts[f"an@{DOMAIN}"].agency == "H14.01", "midnight is the province's own"


async def test_revisions(database: Database) -> None:
    async with database.write() as session:
        await bump_revision(session)
        await bump_revision(session)
        await bump_policy_revision(session)
    assert await revisions(database) == (3, 2)
    assert (await load_snapshot(database, NOW)).revision == 3


async def test_revision_and_rows_are_of_one_state(database: Database) -> None:
    async def change() -> None:
        for number in range(20):
            async with database.write() as session:
                await session.execute(insert(table(Domain)).values(name=f"d{number}.vn", created_ms=1))
                await bump_revision(session)

    async def look() -> None:
        for _ in range(20):
            snapshot = await load_snapshot(database, NOW)
            assert len(snapshot.domains) == snapshot.revision - 1

    await asyncio.gather(change(), look())


async def test_a_file_brings_the_same_snapshot_back(database: Database, tmp_path: Path) -> None:
    await directory(database)
    snapshot = await load_snapshot(database, NOW)
    path = tmp_path / "new" / "directory.json"
    await asyncio.to_thread(save, snapshot, path)
    await asyncio.to_thread(save, snapshot, path)
    assert load_file(path) == snapshot
    assert [file.name for file in path.parent.iterdir()] == ["directory.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"H14.02", b"H14.99"),
        lambda data: b"mailgov-snapshot-9 " + data,
        lambda data: data.partition(b"\n")[2],
        lambda data: os.urandom(1000),
    ],
)
async def test_a_damaged_file_is_no_snapshot(sqlite_url: str, tmp_path: Path, damage: Any) -> None:
    database = Database.open(sqlite_url, create=True)
    await directory(database)
    path = tmp_path / "directory.json"
    snapshot = await load_snapshot(database, NOW)
    await database.dispose()
    await asyncio.to_thread(save, snapshot, path)
    data = path.read_bytes()
    path.write_bytes(damage(data))
    assert load_file(path) is None


def test_a_missing_file_is_no_snapshot(tmp_path: Path) -> None:
    assert load_file(tmp_path / "none") is None
    assert load_file(tmp_path) is None


async def test_a_save_that_fails_leaves_the_old_file(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "directory.json"
    (path / "x").mkdir(parents=True)
    snapshot = await load_snapshot(database, NOW)
    with pytest.raises(OSError, match="directory"):
        await asyncio.to_thread(save, snapshot, path)
    assert [name for name in await asyncio.to_thread(os.listdir, tmp_path) if name.endswith(".tmp")] == []
