"""`/healthz`, `/readyz` and `/metrics`: for supervisors and monitoring, without sign-in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mailgov.api import metrics
from mailgov.api.deps import Bare, Services
from mailgov.api.problem import RETRY_AFTER_S, Problem
from mailgov.api.schemas import Health, problems

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=problems(422))
async def healthz(_bare: Bare) -> Health:
    """The process answers. Says nothing about ledger or relay: see `/readyz`."""
    return Health(status="ok")


@router.get("/readyz", responses=problems(422, 503))
async def readyz(services: Services, _bare: Bare) -> Health:
    """The ledger can be read and at least one relay worker spoke in the last 30 seconds.

    Otherwise 503 with `reasons`.
    """
    seen = await metrics.look(services.db, services.now_ms())
    reasons: list[dict[str, Any]] = []
    if seen is None:
        reasons.append({"code": "ledger-unavailable", "detail": "The ledger cannot be read."})
    elif not any(worker.relays and seen.now_ms - worker.at_ms <= metrics.FRESH_MS for worker in seen.workers):
        reasons.append({"code": "no-relay-worker", "detail": "No relay worker has spoken lately."})
    if reasons:
        detail = " ".join(str(reason["detail"]) for reason in reasons)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise Problem(503, "not-ready", detail, headers=headers, extra={"reasons": reasons})
    return Health(status="ok")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(422)},
)
async def scrape(services: Services, _bare: Bare) -> Response:
    """Prometheus' text format. With the ledger away it still answers, with `mailgov_ledger_up 0`."""
    seen = await metrics.look(services.db, services.now_ms())
    return Response(metrics.exposition(seen), media_type=metrics.MEDIA_TYPE)
