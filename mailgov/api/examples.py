"""Examples that the interface's description shows."""

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
