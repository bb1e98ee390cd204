"""Reports on strangers' mail are bounded, since whoever is named in the reverse-path may be a victim."""

from __future__ import annotations

from mailgov.relay.backscatter import PATHS_LIMIT, SPAN_MS, ReportsSent
from mailgov.settings import DeliverySettings

LIMITS = DeliverySettings(stranger_report_limit=2, stranger_report_total=5)


def test_a_reverse_path_hears_so_many_an_hour() -> None:
    sent = ReportsSent(LIMITS)
    assert [sent.take("Khach@Example.org", False, 0) for _ in range(3)] == [True, True, False]
    assert not sent.take("khach@example.org", True, SPAN_MS - 1)
    assert sent.take("khach@example.org", True, SPAN_MS)


def test_all_together_hear_so_many_where_nothing_proves_them() -> None:
    sent = ReportsSent(LIMITS)
    assert [sent.take(f"a{n}@example.org", False, 0) for n in range(6)] == [True] * 5 + [False]
    assert sent.take("proven@example.org", True, 0)
    assert not sent.take("other@example.org", False, 0)


def test_what_strangers_ask_to_hear_is_bounded_whoever_they_prove_to_be() -> None:
    """SPF passes for whoever owns a domain, and one has as many names below it as he likes."""
    sent = ReportsSent(LIMITS)
    asked = [sent.take(f"a@x{n}.example.org", True, 0, asked_for=True) for n in range(7)]
    assert asked == [True] * 5 + [False] * 2
    assert sent.take("b@example.org", True, 0), "of a failure he hears all the same"
    assert sent.take("unproven@example.org", False, 0), "and nobody else's share is used up"


def test_what_is_counted_is_bounded() -> None:
    sent = ReportsSent(LIMITS)
    for n in range(PATHS_LIMIT + 10):
        assert sent.take(f"a{n}@example.org", True, 0)
    assert len(sent._paths) == PATHS_LIMIT
