"""What API and pages work with; `config` builds it, tests build their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailgov.admin.context import AdminContext
from mailgov.identity.sign_in import SignIns
from mailgov.policy.engine import Policy
from mailgov.settings import Settings
from mailgov.store.engine import Database


@dataclass(frozen=True, slots=True)
class HttpServices:
    """`now_ms` is the clock (milliseconds since 1970-01-01 UTC); `policy` gives the policy that
    runs now, or None before the first one is loaded; `admin` gives the context of an act.
    """

    db: Database
    settings: Settings
    now_ms: Callable[[], int]
    policy: Callable[[], Policy | None]
    admin: Callable[[], AdminContext]
    sign_ins: SignIns
