"""Metrics that follow from the clock."""

from __future__ import annotations

from mailgov.api.metrics import EXPIRES, Seen, exposition
from mailgov.relay import certificate
from mailgov.store.status import Totals, Worker


def test_the_certificates_end_is_counted_down() -> None:
    assert certificate.EXPIRES == EXPIRES
    worker = Worker(
        node="mail", worker="relay.0", pid=1, at_ms=1_000_000, started_ms=0, policy_hash="x",
        policy_error=None, directory_revision=1, counters={EXPIRES: 87_400, "accepted": 3},
    )  # fmt: skip
    seen = Seen(1_000_000, (worker,), Totals({}, 0, 0, 0), {})
    lines = exposition(seen).decode().splitlines()
    assert 'mailgov_certificate_expiry_seconds{node="mail",worker="relay.0"} 86400.0' in lines
    assert not [line for line in lines if EXPIRES in line], "once is enough"
