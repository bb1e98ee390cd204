"""Examples that the interface's description shows, by the name of the schema."""

from __future__ import annotations

from pydantic import JsonValue

DECISION: dict[str, JsonValue] = {
    "id": "5f0c7a2b9d3e4c1f8a6b0d9e2c7f4a13",
    "stage": "rcpt",
    "outcome": "reject",
    "rule": "cold-free-mail",
    "document": "cao-bang",
    "article": "mục 1b",
    "mode": "enforce",
    "position": None,
    "policy_hash": "9b1c…",
    "why": "http://127.0.0.1:8025/why/5f0c7a2b9d3e4c1f8a6b0d9e2c7f4a13",
}
RECIPIENT: dict[str, JsonValue] = {
    "position": 0,
    "address": "dan@vnn.vn",
    "original": None,
    "via": None,
    "direction": "outbound",
    "account": None,
    "agency": None,
    "state": "delivered",
    "attempts": 1,
    "last_reply": "250 2.0.0 ok",
    "mx_host": "mx.vnn.vn",
    "mx_provider": "domestic",
    "decision_id": None,
    "updated_at": "2026-11-21T18:00:02.120+07:00",
    "delivered_at": "2026-11-21T18:00:02.120+07:00",
}
MESSAGE: dict[str, JsonValue] = {
    "queue_id": "0mKq3v9QdT",
    "time": "2026-11-21T18:00:01.004+07:00",
    "verdict": "accepted",
    "source": "submission",
    "account": "annv@caobang.gov.vn",
    "agency": "snv",
    "reverse_path": "annv@caobang.gov.vn",
    "author": "annv@caobang.gov.vn",
    "message_id": "<1@caobang.gov.vn>",
    "document_class": "GM",
    "symbol": "12/GM-SNV",
    "urgency": None,
    "secrecy": None,
    "automatic": False,
    "size_bytes": 4312,
    "tls": "TLSv1.3",
    "spf": None,
    "dkim": None,
    "dmarc": None,
    "signatures": [],
    "attachments": 1,
    "policy_hash": "9b1c…",
    "sample": False,
    "recipients": [RECIPIENT],
    "recipients_total": 1,
    "decision": None,
    "decisions": [],
}
MESSAGES: dict[str, JsonValue] = {"items": [MESSAGE], "next": "WyI0ZjUzIiwxXQ"}
COMMAND: dict[str, JsonValue] = {
    "id": 17,
    "queue_id": "0mKq3v9QdT",
    "position": None,
    "act": "retry",
    "actor": "token 3 (giám sát)",
    "reason": None,
    "result": "done",
    "result_text": "1 recipients",
    "asked_at": "2026-11-21T18:00:01.004+07:00",
    "done_at": "2026-11-21T18:00:01.310+07:00",
}
WAITING: dict[str, JsonValue] = {
    "queue_id": "0mKq3v9QdT",
    "position": 0,
    "time": "2026-11-21T18:00:01.004+07:00",
    "account": "annv@caobang.gov.vn",
    "agency": "snv",
    "reverse_path": "annv@caobang.gov.vn",
    "address": "dan@vnn.vn",
    "direction": "outbound",
    "state": "deferred",
    "attempts": 2,
    "last_reply": "451 4.7.1 try again later",
    "size_bytes": 4312,
    "updated_at": "2026-11-21T18:07:03.500+07:00",
}
ME: dict[str, JsonValue] = {
    "name": "giám sát",
    "role": "agency_admin",
    "agency": "snv",
    "created_at": "2026-11-01T08:00:00.000+07:00",
    "expires_at": None,
    "acts": {"message.read": "agency", "usage.read": "agency", "agency.read": "all"},
}
_COUNTS: dict[str, JsonValue] = {
    "sent_messages": 412,
    "automatic_messages": 9,
    "messages_to_others": 405,
    "recipients": 1280,
    "received_messages": 1904,
    "accounts_that_sent": 31,
    "active_persons": 22,
    "persons_that_sent": 29,
    "outbound_by_provider": {"free": 17, "paid-foreign": 4, "domestic": 166, "gateway": 0, "unknown": 2},
    "rejected_by_rule": {"cold-free-mail": 3},
}
USAGE: dict[str, JsonValue] = {
    "period": {
        "from": "2026-09-15",
        "to": "2026-12-15",
        "text": "2026-Q4",
        "kind": "quarter",
        "calendar": "administrative",
        "cut_off_day": 15,
        "progress": "whole",
        "label": {"vi": "Quý IV năm 2026", "en": "Quarter IV of 2026"},
        "months": [
            {"from": "2026-09-15", "to": "2026-10-15"},
            {"from": "2026-10-15", "to": "2026-11-15"},
            {"from": "2026-11-15", "to": "2026-12-15"},
        ],
    },
    "days": 91,
    "observed_days": 91,
    "province": None,
    "agencies": [
        {
            "agency": "snv",
            "name": "Sở Nội vụ",
            "level": "province",
            "exists": {"from": None, "to": None},
            **_COUNTS,
            "note": None,
        }
    ],
    "definitions": [
        {
            "id": "accounts_that_sent",
            "text": {
                "vi": "Số tài khoản, mọi loại, đã gửi ít nhất một thư; …",
                "en": "Accounts of any kind …",
            },
            "articles": [{"directive": "cao-bang", "document": "Chỉ thị …", "article": "mục 3b"}],
            "definition_hash": "5c22a90e2925…",
        }
    ],
    "sample": False,
    "note": None,
    "generated_at": "2026-12-15T08:00:00+07:00",
}
EXAMPLES: dict[str, dict[str, JsonValue]] = {
    "CommandBody": COMMAND,
    "Me": ME,
    "MessageBody": MESSAGE,
    "MessagePage": MESSAGES,
    "QueueAct": {"position": 0, "reason": "sai người nhận"},
    "QueuePage": {"items": [WAITING], "next": None},
    "UsageBody": USAGE,
}
