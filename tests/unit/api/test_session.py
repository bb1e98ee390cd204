"""Signing in as a person over the API: the cookie, what it opens, what a page elsewhere cannot do with it."""

from __future__ import annotations

import pytest

from mailgov.admin import accounts
from mailgov.identity.roles import Role
from tests.unit.api.conftest import Api, client_of, services_on
from tests.unit.api.people import AN, NEW, OPERATOR, OWN, sign_in, with_password
from tests.unit.api.world import NOW_MS, SNV_SENT, STC_SENT

COOKIE = "mailgov-session"
PROBLEM = "urn:mailgov:problem:"


async def test_a_person_signs_in_and_is_answered_by_their_seat(filled: Api) -> None:
    await with_password(filled, OWN, (Role.CLERK, "snv"))
    answer = await sign_in(filled)
    body = answer.json()
    assert body["seat"] == {"role": "clerk", "agency": "snv"}
    assert body["seats"] == [{"role": "clerk", "agency": "snv"}, {"role": "owner", "agency": None}]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert cookie.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]
    me = (await filled.ask.get("/api/v1/me")).json()
    assert (me["name"], me["role"], me["agency"]) == (AN, "clerk", "snv")
    assert me["acts"]["password.change"] == "own"
    assert (await filled.ask.get(f"/api/v1/messages/{SNV_SENT}")).status_code == 200
    assert (await filled.ask.get(f"/api/v1/messages/{STC_SENT}")).status_code == 404
    again = (await filled.ask.get("/api/v1/session")).json()
    assert again == body


async def test_an_owner_is_nobody_over_others(filled: Api) -> None:
    await with_password(filled)
    await sign_in(filled)
    assert (await filled.ask.get("/api/v1/messages")).status_code == 403
    assert (await filled.ask.get("/api/v1/domains")).status_code == 200, "what any seat may know"


async def test_over_https_the_cookie_is_bound_to_the_host(api: Api) -> None:
    await with_password(api)
    services = services_on(api.services.db, api.clock, None, public_url="https://thu.caobang.gov.vn")
    async with client_of(services) as ask:
        made = await ask.post("/api/v1/session", json={"address": AN, "password": OWN})
        cookie = made.headers["set-cookie"]
        assert cookie.startswith("__Host-mailgov-session=")
        assert cookie.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]
        plain = {"Cookie": f"{COOKIE}={cookie.partition('=')[2].partition(';')[0]}"}
        assert (await ask.get("/api/v1/me", headers=plain)).status_code == 401, "the plain name is not read"
    services.sign_ins.close()


async def test_every_sign_in_is_a_new_session(api: Api) -> None:
    await with_password(api)
    cookies = {(await sign_in(api)).headers["set-cookie"] for _ in range(2)}
    assert len(cookies) == 2


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 5000, "' OR 1=1", "%00"])
async def test_a_cookie_of_nobody_is_401(api: Api, cookie: str) -> None:
    answer = await api.ask.get("/api/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert (answer.status_code, answer.json()["type"]) == (401, PROBLEM + "unauthorized")
    assert "Bearer" in answer.headers["www-authenticate"]


async def test_a_change_by_cookie_needs_the_token_beside_it(api: Api) -> None:
    await with_password(api)
    csrf = (await sign_in(api)).json()["csrf_token"]
    change = {"current_password": OWN, "new_password": NEW}
    tries: list[dict[str, str]] = [{}, *({"X-CSRF-Token": wrong} for wrong in ("x", csrf[:-1], csrf + "0"))]
    for headers in tries:
        for method, path in (("POST", "/api/v1/password"), ("DELETE", "/api/v1/session")):
            body = change if method == "POST" else None
            answer = await api.ask.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, PROBLEM + "csrf"), headers
    assert (await api.ask.get("/api/v1/me")).status_code == 200
    ended = await api.ask.delete("/api/v1/session", headers={"X-CSRF-Token": csrf})
    assert ended.status_code == 204
    assert "Max-Age=0" in ended.headers["set-cookie"]


@pytest.mark.parametrize(
    ("headers", "stopped"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://api.test"}, False),
        ({"Origin": "http://127.0.0.1:8025"}, False),
        ({}, False),
    ],
)
async def test_no_page_elsewhere_signs_anybody_in(api: Api, headers: dict[str, str], stopped: bool) -> None:
    await with_password(api)
    answer = await api.ask.post("/api/v1/session", json={"address": AN, "password": OWN}, headers=headers)
    assert answer.status_code == (403 if stopped else 201)


async def test_bodies_that_a_form_can_send_are_not_read(api: Api) -> None:
    await with_password(api)
    body = f'{{"address": "{AN}", "password": "{OWN}"}}'.encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await api.ask.post("/api/v1/session", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert OWN not in answer.text


async def test_a_server_side_end_is_an_end(api: Api) -> None:
    await with_password(api)
    made = await sign_in(api)
    kept = {"Cookie": made.headers["set-cookie"].partition(";")[0]}
    await api.ask.delete("/api/v1/session", headers={"X-CSRF-Token": made.json()["csrf_token"]})
    api.ask.cookies.clear()
    assert (await api.ask.get("/api/v1/me", headers=kept)).status_code == 401


async def test_a_first_password_opens_its_change_and_nothing_else(filled: Api) -> None:
    first = await with_password(filled, None, (Role.OPERATOR, None))
    made = (await sign_in(filled, first)).json()
    assert made["must_change_password"]
    for path in ("/api/v1/me", "/api/v1/messages", "/api/v1/usage", "/docs", "/openapi.json"):
        answer = await filled.ask.get(path)
        assert answer.json()["type"] == PROBLEM + "password-change-required", path
    headers = {"X-CSRF-Token": made["csrf_token"]}
    changed = await filled.ask.post("/api/v1/password", json={"new_password": OWN}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert changed.json()["session"]["must_change_password"] is False
    assert len(changed.json()["recovery_code"]) == 24
    assert (await filled.ask.get("/api/v1/messages")).status_code == 200
    refused = await filled.ask.post("/api/v1/session", json={"address": AN, "password": first})
    assert (refused.status_code, refused.json()["type"]) == (401, PROBLEM + "sign-in-refused")


async def test_a_forgotten_password_is_set_with_the_recovery_code_once(api: Api) -> None:
    await with_password(api)
    csrf = (await sign_in(api)).json()["csrf_token"]
    changed = await api.ask.post(
        "/api/v1/password",
        json={"current_password": OWN, "new_password": NEW},
        headers={"X-CSRF-Token": csrf},
    )
    asked = {"address": AN, "recovery_code": changed.json()["recovery_code"], "new_password": OWN}
    done = await api.ask.post("/api/v1/password/reset", json=asked)
    assert (done.status_code, done.json()["session"]) == (200, None)
    assert (await api.ask.get("/api/v1/me")).status_code == 401, "its sessions ended"
    again = await api.ask.post("/api/v1/password/reset", json=asked)
    assert (again.status_code, again.json()["type"]) == (403, PROBLEM + "reset-refused")
    await sign_in(api, OWN)


async def test_another_seat_is_another_cookie(filled: Api) -> None:
    await with_password(filled, OWN, (Role.AUDITOR, None), (Role.CLERK, "snv"))
    made = await sign_in(filled)
    headers = {"X-CSRF-Token": made.json()["csrf_token"]}
    assert (await filled.ask.get("/api/v1/messages")).status_code == 403, "an auditor sees no names"
    old = made.headers["set-cookie"].partition(";")[0]
    moved = await filled.ask.patch(
        "/api/v1/session", json={"role": "clerk", "agency": "snv"}, headers=headers
    )
    assert moved.json()["seat"] == {"role": "clerk", "agency": "snv"}
    assert (await filled.ask.get("/api/v1/messages")).status_code == 200
    filled.ask.cookies.clear()
    assert (await filled.ask.get("/api/v1/me", headers={"Cookie": old})).status_code == 401


async def test_fields_that_are_not_asked_for_are_refused(api: Api) -> None:
    await with_password(api)
    body = {"address": AN, "password": OWN, "role": "operator"}
    assert (await api.ask.post("/api/v1/session", json=body)).status_code == 422
    csrf = (await sign_in(api)).json()["csrf_token"]
    change = {"current_password": OWN, "new_password": NEW, "must_change_password": False}
    refused = await api.ask.post("/api/v1/password", json=change, headers={"X-CSRF-Token": csrf})
    assert refused.status_code == 422
    assert NEW not in refused.text


async def test_guessing_is_slowed_and_says_until_when(api: Api) -> None:
    await with_password(api)
    for name in (AN, "an", " An@CaoBang.gov.vn", "AN", AN):  # one account, however it is called
        wrong = await api.ask.post("/api/v1/session", json={"address": name, "password": "wrong"})
        assert wrong.status_code == 401
    for password in ("wrong", OWN):
        slowed = await api.ask.post("/api/v1/session", json={"address": AN, "password": password})
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "30")
    api.clock.now_ms = NOW_MS + 30_000
    await sign_in(api)


async def test_a_token_is_nobody_s_account(filled: Api) -> None:
    for method, path in (("GET", "/api/v1/session"), ("POST", "/api/v1/password")):
        body = {"new_password": NEW} if method == "POST" else None
        answer = await filled.ask.request(method, path, json=body, headers=filled.auth("operator"))
        assert (answer.status_code, answer.json()["type"]) == (403, PROBLEM + "forbidden")


async def test_the_use_of_a_session_is_noted_once_a_minute_and_keeps_it_alive(api: Api) -> None:
    await with_password(api)
    await sign_in(api)
    for minutes in (20, 40, 60, 80):
        api.clock.now_ms = NOW_MS + minutes * 60_000
        assert (await api.ask.get("/api/v1/me")).status_code == 200, minutes
    api.clock.now_ms += 30 * 60_000
    assert (await api.ask.get("/api/v1/me")).status_code == 401


async def test_a_suspended_person_is_out_with_the_next_request(api: Api) -> None:
    await with_password(api)
    await sign_in(api)
    await accounts.disable_account(api.services.admin(), OPERATOR, AN)
    assert (await api.ask.get("/api/v1/me")).status_code == 401
