"""The app on a real ledger, with a token for every seat and traffic of two agencies."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from mailgov.admin.context import AdminContext
from mailgov.api.app import ApiServices, create_app
from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.protection import SignInProtection
from mailgov.identity.roles import AGENCY_ROLES, Role
from mailgov.identity.sign_in import SignIns
from mailgov.identity.tokens import new_token
from mailgov.ops.first_key import first_key
from mailgov.policy import Policy, load, read_directory
from mailgov.settings import HttpSettings, Settings
from mailgov.store import tokens
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database
from mailgov.store.guard import Guard
from mailgov.web.app import add_pages
from mailgov.web.pages import page_routers
from mailgov.web.services import PageServices
from tests.unit.api.world import NOW_MS, Clock, fill
from tests.unit.usage.conftest import away, migrated
from tests.unit.usage.traffic import add_agencies

__all__ = ["away", "migrated"]

POLICY = Path(__file__).parents[3] / "policy"


@dataclass
class Api:
    """The app under test; `ask` is a client without sign-in, `as_` one with a seat's token."""

    services: ApiServices
    ask: httpx2.AsyncClient
    clock: Clock
    tokens: dict[str, str] = field(default_factory=dict)

    def auth(self, seat: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[seat]}"}

    async def get(self, path: str, seat: str = "operator", **parameters: object) -> httpx2.Response:
        wanted = {name.rstrip("_"): str(value) for name, value in parameters.items()}
        return await self.ask.get(path, params=wanted, headers=self.auth(seat))


async def add_token(db: Database, role: str, agency: str | None, expires_ms: int | None = None) -> str:
    secret = new_token(secrets.token_bytes)
    async with db.write() as session:
        await tokens.add_token(
            session,
            name=f"{role} {agency or ''}".strip(),
            token_hash=secret.hash,
            role=role,
            agency=agency,
            expires_ms=expires_ms,
            now_ms=NOW_MS,
        )
    return secret.text


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load(read_directory(POLICY))


IN_MEMORY = Path("/dev/null/guard.sqlite")
"""Where no guard can be opened, so that it keeps its state in memory."""


def services_on(
    db: Database,
    clock: Clock,
    policy: Policy | None,
    data_dir: Path = Path("nowhere"),
    public_url: str = HttpSettings().public_url,
) -> ApiServices:
    settings = Settings(data_dir=data_dir, http=HttpSettings(public_url=public_url))
    checker = PasswordChecker(b"key", lambda: clock.now_ms / 1000)
    protection = SignInProtection(Guard.open(IN_MEMORY), settings.sign_in)
    gate = SignInGate(protection, None, clock, from_anywhere=True)
    return ApiServices(
        db=db,
        settings=settings,
        now_ms=clock,
        policy=lambda: policy,
        admin=lambda: AdminContext(db, settings, clock, secrets.token_hex),
        sign_ins=SignIns(checker, gate, lambda: first_key(settings.data_dir, secrets.token_bytes)),
    )


def client_of(services: ApiServices) -> httpx2.AsyncClient:
    app = create_app(services)
    pages = PageServices(
        db=services.db,
        settings=services.settings,
        now_ms=services.now_ms,
        policy=services.policy,
        admin=services.admin,
        sign_ins=services.sign_ins,
    )
    add_pages(app, pages, page_routers(pages))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://api.test")


@dataclass
class World:
    """A ledger file to copy, and the tokens in it by seat."""

    path: Path
    tokens: dict[str, str]


async def _prepare(path: Path, *, traffic: bool) -> dict[str, str]:
    db = Database.open(f"sqlite:///{path}", create=True)
    found = {}
    await add_agencies(
        db, AgencySpan("snv", "Sở Nội vụ", "province"), AgencySpan("stc", "Sở Tài chính", "province")
    )
    for role in Role:
        for agency in ("snv", "stc") if role in AGENCY_ROLES else (None,):
            seat = f"{role.value}.{agency}" if agency else role.value
            found[seat] = await add_token(db, role.value, agency)
    if traffic:
        await fill(db)
    await db.dispose()
    return found


def _world(migrated: Path, name: str, *, traffic: bool) -> World:
    path = migrated.with_name(name)
    shutil.copyfile(migrated, path)
    return World(path, asyncio.run(_prepare(path, traffic=traffic)))


@pytest.fixture(scope="session")
def quiet_world(migrated: Path) -> World:
    """Agencies and tokens without traffic."""
    return _world(migrated, "quiet.sqlite", traffic=False)


@pytest.fixture(scope="session")
def busy_world(migrated: Path) -> World:
    """The same with the traffic of `world`."""
    return _world(migrated, "busy.sqlite", traffic=True)


@asynccontextmanager
async def _api_on(world: World, folder: Path, policy: Policy) -> AsyncIterator[Api]:
    shutil.copyfile(world.path, folder / "ledger.sqlite")
    db = Database.open(f"sqlite:///{folder / 'ledger.sqlite'}", timeout_s=2, create=True)
    clock = Clock(NOW_MS)
    services = services_on(db, clock, policy, folder)
    async with client_of(services) as ask:
        yield Api(services, ask, clock, dict(world.tokens))
    services.sign_ins.close()
    await db.dispose()


@pytest.fixture
async def api(quiet_world: World, tmp_path: Path, policy: Policy) -> AsyncIterator[Api]:
    async with _api_on(quiet_world, tmp_path, policy) as found:
        yield found


@pytest.fixture
async def filled(busy_world: World, tmp_path: Path, policy: Policy) -> AsyncIterator[Api]:
    async with _api_on(busy_world, tmp_path, policy) as found:
        yield found


@pytest.fixture
async def api_away(away: Database, policy: Policy) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(services_on(away, Clock(NOW_MS), policy)) as ask:
        yield ask
