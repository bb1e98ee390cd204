"""Who serves on a day, who signed in, and what lies on services abroad, on both databases."""

from __future__ import annotations

from datetime import date

import pytest

from mailgov.store import accounts, agencies, directory, people
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database
from mailgov.store.people import Foreign
from mailgov.store.tables import SignIn

DAY = date(2026, 11, 20)
FREE = frozenset({"gmail.com", "yahoo.com"})


async def add(
    db: Database, address: str, *posts: Post, kind: str = "personal", now_ms: int = 10, sample: bool = False
) -> None:
    async with db.write() as session:
        await accounts.add_account(
            session,
            address,
            kind=kind,
            display_name=address,
            password_hash=None,
            must_change_password=False,
            citizen_desk=False,
            sample=sample,
            post=posts[0] if posts else None,
            now_ms=now_ms,
        )
        for post in posts[1:]:
            assert post.valid_from is not None
            await accounts.move(session, address, post, post.valid_from)


async def test_who_serves_is_told_for_a_day(database: Database) -> None:
    await add(database, "b@x.vn", Post("snv", "can_bo", None, None), Post("stc", "cong_chuc", DAY, None))
    await add(database, "a@x.vn", Post("snv", "vien_chuc", date(2026, 1, 1), None))
    await add(database, "box@x.vn", Post("stc", None, None, None), kind="shared")
    await add(database, "free@x.vn")
    async with database.read() as session:
        before = await people.serving_on(session, date(2026, 11, 19))
        on = await people.serving_on(session, DAY)
        there = await people.serving_on(session, DAY, "stc")
        early = await people.serving_on(session, date(2025, 12, 31), "snv")
    assert [(one.address, one.agency, one.person_class) for one in before] == [
        ("a@x.vn", "snv", "vien_chuc"),
        ("b@x.vn", "snv", "can_bo"),
        ("box@x.vn", "stc", None),
    ]
    assert [(one.address, one.agency, one.person_class) for one in on] == [
        ("a@x.vn", "snv", "vien_chuc"),
        ("b@x.vn", "stc", "cong_chuc"),
        ("box@x.vn", "stc", None),
    ]
    assert [one.address for one in there] == ["b@x.vn", "box@x.vn"]
    assert [one.address for one in early] == ["b@x.vn"]


async def test_an_account_is_open_from_its_making_to_its_suspension(database: Database) -> None:
    await add(database, "a@x.vn", Post("snv", "can_bo", None, None), now_ms=100)
    async with database.write() as session:
        await accounts.set_suspended(session, "a@x.vn", 200)
    async with database.read() as session:
        (one,) = await people.serving_on(session, DAY)
        assert await people.first_account_ms(session) == 100
    assert [at for at in (100, 101, 200, 201) if one.open_at(at)] == [101, 200]


async def test_there_is_no_first_account_in_an_empty_directory(database: Database) -> None:
    async with database.read() as session:
        assert await people.first_account_ms(session) is None


async def sign(db: Database, *rows: tuple[date, str, str]) -> None:
    async with db.write() as session:
        session.add_all(
            SignIn(local_date=day, account=account, protocol=protocol, count=1, last_ms=1)
            for day, account, protocol in rows
        )


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (date(2026, 10, 1), date(2026, 11, 1), None),  # nothing was noted yet: not the same as nobody
        (date(2026, 11, 1), date(2026, 12, 1), {"a@x.vn", "b@x.vn"}),
        (date(2026, 11, 21), date(2026, 12, 1), {"b@x.vn"}),
        (date(2026, 12, 1), date(2027, 1, 1), set()),
    ],
)
async def test_sign_ins(database: Database, first: date, last: date, found: set[str] | None) -> None:
    rows = [(DAY, "a@x.vn", "imap"), (DAY, "a@x.vn", "web"), (date(2026, 11, 30), "b@x.vn", "submission")]
    await sign(database, *rows)
    async with database.read() as session:
        assert await people.signed_in(session, first, last) == found


async def test_addresses_on_given_domains(database: Database) -> None:
    await add(database, "a@x.vn", Post("snv", "can_bo", None, None))
    async with database.write() as session:
        old = AgencySpan("snv", "Sở", "province", mailbox="snv@GMAIL.com", valid_until=DAY)
        await agencies.add_span(session, old, 1)
        new = AgencySpan("snv", "Sở", "province", mailbox="snv@x.vn", valid_from=DAY)
        await agencies.add_span(session, new, 1)
        await agencies.register_address(session, "snv", "so@yahoo.com")
        await accounts.register_address(session, "a@x.vn", "an@gmail.com")
        await directory.add_alias(session, "l@x.vn", "list", ["a@x.vn", "b@gmail.com", "c@mygmail.com"], 1)
        await directory.add_alias(session, "f@x.vn", "forward", ["b@gmail.com"], 1)
    async with database.read() as session:
        on = await people.addresses_at(session, FREE, DAY)
        before = await people.addresses_at(session, FREE, date(2026, 11, 19))
        targets = await people.alias_targets(session, ["l@x.vn", "none@x.vn"])
    assert on == [
        Foreign("forward", "f@x.vn", "b@gmail.com"),
        Foreign("list", "l@x.vn", "b@gmail.com"),
        Foreign("personal", "a@x.vn", "an@gmail.com"),
        Foreign("registered", "snv", "so@yahoo.com"),
    ]
    assert set(before) - set(on) == {Foreign("published", "snv", "snv@GMAIL.com")}
    assert targets == {"l@x.vn": ["a@x.vn", "b@gmail.com", "c@mygmail.com"]}


async def test_samples_can_be_dated_back_and_nothing_else(database: Database) -> None:
    await add(database, "real@x.vn", Post("snv", "can_bo", None, None), now_ms=500)
    await add(database, "old@x.vn", Post("snv", "can_bo", None, None), now_ms=5, sample=True)
    await add(database, "made@x.vn", Post("snv", "can_bo", None, None), now_ms=500, sample=True)
    async with database.write() as session:
        await people.date_samples(session, 50)
    async with database.read() as session:
        found = {one.address: one.created_ms for one in await people.serving_on(session, DAY)}
    assert found == {"real@x.vn": 500, "old@x.vn": 5, "made@x.vn": 50}
