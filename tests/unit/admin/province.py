"""The small province, and ways to look at it without the code under test."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailgov.admin import accounts, agencies, aliases, domains, keys, tokens
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import Actor, AdminContext
from mailgov.identity.roles import Role
from mailgov.mail.events import MessageEvent, OutcomeEvent, RecipientRecord
from mailgov.settings import Settings
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events

DOMAIN = "caobang.gov.vn"
NOW_MS = 1_763_722_800_000  # 2025-11-21 18:00 in Hà Nội
WAITING = "01M5M4PKQGV294X9FW"
"""The queue id of a message of which something waits."""
SPOOL = "spool-of-the-test"
OPERATOR = Actor("operator", Role.OPERATOR)
SNV_ADMIN = Actor("it-snv", Role.AGENCY_ADMIN, "snv")


def make_context(database: Database, settings: Settings) -> AdminContext:
    return AdminContext(database, settings, lambda: NOW_MS, secrets.token_hex)


def at(local_part: str) -> str:
    return f"{local_part}@{DOMAIN}"


async def make_province(ctx: AdminContext) -> None:
    """A domain, three agencies, four accounts, an alias, a key and a token."""
    await domains.add_domain(ctx, OPERATOR, DOMAIN, postmaster=at("operator"))
    for code, name in (("snv", "Sở Nội vụ"), ("stc", "Sở Tài chính"), ("vpubnd", "Văn phòng UBND tỉnh")):
        await agencies.add_agency(ctx, OPERATOR, AgencySpan(code, name, "province"))
    for new in (
        NewAccount(at("annv"), "Nguyễn Văn An", agency="snv", person_class="cong_chuc"),
        NewAccount(at("binhtt"), "Trần Thị Bình", agency="stc", person_class="vien_chuc"),
        NewAccount(at("snv"), "Sở Nội vụ", "shared", "snv"),
        NewAccount(at("vpubnd"), "Văn phòng", "shared", "vpubnd"),
    ):
        await accounts.add_account(ctx, OPERATOR, new)
    await aliases.add_alias(ctx, OPERATOR, at("ld-snv"), to=[at("annv")])
    await keys.generate_key(ctx, OPERATOR, DOMAIN, algorithm="ed25519")
    await tokens.create_token(ctx, OPERATOR, "first", role=Role.OPERATOR, days=None)
    await _make_traffic(ctx)


async def _make_traffic(ctx: AdminContext) -> None:
    """One message of Sở Nội vụ: delivered to a colleague, waiting for two others."""
    recipients = (
        RecipientRecord(0, at("binhtt"), "internal", "queued", at("binhtt"), "stc"),
        RecipientRecord(1, "x@example.org", "outbound", "queued"),
        RecipientRecord(2, "y@example.org", "outbound", "queued"),
    )
    message = MessageEvent(
        "accepted",
        WAITING,
        NOW_MS,
        "submission",
        "0" * 32,
        account=at("annv"),
        agency="snv",
        personal=True,
        reverse_path=at("annv"),
        subject="12/GM-SNV Giấy mời",
        recipients=recipients,
    )
    outcome = OutcomeEvent(WAITING, 0, NOW_MS + 1, "delivered", account=at("binhtt"), agency="stc")
    await apply_events(ctx.db, SPOOL, "test", [(1, message), (2, outcome)], NOW_MS)


@dataclass(frozen=True)
class State:
    """Everything in the ledger, table by table."""

    tables: dict[str, list[tuple[Any, ...]]]

    @property
    def audit(self) -> list[tuple[str, str, str, str]]:
        """(actor, role, act, object) of each audit row."""
        return [(row[4], row[5], row[6], row[7]) for row in self.tables["audit"]]

    @property
    def revisions(self) -> tuple[int, int]:
        """Of the directory, of the policy."""
        (row,) = self.tables["directory_state"]
        return row[1], row[2]


def state(ctx: AdminContext) -> State:
    path = ctx.settings.database.url.removeprefix("sqlite:///")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: list(connection.execute(f'SELECT * FROM "{name}" ORDER BY 1')) for name in names}  # noqa: S608 - names of our own tables
        columns = [row[1] for row in connection.execute("PRAGMA table_info(audit)")]
    finally:
        connection.close()
    assert columns[4:8] == ["actor", "role", "act", "object"]
    return State(rows)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
