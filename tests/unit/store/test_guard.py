"""The guard: shared by a node's workers, bounded, replaced when damaged, never in the way."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgov.store import guard as guard_module
from mailgov.store.guard import Guard

DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "guard.sqlite"


@pytest.fixture
def guard(path: Path) -> Iterator[Guard]:
    opened = Guard.open(path)
    yield opened
    opened.close()


def test_who_wrote_last(guard: Guard) -> None:
    assert guard.wrote_last("dân@example.vn") is None
    guard.note_writer("dân@example.vn", 500)
    guard.note_writer("dân@example.vn", 300)
    guard.merge([("b@example.vn", 7), ("dân@example.vn", 400), ("b@example.vn", 9)])
    assert (guard.wrote_last("dân@example.vn"), guard.wrote_last("b@example.vn")) == (500, 9)


def test_failures_count_until_a_quiet_time(guard: Guard) -> None:
    counts = [guard.note_failure("an|192.0.2.1", ms, window_ms=100) for ms in (0, 50, 149, 249, 250)]
    assert counts == [1, 2, 3, 1, 2]
    assert guard.failures("an|192.0.2.1", 349, 100) == (2, 250)
    assert guard.failures("an|192.0.2.1", 350, 100) is None
    assert guard.failures("other", 250, 100) is None
    guard.forget_failures("an|192.0.2.1")
    assert guard.failures("an|192.0.2.1", 251, 100) is None


def test_workers_of_a_node_share_it_and_it_survives_a_restart(guard: Guard, path: Path) -> None:
    other = Guard.open(path)
    guard.note_writer("a@example.vn", 1)
    assert other.wrote_last("a@example.vn") == 1
    other.close()
    again = Guard.open(path)
    assert again.wrote_last("a@example.vn") == 1
    again.close()
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_many_threads_and_workers_at_once(path: Path) -> None:
    guards: list[Guard] = []

    def work(number: int) -> None:
        opened = Guard.open(path)
        guards.append(opened)
        for ms in range(50):
            opened.note_writer(f"{number}-{ms}@example.vn", ms)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = [guards[0].wrote_last(f"{n}-{ms}@example.vn") for n in range(6) for ms in range(50)]
    for opened in guards:
        opened.close()
    assert None not in known


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_damaged_file_is_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    guard = Guard.open(path)
    guard.note_writer("a@example.vn", 1)
    assert guard.wrote_last("a@example.vn") == 1
    guard.close()
    assert sqlite3.connect(path).execute("SELECT count(*) FROM correspondent").fetchone() == (1,)


def test_a_file_damaged_while_in_use_is_replaced(path: Path) -> None:
    guard = Guard.open(path)
    guard.merge([(f"{number}@example.vn", number) for number in range(5000)])
    guard.close()
    guard = Guard.open(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    assert guard.wrote_last("17@example.vn") is None
    guard.note_writer("17@example.vn", 3)
    assert guard.wrote_last("17@example.vn") == 3
    guard.close()


def test_where_no_file_can_be_the_state_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    guard = Guard.open(tmp_path / "file" / "guard.sqlite")
    guard.note_writer("a@example.vn", 1)
    assert guard.wrote_last("a@example.vn") == 1
    guard.close()


def test_nothing_raises(guard: Guard, path: Path) -> None:
    guard.note_writer("\ud800@example.vn", 1)
    guard.note_writer("a@example.vn", 1 << 80)
    assert guard.wrote_last("\ud800@example.vn") is None
    guard.close()
    guard.note_writer("a@example.vn", 1)
    assert guard.wrote_last("a@example.vn") is None
    assert path.exists(), "a closed guard is no damaged file"


def test_the_ones_silent_for_the_longest_go_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "PRUNE_EVERY", 10)
    guard = Guard(path, correspondents=50, failures=20)
    for number in range(200):
        guard.note_writer(f"{number}@example.vn", number)
        guard.note_failure(f"key {number}", number, DAY_MS)
    known = [number for number in range(200) if guard.wrote_last(f"{number}@example.vn")]
    failed = [number for number in range(200) if guard.failures(f"key {number}", 200, DAY_MS)]
    guard.close()
    assert 40 <= len(known) <= 60
    assert known == list(range(200 - len(known), 200))
    assert 15 <= len(failed) <= 30
