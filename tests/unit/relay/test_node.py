"""Counters that a flood cannot fill, a directory that knows how old it is, ids that sort."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from structlog.testing import capture_logs

from mailgov.relay.clock import Clock, Randomness
from mailgov.relay.node import DOOR_ADDRESS_LIMIT, EMPTY_DIRECTORY, FRESH_S, Counters, DirectoryView
from mailgov.relay.refusal_log import LINES_PER_MINUTE
from tests.support.relay_node import province

MINUTE = 60_000


def test_refusals_are_counted_by_minute_listener_address_and_reason() -> None:
    counters = Counters()
    for now_ms in (0, MINUTE - 1, MINUTE):
        counters.refuse(now_ms, "mx", "192.0.2.1", "relaying")
    counters.refuse(0, "mx", "192.0.2.2", "relaying")
    counters.refuse(0, "submission", "192.0.2.1", "no_auth")
    assert counters.take_door() == {
        (0, "mx", "192.0.2.1", "relaying"): 2,
        (MINUTE, "mx", "192.0.2.1", "relaying"): 1,
        (0, "mx", "192.0.2.2", "relaying"): 1,
        (0, "submission", "192.0.2.1", "no_auth"): 1,
    }
    assert counters.take_door() == {}
    assert counters.values["refused_relaying"] == 4


def test_a_flood_of_addresses_becomes_one() -> None:
    counters = Counters()
    for number in range(5000):
        counters.refuse(0, "mx", f"2001:db8::{number:x}", "relaying")
    door = counters.take_door()
    assert len(door) == DOOR_ADDRESS_LIMIT + 1
    assert door[0, "mx", "other", "relaying"] == 5000 - DOOR_ADDRESS_LIMIT
    assert sum(door.values()) == 5000


def test_what_could_not_be_written_is_put_back_within_the_bound() -> None:
    counters = Counters()
    counters.refuse(0, "mx", "192.0.2.1", "relaying")
    taken = counters.take_door()
    counters.refuse(0, "mx", "192.0.2.1", "relaying")
    counters.give_door(taken)
    assert counters.take_door() == {(0, "mx", "192.0.2.1", "relaying"): 2}
    counters.give_door({(0, "mx", str(number), "x"): 1 for number in range(20_000)})
    assert counters.take_door() == {}


def test_so_many_in_a_minute() -> None:
    counters = Counters()
    assert [counters.within(0, "x", 2) for _ in range(4)] == [True, True, False, False]
    assert counters.within(0, "y", 2)
    assert counters.within(MINUTE, "x", 2)


def test_a_directory_is_fresh_for_so_long_after_it_was_confirmed() -> None:
    now = 1000.0
    empty = DirectoryView(None, lambda: now)
    assert (empty.snapshot, empty.fresh) == (EMPTY_DIRECTORY, False)
    snapshot = province()
    view = DirectoryView(snapshot, lambda: now)
    said = [view.fresh]  # a snapshot from a file was confirmed by nobody
    view.confirm()
    for passed in (0.0, FRESH_S - 0.1, 0.2):
        now += passed
        said.append(view.fresh)
    assert said == [False, True, True, False]
    assert view.snapshot is snapshot


def test_queue_ids_sort_by_time_and_differ() -> None:
    now_ms = 1_793_610_000_000
    clock = Clock(now_ms=lambda: now_ms)
    same = {clock.queue_id() for _ in range(1000)}
    assert len(same) == 1000
    now_ms += 1
    later = clock.queue_id()
    assert all(one < later for one in same)
    assert len(later) == 18
    assert later.isalnum()
    assert not set("ILOU") & set(later)
    assert len(clock.decision_id()) == 32


def test_chance_is_shared_with_no_other_thread_and_no_child() -> None:
    chance = Randomness()
    with ThreadPoolExecutor(4) as executor:
        drawn = list(executor.map(chance.bits, [64] * 4000))
    assert len(set(drawn)) == 4000
    for count in (1, 7, 40, 128, 8 * Randomness.BLOCK_BYTES + 1):
        some = [chance.bits(count) for _ in range(200)]
        assert all(0 <= one < 1 << count for one in some)
        assert {one >> (count - 1) for one in some} == {0, 1}
    script = """if 1:
        import os
        from mailgov.relay.clock import Clock
        clock = Clock()
        clock.decision_id()
        child = os.fork()
        os.write(1, f"{clock.decision_id()}\\n".encode())
        if child:
            os.wait()
        else:
            os._exit(0)
    """
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=30).stdout
    assert len(set(said.split())) == 2


def test_a_flood_of_refusals_is_told_in_part_and_hides_no_other() -> None:
    counters = Counters()
    with capture_logs() as logs:
        for number in range(LINES_PER_MINUTE + 40):
            counters.refuse(0, "mx", f"192.0.2.{number}", "relaying", {"helo": "x", "recipient": None})
        counters.refuse(0, "mx", "192.0.2.1", "bare_line_end", {"helo": "a\r\n\x1b[31m\u202e" + "y" * 999})
        counters.refuse(MINUTE, "mx", "192.0.2.1", "relaying", None)
        assert len(logs) == LINES_PER_MINUTE + 1
        counters.refusals.close_minute(MINUTE)
    first, hostile, rest = logs[0], logs[-2], logs[-1]
    assert first == {
        "event": "refused", "log_level": "info", "listener": "mx", "client": "192.0.2.0",
        "reason": "relaying", "helo": "x",
    }  # fmt: skip
    assert hostile["helo"].isprintable()
    assert len(hostile["helo"]) == 200
    assert (rest["reason"], rest["note"]) == ("relaying", "40 more not logged")
    assert counters.values["refused_relaying"] == LINES_PER_MINUTE + 41
