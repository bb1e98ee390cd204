"""A quarter whose truth is known gives each computed indicator exactly, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import date

import pytest

from mailgov.mail.events import Event
from mailgov.policy import load, read_directory
from mailgov.relay.clock import Clock
from mailgov.settings import Settings
from mailgov.store import accounts, agencies, classes, declarations, directory
from mailgov.store.declarations import Series
from mailgov.store.engine import Database, migrate
from mailgov.store.ledger import apply_events, unapplied_count
from mailgov.store.rollup import rebuild
from mailgov.usage.declared import DOCUMENT_COUNTS
from mailgov.usage.indicators.report import Yardsticks
from mailgov.usage.indicators.row import IndicatorRow
from mailgov.usage.periods import Period, Span, parse
from mailgov.usage.report import usage_report
from tests.support.plain_logs import plain_logs
from tests.support.postgres import PostgresServer
from tests.support.relay_node import POLICY, node_settings, running_node
from tests.unit.store.conftest import postgres
from tests.unit.usage.quarter import Quarter, Truth
from tests.unit.usage.quarter_world import (
    AGENCIES,
    BY_CODE,
    CLASSES,
    DISSOLVED,
    END,
    FIRST,
    MERGED,
    World,
    holders,
)
from tests.unit.usage.traffic import address, at_ms

__all__ = ["postgres"]

NOW_MS = at_ms("2027-02-01")
CIVIL, ADMINISTRATIVE = parse("2026-Q4"), parse("2026-Q4", "administrative")
LIVES = {"stttt": Span(FIRST, MERGED), "haquang": Span(FIRST, DISSOLVED), "xa2": Span(DISSOLVED, END)}
BATCH = 400


@dataclass(frozen=True)
class Made:
    events: list[Event]
    truth: Truth
    world: World


@pytest.fixture(scope="module", params=[1])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The quarter's mail, through a real relay."""
    folder = tmp_path_factory.mktemp("quarter")
    chance, clock = random.Random(request.param), [0]

    async def make() -> Made:
        settings = node_settings(folder, {"spool": {"group_window_s": 0.0}})
        with running_node(settings, clock=Clock(now_ms=lambda: clock[0])) as node:
            world = World(node, chance, holders(chance), clock)
            quarter = Quarter(world, chance)
            return Made(await quarter.run(), quarter.truth, world)

    with plain_logs():
        yield asyncio.run(make())


def declared_documents() -> dict[str, dict[str, int]]:
    """What each agency of the quarter declares, other numbers for each."""
    return {
        span.code: {name: 7 * at + number for number, name in enumerate(DOCUMENT_COUNTS)}
        for at, span in enumerate(AGENCIES, start=1)
    }


def headcount(made: Made) -> dict[str, dict[str, int]]:
    """One more of each class than has an account, which makes nobody's percentage a whole one."""
    day = CIVIL.span.last
    return {
        span.code: {
            name: 1
            + sum(
                post is not None and post.agency_code == span.code and post.person_class == name
                for post in posts
            )
            for name in CLASSES
        }
        for posts in [[one.post_on(day) for one in made.world.people if one.personal]]
        for span in AGENCIES
        if span.holds(day)
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The url of a ledger with the directory, the mail, what was declared and what clerks corrected."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
        url = f"sqlite:///{path}"
        asyncio.run(_fill(url, made))
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create("quarter")
    asyncio.run(_fill(url, made))
    yield url
    server.drop("quarter")


@pytest.fixture
async def ledger(filled: str) -> AsyncIterator[Database]:
    database = Database.open(filled, timeout_s=5)
    yield database
    await database.dispose()


async def _fill(url: str, made: Made) -> None:
    database = Database.open(url, create=True)
    await migrate(database)
    await _directory(database, made)
    numbered = list(enumerate(made.events, start=1))
    for start in range(0, len(numbered), BATCH):
        await apply_events(database, "q", "node", numbered[start : start + BATCH], NOW_MS)
    assert await unapplied_count(database) == 0
    async with database.write() as session:
        for queue_id, document_class, symbol in made.truth.corrections:
            await classes.correct(
                session, queue_id, document_class, symbol, actor="vt", reason="nhầm", now_ms=NOW_MS
            )
    await _declarations(database, made)
    await database.dispose()


async def _directory(database: Database, made: Made) -> None:
    async with database.write() as session:
        for span in AGENCIES:
            await agencies.add_span(session, replace(span, mailbox=address(span.code)), now_ms=1)
        for one in made.world.people:
            await accounts.add_account(
                session, one.address, kind="personal" if one.personal else "shared", display_name=one.name,
                password_hash=None, must_change_password=False, citizen_desk=False, sample=False,
                post=replace(one.posts[0], valid_until=None), now_ms=1,
            )  # fmt: skip
            for post in one.posts[1:]:
                await accounts.move(session, one.address, post, post.valid_from or FIRST)
        await directory.add_alias(session, address("ban-tin"), "list", [address("snv"), "x@gmail.com"], 1)
        await directory.add_alias(session, address("khuyet"), "forward", ["y@yahoo.com"], 1)
        await agencies.register_address(session, "stc", "stc.caobang@gmail.com")


async def _declarations(database: Database, made: Made) -> None:
    october, november = Span(FIRST, date(2026, 11, 1)), Span(date(2026, 11, 1), END)
    async with database.write() as session:

        async def declare(kind: str, code: str, span: Span, content: dict[str, int], **more: object) -> None:
            series = Series(kind, code, span.start, span.end)
            await declarations.add(session, series, content, revision=1, actor="vt", now_ms=1, **more)  # type: ignore[arg-type]  # passed on

        for code, counts in declared_documents().items():
            if code == "snv":  # in two pieces that make up the quarter
                await declare("documents", code, october, {**counts, "sent_dm_only": 0})
                zeros = dict.fromkeys(counts, 0)
                await declare("documents", code, november, {**zeros, "sent_dm_only": counts["sent_dm_only"]})
            else:
                await declare("documents", code, LIVES.get(code, CIVIL.span), counts)
        for code, counts in headcount(made).items():
            await declare("headcount", code, CIVIL.span, counts)
        before = Span(date(2026, 7, 1), FIRST)
        lines = made.truth.register_before
        await declare("register", "ubnd", before, {"entries": len(lines)}, register=lines)
        lines = made.truth.register
        await declare("register", "ubnd", CIVIL.span, {"entries": len(lines)}, register=lines)


async def rows(ledger: Database, period: Period = CIVIL) -> dict[tuple[str, str | None], IndicatorRow]:
    policy = load(read_directory(POLICY))
    province = {"directives": sorted(policy.directives), "carry_forward": ["binh-dinh"]}
    report = await usage_report(
        ledger,
        period=period,
        settings=Settings.model_validate({"province": province}),
        now_ms=NOW_MS,
        yardsticks=Yardsticks(policy.directives, policy.providers),
    )
    assert report.indicators is not None
    return {(row.indicator, row.agency): row for row in report.indicators.rows}


def figure(row: IndicatorRow) -> tuple[int | None, int | None]:
    return row.numerator, row.denominator


async def test_electronic_documents(ledger: Database, made: Made) -> None:
    found = await rows(ledger)
    truth, days = made.truth, CIVIL.span
    whole = [0, 0]
    for code, told in declared_documents().items():
        row = found["bg.electronic-documents", code]
        sent, received = truth.sent(code, days), truth.received(code, days)
        assert (row.measured["sent"], row.measured["received"]) == (sent, received), code
        assert row.measured["sent_unnumbered"] == truth.unnumbered(code, days), code
        electronic = sent + received + told["sent_dm_only"] + told["received_dm_only"]
        paper = told["sent_paper_only"] + told["received_paper_only"]
        assert figure(row) == (electronic, electronic + paper), code
        if BY_CODE[code].level != "commune":
            whole[0] += sent + told["sent_dm_only"]
            whole[1] += sent + told["sent_dm_only"] + told["sent_paper_only"]
    province = found["bg.electronic-documents", None]
    assert figure(province) == tuple(whole)
    assert (province.met, province.target_percent) == (100 * whole[0] >= 50 * whole[1], 50)
    assert truth.sent("ubnd", days) > 20
    assert truth.received("haquang", days) > 5


async def test_meeting_documents(ledger: Database, made: Made) -> None:
    found = await rows(ledger)
    truth = made.truth
    for agency in ("ubnd", None):
        row = found["pt.meeting-documents", agency]
        assert figure(row) == (truth.register_sent, truth.register_entries)
        assert (row.met, row.gap) == (False, truth.register_entries - truth.register_sent)
        assert row.beside["numbers_missing"] == 0
        assert [note.code for note in row.notes] == ["duplicate-entries"]
    assert truth.register_entries > truth.register_sent > 20
    assert ("pt.meeting-documents", "snv") not in found


async def test_officials_using_mail(ledger: Database, made: Made) -> None:
    found = await rows(ledger)
    people = [one for one in made.world.people if one.personal]
    active = made.truth.active(people, CIVIL.months)
    assert 10 < len(active) < len(people) - 10
    heads = headcount(made)
    for indicator, counted in (
        ("pt.officials-using-mail", CLASSES[:3]),
        ("bd.officials-using-mail", CLASSES[:2]),
    ):
        whole = [0, 0]
        for code, told in heads.items():
            posts = [one.post_on(CIVIL.span.last) for one in people if one.address in active]
            mine = [post for post in posts if post is not None and post.agency_code == code]
            numerator = sum(post.person_class in counted for post in mine)
            denominator = sum(told[name] for name in counted)
            assert figure(found[indicator, code]) == (numerator, denominator), (indicator, code)
            whole = [whole[0] + numerator, whole[1] + denominator]
        assert figure(found[indicator, None]) == tuple(whole)


async def test_accounts_and_addresses(ledger: Database, made: Made) -> None:
    found = await rows(ledger)
    heads = headcount(made)
    persons = sum(sum(told[name] - 1 for name in CLASSES[:3]) for told in heads.values())
    declared = sum(sum(told[name] for name in CLASSES[:3]) for told in heads.values())
    assert figure(found["bn.accounts", None]) == (persons, declared)
    assert figure(found["bn.agencies-with-accounts", None]) == (len(heads), len(heads))
    assert found["cb.official-mailboxes", None].numerator == 3
    assert found["cb.official-mailboxes", "stc"].numerator == 1


async def test_another_calendar_counts_its_own_days_and_nothing_declared(
    ledger: Database, made: Made
) -> None:
    found = await rows(ledger, ADMINISTRATIVE)
    for span in AGENCIES:
        row = found["bg.electronic-documents", span.code]
        assert row.measured["sent"] == made.truth.sent(span.code, ADMINISTRATIVE.span)
        assert row.measured["received"] == made.truth.received(span.code, ADMINISTRATIVE.span)
        assert (row.numerator, row.denominator, row.percent, row.met) == (None, None, None, None)
        assert "undeclared" in {note.code for note in row.notes}
    assert found["pt.meeting-documents", None].denominator is None


async def test_rebuilding_moves_nothing(ledger: Database) -> None:
    before = await rows(ledger)
    await rebuild(ledger, date(2026, 12, 20), date(2027, 1, 8))
    assert await rows(ledger) == before
