"""The scorecard, as whoever may read figures sees it: without scripts, in both languages."""

from __future__ import annotations

import html
import re
from datetime import date

import httpx2
import pytest

from mailgov.identity.roles import Role
from mailgov.store.tables import Declaration
from tests.unit.api.conftest import Api
from tests.unit.api.people import OWN, sign_in, with_password

HEADCOUNT = {"can_bo": 1, "cong_chuc": 3, "vien_chuc": 0, "khac": 0}


async def seated(api: Api, role: Role, agency: str | None = None) -> None:
    """AN signs in with this seat, which is the only one beside the mailbox."""
    await with_password(api, OWN, (role, agency))
    made = (await sign_in(api)).json()
    assert made["seat"]["role"] == role.value, made


async def declare(api: Api, agency: str, first: date, end: date, name: str = "") -> None:
    async with api.services.db.write() as session:
        session.add(
            Declaration(
                kind="headcount", subject=name, agency_code=agency, from_date=first, until_date=end,
                content=HEADCOUNT, actor="clerk", created_ms=1,
            )
        )  # fmt: skip


def plain(page: httpx2.Response) -> str:
    """What is read of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


async def test_strangers_sign_in_first_and_come_back(api: Api) -> None:
    away = await api.ask.get("/")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?next=%2F")


async def test_a_mailbox_owner_is_shown_the_own_account(api: Api) -> None:
    await with_password(api)
    await sign_in(api)
    away = await api.ask.get("/")
    assert (away.status_code, away.headers["location"]) == (303, "/account")


async def test_each_target_stands_beside_its_line(filled: Api) -> None:
    await seated(filled, Role.AUDITOR)
    for agency in ("snv", "stc"):
        await declare(filled, agency, date(2026, 11, 20), date(2026, 11, 21))
    page = await filled.ask.get("/?period=2026-11-20..2026-11-20")
    assert page.status_code == 200, page.text
    told = plain(page)
    row = re.search(r"Chỉ thị 16/2009/CT-UBND.*?Toàn tỉnh (\S+) (\S+) (\S+) 80 (\S+)", told)
    assert row is not None
    assert row.groups()[:2] == ("2", "8")
    gauge = re.search(r'aria-label="Toàn tỉnh: (\S+) %, mức đặt ra 80 %"', page.text)
    assert gauge is not None
    assert gauge[1] == row[3]
    assert '<rect class="mark" x="79.6"' in page.text
    assert "<script" not in page.text
    assert " style=" not in page.text


async def test_both_languages_and_the_link_for_programs(api: Api) -> None:
    await seated(api, Role.OPERATOR)
    vi, en = await api.ask.get("/?period=2026-11"), await api.ask.get("/?period=2026-11&lang=en")
    assert "Sử dụng thư điện tử công vụ – Tháng 11/2026" in plain(vi)
    assert "Use of official mail – 11/2026" in plain(en) or "Use of official mail – Month" in plain(en)
    link = re.search(r'href="(/api/v1/usage[^"]*format=csv)"', en.text)
    assert link is not None
    answer = await api.ask.get(html.unescape(link[1]))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "pt.officials-using-mail" in answer.text


async def test_a_seat_of_an_agency_sees_that_agency(api: Api) -> None:
    await seated(api, Role.HEAD, "snv")
    page = await api.ask.get("/?period=2026-11")
    assert page.status_code == 200
    assert 'name="agency"' not in page.text
    assert "Toàn tỉnh" not in plain(page)
    other = await api.ask.get("/?period=2026-11&agency=stc")
    assert other.status_code == 404
    assert "Sở Tài chính" not in plain(other)


@pytest.mark.parametrize(
    ("query", "status"),
    [("period=nonsense", 422), ("agency=nowhere", 404), ("period=2026-13", 422), ("period=" + "9" * 41, 422)],
)
async def test_a_choice_that_cannot_be_is_named_and_a_default_shown(
    api: Api, query: str, status: int
) -> None:
    await seated(api, Role.OPERATOR)
    page = await api.ask.get(f"/?{query}")
    assert page.status_code == status
    assert "text/html" in page.headers["content-type"]


async def test_it_begins_with_the_last_period_that_was_observed(api: Api) -> None:
    await seated(api, Role.OPERATOR)
    first = plain(await api.ask.get("/"))
    assert "Quý III năm 2026" in first, "nothing whole was observed yet: the last whole quarter"
    api.clock.now_ms += 40 * 86_400_000
    page = await api.ask.get("/")
    if page.status_code == 303:  # the session idled meanwhile
        await sign_in(api)
        page = await api.ask.get("/")
    assert "– Quý III" in plain(page) or "– Tháng 12/2026" in plain(page)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("period=2026-13", "“2026-13” không phải là một kỳ"),
        ("calendar=x", "không có cách tính kỳ “x”"),
        ("agency=khongco", "không có cơ quan “khongco”"),
    ],
)
async def test_what_cannot_be_shown_is_said_in_the_pages_language(api: Api, query: str, says: str) -> None:
    await seated(api, Role.OPERATOR)
    vi, en = await api.ask.get(f"/?{query}"), await api.ask.get(f"/?{query}&lang=en")
    assert 400 <= vi.status_code < 500
    assert says in plain(vi)
    assert "không có" not in plain(en)
