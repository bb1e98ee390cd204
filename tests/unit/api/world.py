"""Traffic of two agencies whose records, and who may see them, are known."""

from __future__ import annotations

from dataclasses import dataclass

from mailgov.mail.events import DecisionRecord, MessageEvent, OutcomeEvent, RecipientRecord
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events
from tests.unit.usage.traffic import add_person, address, at_ms, post

NOW_MS = at_ms("2026-11-21", 18)
DECISION = "5f0c7a2b9d3e4c1f8a6b0d9e2c7f4a13"
SECRET_DECISION = "c0ffee00c0ffee00c0ffee00c0ffee00"

SNV_SENT, STC_SENT, INTO_BOTH, INTO_STC, REJECTED, SECRET = (
    "SNVSENT1",
    "STCSENT1",
    "INTOBOTH",
    "INTOSTC1",
    "REJECTED",
    "SECRET01",
)


@dataclass
class Clock:
    """A clock that tests set."""

    now_ms: int

    def __call__(self) -> int:
        return self.now_ms


def to(position: int, name: str, agency: str | None = None, **more: object) -> RecipientRecord:
    local = agency is not None
    values: dict[str, object] = {
        "direction": "internal" if local else "outbound",
        "state": "queued",
        "account": address(name) if local else None,
        "agency": agency,
    }
    return RecipientRecord(position, address(name) if local else name, **{**values, **more})  # type: ignore[arg-type]  # fields by name


def message(queue_id: str, hour: int, **more: object) -> MessageEvent:
    values: dict[str, object] = {
        "verdict": "accepted",
        "source": "submission",
        "policy_hash": "p1",
        "size_bytes": 2048,
        "tls": "TLSv1.3",
    }
    day = at_ms("2026-11-20", hour)
    return MessageEvent(queue_id=queue_id, at_ms=day, **{**values, **more})  # type: ignore[arg-type]  # fields by name


def own(name: str, agency: str) -> dict[str, object]:
    return {
        "account": address(name),
        "agency": agency,
        "reverse_path": address(name),
        "author": address(name),
        "personal": True,
        "to_others": True,
    }


def events() -> list[MessageEvent | OutcomeEvent]:
    decision = DecisionRecord(
        DECISION, "rcpt", "reject", "cold-free-mail", "cao-bang", "mục 1b", "enforce", "p1",
        {"recipient.domain": "gmail.com"}, 0,
    )  # fmt: skip
    stop = DecisionRecord(
        SECRET_DECISION, "data", "reject", "secrecy-mark", "luat-117-2025", "Điều 5.2", "enforce", "p1",
        {"message.secrecy": "MẬT"},
    )  # fmt: skip
    return [
        message(
            SNV_SENT,
            8,
            **own("an", "snv"),
            client="192.0.2.7",
            helo="pc-an",
            subject="Giấy mời 12/GM-SNV",
            document_class="GM",
            symbol="12/GM-SNV",
            signatures=("smime",),
            recipients=(to(0, "binh", "stc"), to(1, "dan@vnn.vn", mx_provider="domestic")),
        ),
        message(STC_SENT, 9, **own("binh", "stc"), recipients=(to(0, "dan@vnn.vn"),)),
        message(
            INTO_BOTH,
            10,
            source="mx",
            reverse_path="dan@vnn.vn",
            author="dan@vnn.vn",
            recipients=(
                to(0, "an", "snv", direction="inbound"),
                to(1, "binh", "stc", direction="inbound", state="held"),
            ),
        ),
        message(
            INTO_STC,
            11,
            source="mx",
            reverse_path="<script>alert(1)</script>@vnn.vn",
            recipients=(to(0, "binh", "stc", direction="inbound"),),
        ),
        message(
            REJECTED,
            12,
            verdict="rejected",
            **own("an", "snv"),
            recipients=(to(0, "x@gmail.com", state="rejected", decision_id=DECISION, mx_provider="free"),),
            decisions=(decision,),
        ),
        message(
            SECRET,
            13,
            verdict="rejected",
            source=None,
            account=address("an"),
            secrecy="MẬT",
            size_bytes=None,
            tls=None,
            decisions=(stop,),
        ),
        OutcomeEvent(
            SNV_SENT, 0, at_ms("2026-11-20", 8, 1), "delivered", "250 2.0.0 kept", 1,
            account=address("binh"), agency="stc",
        ),
        OutcomeEvent(SNV_SENT, 1, at_ms("2026-11-20", 8, 2), "deferred", "451 4.7.1 later", 1, "mx.vnn.vn"),
    ]  # fmt: skip


async def fill(db: Database) -> None:
    await add_person(db, "an", post("snv"))
    await add_person(db, "binh", post("stc"))
    await apply_events(db, "spool-w", "node", list(enumerate(events(), start=1)), NOW_MS)
