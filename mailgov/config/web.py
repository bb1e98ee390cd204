"""The HTTP side, put together."""

from __future__ import annotations

import secrets
import time

from mailgov.admin.context import AdminContext
from mailgov.api.app import create_app
from mailgov.api.runner import RunningPolicy, WebService
from mailgov.api.services import ApiServices
from mailgov.config.parts import build_policy, open_database
from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.protection import SignInProtection
from mailgov.identity.sign_in import SignIns
from mailgov.ops.first_key import first_key
from mailgov.settings import Settings
from mailgov.store.guard import Guard
from mailgov.web.app import add_pages
from mailgov.web.pages import page_routers
from mailgov.web.services import PageServices


def build_web(settings: Settings) -> WebService:
    """The HTTP side. Blocks; raises ConfigError, PolicyError and OSError."""

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    def admin() -> AdminContext:
        return AdminContext(db, settings, now_ms, secrets.token_hex)

    db = open_database(settings)
    key = first_key(settings.data_dir, secrets.token_bytes)
    protection = SignInProtection(Guard.open(settings.data_dir / "guard.sqlite"), settings.sign_in)
    sign_ins = SignIns(
        PasswordChecker(secrets.token_bytes(32), time.monotonic),
        SignInGate(protection, None, now_ms, from_anywhere=True),
        lambda: key,
    )
    policy = RunningPolicy(lambda: build_policy(settings))
    services = ApiServices(
        db=db,
        settings=settings,
        now_ms=now_ms,
        policy=policy,
        admin=admin,
        sign_ins=sign_ins,
    )
    pages = PageServices(
        db=db, settings=settings, now_ms=now_ms, policy=policy, admin=admin, sign_ins=sign_ins
    )
    app = create_app(services)
    add_pages(app, pages, page_routers(pages))
    return WebService(app, db, policy, sign_ins)
