"""The directory over HTTP: an administrator's day, and what each seat may do of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest

from mailgov.identity.roles import Act, Role, Scope, scope
from tests.unit.api.conftest import Api
from tests.unit.api.people import AN, OWN, sign_in, with_password
from tests.unit.api.test_app import check_problem
from tests.unit.api.test_matrix import SEATS

DOMAIN = "caobang.gov.vn"
ANY = {"If-Match": "*"}


def at(local_part: str) -> str:
    return f"{local_part}@{DOMAIN}"


class Office:
    """An administrator with a client, in one seat."""

    def __init__(self, api: Api, seat: str = "operator") -> None:
        self._api = api
        self._seat = seat

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx2.Response:
        sent = self._api.auth(self._seat) | {name.replace("_", "-"): text for name, text in headers.items()}
        content = {} if body is None else {"json": body}
        return await self._api.ask.request(method, f"/api/v1/{path}", headers=sent, **content)  # type: ignore[arg-type]  # json alone

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def make(self, path: str, body: object) -> Any:
        """A new object, which is where the answer says."""
        answer = await self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        there = await self._api.ask.get(answer.headers["location"], headers=self._api.auth(self._seat))
        assert there.headers["etag"] == answer.headers["etag"]
        assert answer.json().items() >= there.json().items()
        return answer.json()

    async def change(self, path: str, body: object = None, method: str = "POST") -> Any:
        """A change of the object in the state that it has now."""
        parts = path.split("/")
        whole = "/".join(parts[:2]) if method == "POST" else path
        seen = (await self.ask("GET", whole)).headers["etag"]
        answer = await self.ask(method, path, body, If_Match=seen)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None


@pytest.fixture
async def office(api: Api) -> Office:
    office = Office(api)
    await office.make("domains", {"name": DOMAIN, "postmaster": at("operator")})
    return office


def table(api: Api, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(str(api.services.db._file))) as ledger:
        return list(ledger.execute(query))


PERSON = {
    "address": at("annv"),
    "display_name": "Nguyễn Văn An",
    "agency": "snv",
    "person_class": "cong_chuc",
}


async def test_an_accounts_life(api: Api, office: Office) -> None:
    made = await office.make("accounts", PERSON)
    assert (made["state"], made["agency"], made["must_change_password"]) == ("open", "snv", True)
    assert len(made["first_password"]) == 24
    path = f"accounts/{at('annv')}"
    assert "first_password" not in await office.get(path)

    edited = await office.change(path, {"display_name": "Nguyễn Văn Ân"}, "PATCH")
    assert edited["display_name"] == "Nguyễn Văn Ân"
    again = await office.change(f"{path}/password")
    assert (again["address"], again["first_password"] == made["first_password"]) == (at("annv"), False)
    await office.make(
        "accounts", {"address": at("snv"), "display_name": "Sở", "kind": "shared", "agency": "snv"}
    )
    assert (await office.change(f"{path}/grants/add", {"address": at("snv")}))["grants"] == [at("snv")]
    assert (await office.change(f"{path}/grants/remove", {"address": at("snv")}))["grants"] == []
    await office.change(f"{path}/registered/add", {"address": "an@example.org"})
    assert (await office.change(f"{path}/registered/remove", {"address": "an@example.org"}))[
        "registered"
    ] == []
    seated = await office.change(f"{path}/seats/add", {"role": "clerk", "agency": "snv"})
    assert seated["seats"] == [{"role": "clerk", "agency": "snv"}]
    assert (await office.change(f"{path}/seats/remove", {"role": "clerk", "agency": "snv"}))["seats"] == []
    moved = await office.change(f"{path}/move", {"agency": "stc", "on": "2026-01-01"})
    assert [(post["agency"], post["valid_until"]) for post in moved["posts"]] == [
        ("snv", "2026-01-01"),
        ("stc", None),
    ]
    limited = await office.change(f"{path}/limits", {"messages_per_day": 2000, "new_recipients_per_day": 0})
    assert limited["sending_limits"] == {
        "messages_per_hour": None, "messages_per_day": 2000,
        "recipients_per_day": None, "new_recipients_per_day": 0,
    }  # fmt: skip
    assert set((await office.change(f"{path}/limits", {}))["sending_limits"].values()) == {None}
    assert (await office.change(f"{path}/disable"))["state"] == "disabled"
    assert (await office.change(f"{path}/enable"))["state"] == "open"
    acts = [row[0] for row in table(api, "SELECT act FROM audit WHERE object LIKE 'annv@%' ORDER BY id")]
    assert acts == [
        "account.add", "account.edit", "account.password", "account.grant", "account.revoke", "seat.add",
        "seat.remove", "account.move", "account.limit", "account.limit", "account.disable", "account.enable",
    ]  # fmt: skip


async def test_an_agencys_life(office: Office) -> None:
    made = await office.make(
        "agencies", {"code": "h1", "name": "Huyện Một", "level": "district", "parent": "snv"}
    )
    assert made["spans"][0]["parent"] == "snv"
    for name in ("x1", "x2"):
        await office.make("agencies", {"code": name, "name": name.upper(), "level": "commune"})
    await office.make(
        "accounts", {"address": at("h1"), "display_name": "H", "kind": "shared", "agency": "h1"}
    )
    renamed = await office.change("agencies/h1/rename", {"name": "Huyện Mới", "on": "2025-01-01"})
    assert [one["name"] for one in renamed["spans"]] == ["Huyện Một", "Huyện Mới"]
    below = await office.change(
        "agencies/h1", {"parent": None, "own_sector_mail": True, "on": "2025-03-01"}, "PATCH"
    )
    assert [(one["parent"], one["own_sector_mail"]) for one in below["spans"]] == [
        ("snv", False),
        ("snv", False),
        (None, True),
    ]
    slip = {"level": "commune", "correct": True, "on": "2024-01-01"}
    path = "agencies/h1"
    asked = await office.ask("PATCH", path, slip, If_Match="*")
    check_problem(asked, 409)
    assert asked.json()["type"] == "urn:mailgov:problem:needs-reason"
    keyed = {"If_Match": "*", "Idempotency_Key": "slip"}
    twice = [await office.ask("PATCH", path, {**slip, "reason": "gõ nhầm"}, **keyed) for _ in range(2)]
    assert [one.status_code for one in twice] == [200, 200]
    assert [one["level"] for one in twice[1].json()["spans"]] == ["commune", "district", "district"]
    registered = await office.change("agencies/h1/registered/add", {"address": "h1@example.org"})
    assert registered["registered"] == ["h1@example.org"]
    merged = await office.change("agencies/h1/merge", {"into": ["x1", "x2"], "on": "2025-07-01"})
    assert (merged["moved"], merged["left"]) == ([], [at("h1")])
    assert {one["to_code"] for one in merged["agency"]["successions"]} == {"x1", "x2"}
    assert [one["code"] for one in (await office.get("agencies"))["items"]] == ["snv", "stc", "x1", "x2"]
    before = (await office.get("agencies?on=2025-06-30"))["items"]
    assert [one["name"] for one in before if one["code"] == "h1"] == ["Huyện Mới"]
    assert sum(one["code"] == "h1" for one in (await office.get("agencies?all=true"))["items"]) == 3
    await office.change("agencies/x1", {"parent": "x2"}, "PATCH")
    refused = await office.ask("POST", "agencies/x2/close", {"on": "2026-01-01"}, If_Match="*")
    check_problem(refused, 409)
    assert refused.json()["type"] == "urn:mailgov:problem:needs-reason"
    closed = await office.change("agencies/x2/close", {"on": "2026-01-01", "reason": "giải thể"})
    assert closed["below"] == ["x1"]
    assert closed["agency"]["spans"][0]["valid_until"] == "2026-01-01"


async def test_aliases_and_groups(office: Office) -> None:
    for name in ("a", "b", "c"):
        await office.make("accounts", {"address": at(name), "display_name": name, "first_password": False})
    await office.make("aliases", {"address": at("ld"), "targets": [at("a")]})
    assert (await office.change(f"aliases/{at('ld')}/extend", {"targets": [at("b")]}))["targets"] == [
        at("a"),
        at("b"),
    ]
    assert (await office.change(f"aliases/{at('ld')}/reduce", {"target": at("a")}))["targets"] == [at("b")]
    await office.make("groups", {"address": at("all"), "members": [at("a"), at("b")]})
    assert (await office.change(f"groups/{at('all')}/join", {"members": [at("c")]}))["members"] == [
        at("a"), at("b"), at("c"),
    ]  # fmt: skip
    assert (await office.change(f"groups/{at('all')}/leave", {"member": at("a")}))["members"] == [
        at("b"),
        at("c"),
    ]
    assert [one["address"] for one in (await office.get("groups"))["items"]] == [at("all")]
    assert (await office.get("aliases?kind=alias"))["items"][-1]["address"] == at("postmaster")
    check_problem(await office.ask("GET", f"groups/{at('ld')}"), 404)
    check_problem(await office.ask("DELETE", f"groups/{at('all')}"), 428)
    assert await office.change(f"groups/{at('all')}", method="DELETE") is None
    check_problem(await office.ask("DELETE", f"aliases/{at('abuse')}", If_Match="*"), 409)
    await office.change(f"aliases/{at('ld')}", method="DELETE")
    check_problem(await office.ask("GET", f"aliases/{at('ld')}"), 404)


async def test_a_key_of_a_domain_is_made_and_only_its_public_side_is_told(api: Api, office: Office) -> None:
    made = await office.make("dkim-keys", {"domain": DOMAIN, "algorithm": "ed25519"})
    assert (made["state"], made["record_name"]) == ("active", f"{made['selector']}._domainkey.{DOMAIN}")
    assert made["record_value"].startswith("v=DKIM1; k=ed25519; p=")
    assert "key_file" not in made
    later = await office.make("dkim-keys", {"domain": DOMAIN, "algorithm": "ed25519", "selector": "b"})
    assert (later["selector"], later["state"]) == ("b", "pending")
    assert [one["selector"] for one in (await office.get(f"dkim-keys?domain={DOMAIN}"))["items"]] == [
        "b",
        made["selector"],
    ]
    place = f"dkim-keys/{DOMAIN}"
    seen = (await office.ask("GET", f"{place}/b")).headers["etag"]
    done = await office.ask("POST", f"{place}/b/retire", If_Match=seen)
    assert (done.status_code, done.json()["state"]) == (200, "withdrawn")
    check_problem(await office.ask("POST", f"{place}/{made['selector']}/retire", If_Match="*"), 409)
    check_problem(await office.ask("GET", f"dkim-keys/{DOMAIN}/c"), 404)
    check_problem(await office.ask("GET", "dkim-keys?domain=nowhere.vn"), 404)
    private = [path.read_text() for path in (api.services.settings.data_dir / "keys").rglob("*.pem")]
    assert len(private) == 2
    assert not any(text.splitlines()[1] in json.dumps([made, later]) for text in private)


async def test_a_token_is_shown_once_works_and_ends(api: Api, office: Office) -> None:
    made = await office.make("tokens", {"name": "báo cáo", "role": "clerk", "agency": "SNV", "days": 30})
    assert made["token"].startswith("mg_")
    api.tokens["new"] = made["token"]
    assert (await api.get("/api/v1/me", "new")).json()["role"] == "clerk"
    path = f"tokens/{made['id']}"
    assert (await office.change(f"{path}/revoke"))["revoked_at"]
    check_problem(await api.get("/api/v1/me", "new"), 401)
    check_problem(await office.ask("POST", f"{path}/revoke", If_Match="*"), 409)
    check_problem(await office.ask("GET", "tokens/999999"), 404)
    own = next(one for one in (await office.get("tokens"))["items"] if one["role"] == "operator")
    tags = set()
    for _ in range(2):
        api.clock.now_ms += 120_000
        tags.add((await office.ask("GET", f"tokens/{own['id']}")).headers["etag"])
    assert len(tags) == 1


@pytest.mark.parametrize(
    ("path", "body", "shown"),
    [
        ("accounts", PERSON, "first_password"),
        ("tokens", {"name": "x", "role": "auditor"}, "token"),
    ],
)
async def test_what_is_shown_once_is_shown_to_a_repeated_request_and_kept_sealed(
    api: Api, office: Office, path: str, body: object, shown: str
) -> None:
    first = await office.ask("POST", path, body, Idempotency_Key="k")
    secret = first.json()[shown]
    assert (await office.ask("POST", path, body, Idempotency_Key="k")).json()[shown] == secret
    dump = "\n".join(_text(row) for row in table(api, "SELECT * FROM idempotency_key"))
    dump += "\n".join(_text(row) for row in table(api, f"SELECT * FROM {path.removesuffix('s')}"))  # noqa: S608 - ours
    dump += "\n".join(_text(row) for row in table(api, "SELECT * FROM audit"))
    assert secret not in dump


def _text(row: tuple[Any, ...]) -> str:
    return " ".join(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row)


async def test_pages_hold_each_object_once(office: Office) -> None:
    for number in range(3):
        name = f"x{number}"
        await office.make("domains", {"name": f"{name}.vn", "postmaster": at("operator")})
        await office.make("accounts", {"address": at(name), "display_name": name, "first_password": False})
        await office.make("groups", {"address": at(f"g{number}"), "members": [at(name)]})
        await office.make("agencies", {"code": name, "name": name, "level": "commune"})
        await office.make("dkim-keys", {"domain": f"{name}.vn", "algorithm": "ed25519"})
    for path in ("accounts", "aliases", "groups", "agencies", "domains", "tokens", "dkim-keys"):
        whole = await office.get(f"{path}?limit=500")
        found: list[Any] = []
        following: str | None = ""
        while following is not None:
            page = await office.get(f"{path}?limit=2" + (f"&cursor={following}" if following else ""))
            assert len(page["items"]) <= 2
            found, following = found + page["items"], page["next"]
        assert (found, whole["next"]) == (whole["items"], None)
        assert len(found) >= 3


async def test_a_cursor_goes_on_with_its_own_question_alone(office: Office) -> None:
    following = (await office.get("agencies?limit=1"))["next"]
    for asked in (f"agencies?all=true&cursor={following}", f"agencies?cursor=x{following}"):
        check_problem(await office.ask("GET", asked), 422)


MASS_ASSIGNMENT: list[tuple[str, object]] = [
    ("domains", {"name": "b.vn", "postmaster": "x@b.vn", "disabled_ms": 1}),
    ("agencies", {"code": "x", "name": "X", "sample": True}),
    ("accounts", {**PERSON, "password_hash": "x"}),
    ("accounts", {**PERSON, "password": "chosen by another"}),
    ("accounts", {**PERSON, "role": "operator"}),
    ("accounts", {**PERSON, "seats": [{"role": "operator"}]}),
    ("accounts", {**PERSON, "sample": True}),
    ("aliases", {"address": at("x"), "targets": [at("operator")], "id": 1}),
    ("groups", {"address": at("x"), "members": [at("operator")], "kind": "alias"}),
    ("dkim-keys", {"domain": DOMAIN, "key_file": "/etc/passwd"}),
    ("tokens", {"name": "x", "role": "auditor", "hash": "x"}),
]


async def test_fields_that_are_not_a_callers_to_set_are_refused(api: Api, office: Office) -> None:
    before = table(api, "SELECT count(*) FROM audit")
    for path, body in MASS_ASSIGNMENT:
        check_problem(await office.ask("POST", path, body), 422)
    assert table(api, "SELECT count(*) FROM audit") == before


REQUESTS: list[tuple[Act, str, str, object]] = [
    (Act.DOMAIN_READ, "GET", "domains", None),
    (Act.DOMAIN_READ, "GET", f"domains/{DOMAIN}", None),
    (Act.DOMAIN_ADD, "POST", "domains", {"name": "b.vn", "postmaster": at("operator")}),
    (Act.DOMAIN_DISABLE, "POST", f"domains/{DOMAIN}/disable", None),
    (Act.AGENCY_READ, "GET", "agencies", None),
    (Act.AGENCY_READ, "GET", "agencies/snv", None),
    (Act.AGENCY_ADD, "POST", "agencies", {"code": "x", "name": "X"}),
    (Act.AGENCY_RENAME, "POST", "agencies/snv/rename", {"name": "X"}),
    (Act.AGENCY_CHANGE, "PATCH", "agencies/snv", {"level": "commune"}),
    (Act.AGENCY_CLOSE, "POST", "agencies/snv/close", {}),
    (Act.AGENCY_MERGE, "POST", "agencies/snv/merge", {"into": ["stc"]}),
    (Act.ADDRESS_REGISTER, "POST", "agencies/snv/registered/add", {"address": "x@example.org"}),
    (Act.ACCOUNT_READ, "GET", f"accounts/{at('annv')}", None),
    (Act.ACCOUNT_ADD, "POST", "accounts", {**PERSON, "address": at("moi")}),
    (Act.ACCOUNT_EDIT, "PATCH", f"accounts/{at('annv')}", {"display_name": "X"}),
    (Act.ACCOUNT_PASSWORD, "POST", f"accounts/{at('annv')}/password", None),
    (Act.ACCOUNT_MOVE, "POST", f"accounts/{at('annv')}/move", {"agency": "stc"}),
    (Act.ACCOUNT_GRANT, "POST", f"accounts/{at('annv')}/grants/add", {"address": at("operator")}),
    (Act.ADDRESS_REGISTER, "POST", f"accounts/{at('annv')}/registered/add", {"address": "x@example.org"}),
    (Act.SEAT_ADD, "POST", f"accounts/{at('annv')}/seats/add", {"role": "operator"}),
    (Act.ACCOUNT_LIMIT, "POST", f"accounts/{at('annv')}/limits", {"messages_per_day": 0}),
    (Act.ACCOUNT_DISABLE, "POST", f"accounts/{at('annv')}/disable", None),
    (Act.ALIAS_READ, "GET", "aliases", None),
    (Act.ALIAS_ADD, "POST", "aliases", {"address": at("x"), "targets": [at("annv")]}),
    (Act.ALIAS_EXTEND, "POST", f"aliases/{at('abuse')}/extend", {"targets": [at("annv")]}),
    (Act.ALIAS_REMOVE, "DELETE", f"groups/{at('all')}", None),
    (Act.DKIM_READ, "GET", "dkim-keys", None),
    (Act.DKIM_GENERATE, "POST", "dkim-keys", {"domain": DOMAIN, "algorithm": "ed25519"}),
    (Act.DKIM_RETIRE, "POST", f"dkim-keys/{DOMAIN}/waits/retire", None),
    (Act.TOKEN_READ, "GET", "tokens", None),
    (Act.TOKEN_CREATE, "POST", "tokens", {"name": "x", "role": "operator"}),
    (Act.TOKEN_REVOKE, "POST", "tokens/1/revoke", None),
]


@pytest.mark.parametrize("seat", SEATS)
async def test_each_seat_does_what_the_table_of_roles_says(api: Api, office: Office, seat: str) -> None:
    """On objects of Sở Nội vụ; a refusal leaves nothing, and another agency's looks as if not there."""
    await office.make("accounts", PERSON)
    await office.make("groups", {"address": at("all"), "members": [at("annv")]})
    role, _, agency = seat.partition(".")
    for act, method, path, body in REQUESTS:
        reach = scope(Role(role), act)
        if reach is Scope.ALL or (reach is Scope.AGENCY and agency == "snv"):
            if method == "GET":
                assert (await Office(api, seat).ask(method, path)).status_code == 200, path
            continue
        before = table(api, "SELECT count(*) FROM audit")
        for condition in ({}, ANY):
            answer = await Office(api, seat).ask(method, path, body, **condition)
            expected = 403 if reach is Scope.NONE or act is Act.ACCOUNT_ADD else 404
            if path.startswith("agencies/") and not condition and expected == 404:
                expected = 428  # that the agency is there is no secret
            check_problem(answer, expected)
        assert table(api, "SELECT count(*) FROM audit") == before, path


async def test_a_person_changes_things_from_a_session_as_a_program_does(api: Api) -> None:
    await with_password(api, OWN, (Role.OPERATOR, None))
    csrf = (await sign_in(api)).json()["csrf_token"]
    await api.ask.post("/api/v1/session/seat", json={"role": "operator"}, headers={"X-CSRF-Token": csrf})
    csrf = (await api.ask.get("/api/v1/session")).json()["csrf_token"]
    body = {"name": "b.vn", "postmaster": "x@b.vn"}
    check_problem(await api.ask.post("/api/v1/domains", json=body), 403)
    keyed = {"X-CSRF-Token": csrf, "Idempotency-Key": "k"}
    made = [await api.ask.post("/api/v1/domains", json=body, headers=keyed) for _ in range(2)]
    assert [(one.status_code, one.content) for one in made] == [(201, made[0].content)] * 2
    seen = {"X-CSRF-Token": csrf, "If-Match": made[0].headers["etag"]}
    assert (await api.ask.post("/api/v1/domains/b.vn/disable", headers=seen)).status_code == 200
    check_problem(await api.ask.post("/api/v1/domains/b.vn/enable", headers=seen), 412)
    assert table(api, "SELECT actor, role, act FROM audit ORDER BY id DESC LIMIT 1") == [
        (AN, "operator", "domain.disable")
    ]


async def test_an_agencys_own_officer_keeps_its_accounts(api: Api, office: Office) -> None:
    await office.make("accounts", {**PERSON, "address": at("binh"), "agency": "stc"})
    officer = Office(api, "agency_admin.snv")
    await officer.make("accounts", PERSON)
    assert [one["address"] for one in (await officer.get("accounts"))["items"]] == [at("annv")]
    await officer.change(f"accounts/{at('annv')}/disable")
    check_problem(await officer.ask("GET", "accounts?agency=stc"), 404)
    check_problem(
        await officer.ask("PATCH", f"accounts/{at('annv')}", {"citizen_desk": True}, If_Match="*"), 403
    )
    hidden = await officer.ask("GET", f"accounts/{at('binh')}")
    missing = await officer.ask("GET", f"accounts/{at('none')}")
    assert hidden.json()["detail"].replace("binh", "none") == missing.json()["detail"]


async def test_the_description_says_what_changes_take(api: Api) -> None:
    description = (await api.get("/openapi.json")).json()
    schemas = description["components"]["schemas"]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            tag = operation["tags"][0]
            if tag not in ("domains", "agencies", "accounts", "aliases", "groups", "dkim-keys", "tokens"):
                continue
            assert operation["description"], path
            for answer in (operation["responses"].get("200"), operation["responses"].get("201")):
                if answer is not None:
                    shown = schemas[json.dumps(answer).partition("schemas/")[2].partition('"')[0]]
                    assert shown["example"].keys() == shown["properties"].keys(), path
            headers = {
                one["name"].lower() for one in operation.get("parameters", []) if one["in"] == "header"
            }
            assert (method == "get") or headers >= {"if-match", "idempotency-key"}, path
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = json.dumps(body.get("schema", {})).partition("schemas/")[2].partition('"')[0]
            if name:
                assert schemas[name]["example"].keys() <= schemas[name]["properties"].keys(), name
                assert schemas[name]["additionalProperties"] is False
