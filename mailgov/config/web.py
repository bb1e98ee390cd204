"""The HTTP side, put together."""

from __future__ import annotations

import secrets
import time

from mailgov.admin.context import AdminContext
from mailgov.api.app import create_app
from mailgov.api.runner import RunningPolicy, WebService
from mailgov.api.services import ApiServices
from mailgov.config.parts import build_policy, open_database
from mailgov.settings import Settings
from mailgov.web.why import why_router


def build_web(settings: Settings) -> WebService:
    """The HTTP side. Blocks; raises ConfigError, PolicyError and OSError."""

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    db = open_database(settings)
    policy = RunningPolicy(lambda: build_policy(settings))
    services = ApiServices(
        db=db,
        settings=settings,
        now_ms=now_ms,
        policy=policy,
        admin=lambda: AdminContext(db, settings, now_ms, secrets.token_hex),
    )
    return WebService(create_app(services, pages=[why_router(db, policy)]), db, policy)
