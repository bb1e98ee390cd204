"""The pages of one's own account, by forms alone: sign in, change, forget, choose a seat, leave."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from mailgov.identity.roles import Role
from mailgov.settings import Settings
from tests.unit.api.conftest import Api
from tests.unit.api.people import AN, NEW, OWN, Browser, with_password


def recovery_code(text: str) -> str:
    found = re.search(r'id="recovery-code">([^<]+)<', text)
    assert found is not None, text
    return found[1]


async def test_a_first_password_leads_to_a_password_of_ones_own(api: Api) -> None:
    first = await with_password(api, None)
    browser = Browser(api)
    signed_in = await browser.submit(await browser.get("/sign-in"), "/sign-in", address=AN, password=first)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/password")
    away = await browser.get("/account")
    assert (away.status_code, away.headers["location"]) == (303, "/password")
    form = await browser.get("/password")
    assert "mật khẩu lần đầu" in form.text
    assert 'name="current"' not in form.text
    done = await browser.submit(form, "/password", new=OWN, repeated=OWN)
    assert done.status_code == 200
    assert len(recovery_code(done.text)) == 24
    assert AN in (await browser.get("/account")).text


async def test_a_forgotten_password_comes_back_by_the_code(api: Api) -> None:
    await with_password(api)
    browser = Browser(api)
    await browser.submit(await browser.get("/sign-in"), "/sign-in", address="an", password=OWN)
    done = await browser.submit(
        await browser.get("/password"), "/password", current=OWN, new=NEW, repeated=NEW
    )
    left = await browser.submit(await browser.get("/account"), "/sign-out")
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    form = await browser.get("/password/reset")
    code = recovery_code(done.text)
    wrong = await browser.submit(form, "/password/reset", address=AN, code="x", new=OWN, repeated=OWN)
    assert wrong.status_code == 403
    assert "mã khôi phục không đúng" in wrong.text
    reset = await browser.submit(form, "/password/reset", address=AN, code=code, new=OWN, repeated=OWN)
    assert recovery_code(reset.text) != code
    again = await browser.submit(await browser.get("/sign-in"), "/sign-in", address=AN, password=OWN)
    assert again.headers["location"] == "/account"


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"current": "wrong", "new": NEW, "repeated": NEW}, 403, "Mật khẩu đang dùng không đúng"),
        ({"current": OWN, "new": NEW, "repeated": "other"}, 422, "không giống nhau"),
        ({"current": OWN, "new": "short", "repeated": "short"}, 422, "chưa đạt yêu cầu"),
        ({"current": OWN, "new": OWN, "repeated": OWN}, 422, "trùng mật khẩu đang dùng"),
    ],
)
async def test_a_change_that_will_not_do_says_why_and_puts_no_password_back(
    api: Api, fields: dict[str, str], status: int, says: str
) -> None:
    await with_password(api)
    browser = Browser(api)
    await browser.submit(await browser.get("/sign-in"), "/sign-in", address=AN, password=OWN)
    answer = await browser.submit(await browser.get("/password"), "/password", **fields)
    assert answer.status_code == status
    assert says in html.unescape(answer.text)
    assert not any(html.escape(value) in answer.text for value in (OWN, NEW))
    assert (await browser.get("/account")).status_code == 200


async def test_a_refused_sign_in_keeps_the_address_and_where_it_led(api: Api) -> None:
    await with_password(api)
    browser = Browser(api)
    away = await browser.get("/account?lang=en")
    assert away.headers["location"] == "/sign-in?next=%2Faccount%3Flang%3Den&lang=en"
    form = await browser.get(away.headers["location"])
    refused = await browser.submit(form, "/sign-in", address=AN, password="wrong")
    assert refused.status_code == 403
    assert "wrong, or the account is suspended" in refused.text
    assert f'value="{AN}"' in refused.text
    done = await browser.submit(refused, "/sign-in", address=AN, password=OWN)
    assert done.headers["location"].startswith("/account?")


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/x\r\nY: z"],
)
async def test_signing_in_never_leads_to_another_site(api: Api, target: str) -> None:
    await with_password(api)
    browser = Browser(api)
    form = await api.ask.get("/sign-in", params={"next": target})
    done = await browser.submit(form, "/sign-in", address=AN, password=OWN)
    assert done.headers["location"] == "/account"
    forged = await api.ask.post("/sign-in", data={"address": AN, "password": OWN, "next": target})
    assert forged.headers["location"] == "/account"
    signed_in = await api.ask.get("/sign-in", params={"next": target})
    assert signed_in.headers["location"] == "/account"


async def test_a_form_of_another_site_or_without_its_token_changes_nothing(api: Api) -> None:
    await with_password(api)
    browser = Browser(api)
    await browser.submit(await browser.get("/sign-in"), "/sign-in", address=AN, password=OWN)
    change = {"current": OWN, "new": NEW, "repeated": NEW}
    for headers, more in (
        ({}, {}),
        ({}, {"csrf": "x"}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({"Origin": "https://evil.example"}, {}),
    ):
        for path in ("/password", "/sign-out", "/account/seat"):
            answer = await api.ask.post(path, data={**change, **more}, headers=headers)
            assert answer.status_code == 403
            assert "Biểu mẫu đã hết hạn" in answer.text
    crossed = await api.ask.post(
        "/sign-in", data={"address": AN, "password": OWN}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert crossed.status_code == 403
    assert (await browser.get("/account")).status_code == 200


async def test_odd_forms_get_a_page(api: Api) -> None:
    for content, kind in (
        (b"{}", "application/json"),
        (b"x" * 100, "text/plain"),
        (b"address=" + b"x" * 3000, "application/x-www-form-urlencoded"),
        (b"%ff%fe=%00", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"password=a&password=b", "application/x-www-form-urlencoded"),
    ):
        answer = await api.ask.post("/sign-in", content=content, headers={"Content-Type": kind})
        assert answer.status_code in (403, 415, 422)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_hostile_address_is_inert(api: Api) -> None:
    hostile = '"><script>alert(1)</script>\u202e'
    answer = await api.ask.post("/sign-in", data={"address": hostile, "password": "x", "next": hostile})
    assert "<script>" not in answer.text
    assert "\u202e" not in answer.text


async def test_a_seat_is_chosen_by_a_button(api: Api) -> None:
    await with_password(api, OWN, (Role.AUDITOR, None), (Role.CLERK, "snv"))
    browser = Browser(api)
    await browser.submit(await browser.get("/sign-in"), "/sign-in", address=AN, password=OWN)
    account = await browser.get("/account")
    assert "Kiểm tra, thống kê" in account.text
    moved = await browser.submit(account, "/account/seat", role="clerk", agency="snv")
    assert moved.status_code == 303
    assert "<dd>Văn thư (snv)</dd>" in (await browser.get("/account")).text


def test_the_guide_says_what_the_settings_say() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "client.md").read_text(encoding="utf-8")
    settings = Settings()
    limits = settings.sign_in
    assert f"at least {limits.password_characters_min} characters" in guide
    assert f"ít nhất {limits.password_characters_min} ký tự" in guide
    assert (limits.pair_limit, limits.failure_window_s) == (5, 15 * 60), "five, and 15 minutes"
    assert settings.http.session_idle_s == 30 * 60, "half an hour"


async def test_no_page_of_an_account_is_kept_or_framed(api: Api) -> None:
    await with_password(api)
    browser = Browser(api)
    done = await browser.submit(await browser.get("/sign-in"), "/sign-in", address=AN, password=OWN)
    for answer in (done, await browser.get("/account"), await browser.get("/password")):
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
