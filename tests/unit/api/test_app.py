"""What surrounds the resources: errors, limits, headers, health, metrics, the description."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from mailgov.api.app import create_app
from mailgov.store import status
from mailgov.store.engine import Database
from tests.unit.api.conftest import Api, services_on
from tests.unit.api.world import DECISION, NOW_MS, SNV_SENT, Clock

OPEN = {("/api/v1/session", "post"), ("/api/v1/password/reset", "post")}
"""Where people without a session begin."""
PROBLEM = "application/problem+json"
BIG = 1_048_577


def check_problem(answer: httpx2.Response, code: int) -> dict[str, object]:
    """Every error has the fields of RFC 9457 and the headers of every answer."""
    assert (answer.status_code, answer.headers["content-type"]) == (code, PROBLEM)
    body: dict[str, object] = answer.json()
    assert body.keys() >= {"type", "title", "status", "detail", "instance"}
    assert body["status"] == code
    assert str(body["type"]).startswith(("about:blank", "urn:mailgov:problem:"))
    assert str(body["detail"])
    check_headers(answer)
    return body


def check_headers(answer: httpx2.Response) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


async def speak(api: Api, spoke_ms: int, name: str = "relay.0", /, **counters: int) -> None:
    await status.report(
        api.services.db,
        node="n1",
        worker=name,
        pid=7,
        now_ms=spoke_ms,
        started_ms=NOW_MS - 60_000,
        policy_hash="p1",
        policy_error=None,
        directory_revision=3,
        counters=counters,
        door={(NOW_MS - NOW_MS % 60_000, "mx", "203.0.113.9", "relaying"): 5},
    )


def family(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Samples of one metric by their labels."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for found in text_string_to_metric_families(text)
        for sample in found.samples
        if sample.name == name
    }


async def test_the_process_is_alive(api: Api) -> None:
    answer = await api.ask.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    check_headers(answer)


async def test_the_process_is_alive_though_the_ledger_is_away(api_away: httpx2.AsyncClient) -> None:
    assert (await api_away.get("/healthz")).json() == {"status": "ok"}


def codes(body: dict[str, object]) -> list[str]:
    reasons = body["reasons"]
    assert isinstance(reasons, list)
    return [reason["code"] for reason in reasons]


async def test_ready_needs_a_worker_that_spoke_lately(api: Api) -> None:
    await speak(api, NOW_MS, "imap")  # who serves mailboxes takes no mail in
    assert codes(check_problem(await api.ask.get("/readyz"), 503)) == ["no-relay-worker"]
    await speak(api, NOW_MS - 30_001)
    assert (await api.ask.get("/readyz")).status_code == 503
    await speak(api, NOW_MS - 30_000)
    answer = await api.ask.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_needs_the_ledger(api_away: httpx2.AsyncClient) -> None:
    away = await api_away.get("/readyz")
    assert codes(check_problem(away, 503)) == ["ledger-unavailable"]
    assert int(away.headers["retry-after"]) > 0


async def test_metrics_join_workers_door_and_queue(filled: Api) -> None:
    held = {"sessions": 2, "spool_ready": 4, "dkim_keys_not_published": 1}
    await speak(filled, NOW_MS, accepted=12, delivered=9, refused_relaying=5, **held)
    await speak(filled, NOW_MS - 40_000, "relay.1", accepted=1)
    await speak(filled, NOW_MS - 90_000_000, "gone", accepted=99)
    answer = await filled.ask.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    first = (("node", "n1"), ("worker", "relay.0"))
    second = (("node", "n1"), ("worker", "relay.1"))
    assert family(text, "mailgov_ledger_up") == {(): 1}
    assert family(text, "mailgov_worker_up") == {first: 1, second: 0}
    assert family(text, "mailgov_worker_events_total") == {
        (("event", "accepted"), *first): 12,
        (("event", "delivered"), *first): 9,
        (("event", "refused_relaying"), *first): 5,
        (("event", "accepted"), *second): 1,
    }
    assert family(text, "mailgov_worker_state") == {
        (("name", "sessions"), *first): 2,
        (("name", "spool_ready"), *first): 4,
        (("name", "dkim_keys_not_published"), *first): 1,
    }
    assert family(text, "mailgov_queue_recipients") == {
        (("state", "queued"),): 3,
        (("state", "deferred"),): 1,
        (("state", "held"),): 1,
    }
    assert family(text, "mailgov_door_refusals") == {(("listener", "mx"), ("reason", "relaying")): 15}
    assert "203.0.113.9" not in text
    assert "@" not in text


async def test_odd_counters_of_a_worker_break_no_scrape(api: Api) -> None:
    odd = {"an@caobang.gov.vn": 1, 'x"} 1\nfake 2': 3, "": 1, "ok": 4, **{f"n{i}": i for i in range(500)}}
    await speak(api, NOW_MS, **odd)
    text = (await api.ask.get("/metrics")).text
    assert family(text, "mailgov_worker_events_total")[("event", "n1"), ("node", "n1"), ("worker", "relay.0")]
    assert "fake" not in text
    assert "@" not in text
    assert len(text) < 50_000


async def test_metrics_answer_with_the_ledger_away(api_away: httpx2.AsyncClient) -> None:
    answer = await api_away.get("/metrics")
    assert answer.status_code == 200
    assert [line for line in answer.text.splitlines() if not line.startswith("#")] == [
        "mailgov_ledger_up 0.0"
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/messages",
        f"/api/v1/messages/{SNV_SENT}",
        "/api/v1/queue",
        "/api/v1/usage",
        "/api/v1/targets",
        "/api/v1/me",
        "/openapi.json",
    ],
)
async def test_without_the_ledger_the_resources_say_so(api_away: httpx2.AsyncClient, path: str) -> None:
    answer = await api_away.get(path, headers={"Authorization": "Bearer mg_any"})
    body = check_problem(answer, 503)
    assert body["type"] == "urn:mailgov:problem:ledger-unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert "sqlite" not in answer.text


async def test_unknown_paths_and_methods_are_problems(filled: Api) -> None:
    for path in (
        "/api",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/messages/",
        "/why",
        "/%00",
        "/static/../x",
    ):
        check_problem(await filled.ask.get(path), 404)
    wrong = await filled.ask.delete("/api/v1/messages", headers=filled.auth("operator"))
    check_problem(wrong, 405)
    assert wrong.headers["allow"] == "GET"
    check_problem(await filled.ask.get(f"/api/v1/queue/{SNV_SENT}/hold"), 405)


async def test_a_hostile_path_is_escaped(api: Api) -> None:
    body = check_problem(await api.ask.get("/%3Cscript%3E%0d%0aSet-Cookie:x%E2%80%AE" + "a" * 5000), 404)
    instance = str(body["instance"])
    assert instance.isascii()
    assert instance.isprintable()
    assert "<" not in instance
    assert len(instance) < 1000


async def test_a_body_over_the_limit_is_413_announced_or_not(filled: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 32_768

    path = f"/api/v1/queue/{SNV_SENT}/retry"
    headers = {**filled.auth("operator"), "content-type": "application/json"}
    check_problem(await filled.ask.post(path, content=b" " * BIG, headers=headers), 413)
    check_problem(await filled.ask.post(path, content=endless(), headers=headers), 413)
    check_problem(await filled.ask.request("GET", "/healthz", content=b"x" * BIG), 413)
    check_problem(
        await filled.ask.post(path, content=b"{}", headers={**headers, "content-length": "9" * 30}), 413
    )


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"{", "application/json", 422),
        (b'{"reason": "x"}', "text/plain", 415),
        (b"reason=x", "application/x-www-form-urlencoded", 415),
        (b"[" * 100_000, "application/json", 400),
        (b'{"reason": "\\ud800"}', "application/json", 422),
        (b'{"reason": 5}', "application/json", 422),
        (b'{"position": 1e400}', "application/json", 422),
        (b'{"position": 9223372036854775808}', "application/json", 422),
        (b'{"position": -1}', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
    ],
)
async def test_a_malformed_body_is_a_problem(filled: Api, content: bytes, kind: str, code: int) -> None:
    headers = {**filled.auth("operator"), "content-type": kind}
    answer = await filled.ask.post(f"/api/v1/queue/{SNV_SENT}/retry", content=content, headers=headers)
    check_problem(answer, code)
    assert answer.text.isprintable()


async def test_what_nobody_foresaw_is_a_500_without_its_text(api: Api) -> None:
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    app = create_app(api.services)
    app.include_router(router)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://t") as client:
        with capture_logs() as logs:
            answer = await client.get("/broken?token=secret")
    check_problem(answer, 500)
    assert "hunter2" not in answer.text
    assert [(one["log_level"], one["path"]) for one in logs] == [("error", "/broken")]


def _refs(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


async def test_the_description_is_whole_and_has_examples(filled: Api) -> None:
    description = (await filled.get("/openapi.json")).json()
    assert set(description["paths"]) >= {
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/messages",
        "/api/v1/messages/{queue_id}",
        "/api/v1/queue",
        "/api/v1/queue/{queue_id}",
        "/api/v1/queue/{queue_id}/{act}",
        "/api/v1/queue/acts",
        "/api/v1/usage",
        "/api/v1/me",
        "/api/v1/domains",
    }
    schemas = description["components"]["schemas"]
    assert {ref.rpartition("/")[2] for ref in _refs(description)} <= schemas.keys()
    assert "HTTPValidationError" not in json.dumps(description["paths"])
    for name in ("TracedBody", "MessagePage", "CommandBody", "Me", "UsageBody", "TargetsBody"):
        assert schemas[name]["example"], name
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            guarded = path.startswith("/api/") and (path, method) not in OPEN
            assert ("security" in operation) is guarded, path
            assert "401" in operation["responses"] or not guarded, path


async def test_examples_have_the_shape_that_they_illustrate(filled: Api) -> None:
    schemas = (await filled.get("/openapi.json")).json()["components"]["schemas"]
    real = {
        "TracedBody": (await filled.get(f"/api/v1/messages/{SNV_SENT}")).json(),
        "MessagePage": (await filled.get("/api/v1/messages")).json(),
        "Me": (await filled.get("/api/v1/me")).json(),
        "QueuePage": (await filled.get("/api/v1/queue")).json(),
        "UsageBody": (await filled.get("/api/v1/usage", period="2026-11")).json(),
        "TargetsBody": (await filled.get("/api/v1/targets")).json(),
    }
    for name, answer in real.items():
        assert shape(schemas[name]["example"]) <= shape(answer), name


def shape(node: object, path: str = "") -> set[str]:
    """The names of all fields, however deep."""
    if isinstance(node, list):
        return {name for item in node for name in shape(item, path + "[]")}
    if isinstance(node, dict) and not path.endswith(".acts"):
        return {f"{path}.{key}" for key in node} | {
            name for key, value in node.items() for name in shape(value, f"{path}.{key}")
        }
    return set()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


async def test_docs_are_one_page_that_loads_nothing(filled: Api) -> None:
    answer = await filled.get("/docs")
    page = _Page()
    page.feed(answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert page.sources == ["/openapi.json"]
    assert "GET /api/v1/usage" in answer.text


async def test_usage_answers_in_the_form_of_the_report(filled: Api) -> None:
    body = (await filled.get("/api/v1/usage", period="2026-Q4", calendar="administrative")).json()
    assert body["period"]["from"] == "2026-09-15"
    assert body["period"]["progress"] == "running"
    snv = next(one for one in body["agencies"] if one["agency"] == "snv")
    assert (snv["sent_messages"], snv["recipients"], snv["active_persons"]) == (1, 2, None)
    assert (snv["outbound_by_provider"]["domestic"], snv["outbound_by_provider"]["free"]) == (1, 0)
    assert snv["rejected_by_rule"] == {"cold-free-mail": 1}
    assert body["province"]["rejected_by_rule"] == {"cold-free-mail": 1, "secrecy-mark": 1}
    for wrong in ({"period": "2026-Q5"}, {"calendar": "lunar"}, {"period": "x" * 41}, {"lang": "vi"}):
        check_problem(await filled.get("/api/v1/usage", **wrong), 422)
    check_problem(await filled.get("/api/v1/usage", agency="nowhere"), 404)


async def test_a_seat_of_a_service_without_a_policy_still_answers(filled: Api) -> None:
    services = services_on(filled.services.db, Clock(NOW_MS), None)
    app = create_app(services)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://t") as client:
        answer = await client.get("/api/v1/messages", headers=filled.auth("operator"))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/readyz",
        "/metrics",
        "/api/v1/messages",
        f"/api/v1/messages/{SNV_SENT}",
        "/api/v1/queue",
        "/api/v1/usage",
        "/api/v1/targets",
        "/api/v1/me",
        "/docs",
        f"/why/{DECISION}",
    ],
)
async def test_a_reading_request_takes_one_transaction(
    filled: Api, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    begun: list[str] = []

    def counted(name: str) -> None:
        real = getattr(Database, name)

        def begin(db: Database) -> object:
            begun.append(name)
            return real(db)

        monkeypatch.setattr(Database, name, begin)

    await filled.get("/api/v1/me", "agency_admin.snv")  # its use is noted now, and not again for a minute
    counted("read")
    counted("write")
    await filled.get(path, "agency_admin.snv")
    assert begun == ["read"]


async def test_the_guide_names_every_path_parameter_and_problem(filled: Api) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    description = (await filled.get("/openapi.json")).json()
    for path, operations in description["paths"].items():
        assert path.partition("{")[0].rstrip("/") in guide
        for operation in operations.values():
            for one in operation.get("parameters", []):
                assert one["in"] != "query" or one["name"] in guide, one["name"]
    for code in ("unauthorized", "forbidden", "not-found", "conflict", "invalid", "unfinished", "not-ready"):
        assert f"| `{code}` |" in guide
    metrics = (await filled.ask.get("/metrics")).text
    for line in metrics.splitlines():
        if line.startswith("# TYPE"):
            assert f"`{line.split()[2]}`" in guide


async def test_bodies_and_parameters_have_examples(filled: Api) -> None:
    """What a caller writes is shown as it could be sent."""
    description = (await filled.get("/openapi.json")).json()
    schemas = description["components"]["schemas"]
    for name in ("SignInAsked", "PasswordAsked", "ResetAsked", "NewAgency", "NewAccountAsked"):
        assert schemas[name]["example"], name
    asked = [
        one
        for operations in description["paths"].values()
        for operation in operations.values()
        for one in operation.get("parameters", ())
        if one["name"] in ("if-match", "cursor", "period", "agency", "queue_id", "address", "code")
    ]
    assert len(asked) > 50
    assert all("example" in one or "examples" in one["schema"] for one in asked)
