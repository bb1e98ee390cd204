"""People of the test's world who sign in: their accounts, and a browser that keeps cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx2

from mailgov.admin import accounts, seats
from mailgov.admin.context import Actor
from mailgov.identity.roles import Role
from mailgov.store import directory
from tests.unit.api.conftest import Api
from tests.unit.api.world import NOW_MS

OPERATOR = Actor("operator", Role.OPERATOR)
AN = "an@caobang.gov.vn"
OWN = "một câu dài dễ nhớ"
NEW = "một câu khác, cũng dài"


async def with_password(api: Api, password: str | None = OWN, *held: tuple[Role, str | None]) -> str:
    """AN's password, set (None: a first one, made here), and seats beside; the password."""
    ctx = api.services.admin()
    async with ctx.db.write() as session:
        if await directory.find_domain(session, "caobang.gov.vn") is None:
            await directory.add_domain(session, "caobang.gov.vn", NOW_MS)
    if await accounts_missing(api):
        await accounts.add_account(
            ctx, OPERATOR, accounts.NewAccount(AN, "Nguyễn Văn An", agency="snv", person_class="can_bo")
        )
    for role, agency in held:
        await seats.add_seat(ctx, OPERATOR, AN, role, agency=agency)
    return await accounts.set_password(ctx, OPERATOR, AN, password, first=password is None)


async def accounts_missing(api: Api) -> bool:
    return AN not in {one.address for one in await accounts.list_accounts(api.services.admin(), OPERATOR)}


async def sign_in(api: Api, password: str = OWN) -> httpx2.Response:
    """By the API; `api.ask` keeps the cookie. What it answers must be 201."""
    answer = await api.ask.post("/api/v1/session", json={"address": AN, "password": password})
    assert answer.status_code == 201, answer.text
    return answer


@dataclass
class Browser:
    """Fills in the forms of pages as a browser does, hidden fields too."""

    api: Api

    async def get(self, path: str) -> httpx2.Response:
        return await self.api.ask.get(path)

    async def submit(self, page: httpx2.Response, action: str, **fields: str) -> httpx2.Response:
        """The form of `page` whose action begins so, sent with these fields; redirects are not followed."""
        forms = re.findall(r'<form method="post" action="([^"]+)"(.*?)</form>', page.text, re.DOTALL)
        chosen = next((form for form in forms if form[0].partition("?")[0] == action), None)
        assert chosen is not None, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)"[^>]*value="([^"]*)"', chosen[1]))
        return await self.api.ask.post(
            chosen[0].replace("&amp;", "&"),
            data={**hidden, **fields},
            headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://api.test"},
        )
