"""What was answered 250 arrives: after SIGKILL, with fewer workers, with the ledger away."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.campaign.killer import first_220
from tests.support.postgres import running_postgres
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, SCANNER, Province, running_province
from tests.support.sink import Act


def send(province: Province, to: str, *, port: int | None = None, size_bytes: int = 0) -> str:
    """Send as the scanner without signing in, over one connection; the queue id of the 250."""
    data = messages.plain(
        SCANNER, to, text="x" * 70 + "\r\n" if not size_bytes else ("y" * 98 + "\r\n") * (size_bytes // 100)
    )
    with smtplib.SMTP("127.0.0.1", port or province.service.trusted, timeout=30) as session:
        session.ehlo()
        assert session.mail(SCANNER)[0] == 250
        assert session.rcpt(to)[0] == 250
        code, text = session.data(data)
    assert code == 250, text
    return text.decode().rpartition(" ")[2]


def arrived(province: Province) -> dict[str, int]:
    """How often each recipient's message came to the sink."""
    counts: dict[str, int] = {}
    for message in province.sink.messages:
        for recipient in message.recipients:
            counts[recipient] = counts.get(recipient, 0) + 1
    return counts


def wait_arrived(province: Province, wanted: set[str], *, timeout_s: float = 40) -> dict[str, int]:
    wait_until(
        lambda: wanted <= set(arrived(province)), timeout_s=timeout_s, what="all accepted mail at the sink"
    )
    return arrived(province)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_sigkill_right_after_250_loses_nothing(tmp_path: Path, workers: int) -> None:
    with running_province(tmp_path, workers=workers, small=True) as province:
        # The sink takes nothing yet: what was accepted is on disk and nowhere else.
        province.sink.on("connect", "421 4.3.2 not yet")
        wanted = {f"r{n}@example.org" for n in range(12)}
        for number, to in enumerate(sorted(wanted)):
            send(province, to, size_bytes=300_000 if number % 4 == 0 else 0)
        province.service.kill()
        province.sink.behave()
        province.service.start()
        counts = wait_arrived(province, wanted)
    assert {to: counts[to] for to in wanted} == dict.fromkeys(wanted, 1)


def test_a_worker_that_is_killed_comes_back_and_the_door_stays_open(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        province.sink.on("connect", "421 4.3.2 not yet")
        send(province, "before@example.org")
        # Nor does the folder that `serve` was started in lend its files to the new worker.
        (province.service.folder / "mailgov.py").write_text("raise SystemExit('another mailgov')\n")
        (province.service.folder / "ssl.py").write_text("raise SystemExit('another ssl')\n")
        province.service.kill_workers()
        # Connections wait in the supervisor's backlog meanwhile: none is refused.
        send(province, "after@example.org")
        province.sink.behave()
        wait_arrived(province, {"before@example.org", "after@example.org"})


def test_a_damaged_queue_stops_its_worker_alone_and_is_told_once(tmp_path: Path) -> None:
    """Nobody but a person can help: the worker rests meanwhile, and comes back when it was done."""
    with running_province(tmp_path, small=True) as province:
        service = province.service
        send(province, "before@example.org")
        folder = service.data_dir / "spool" / "0"
        with (folder / "spool.sqlite").open("r+b") as file:
            file.write(b"\0" * 4096)  # as a disk that lies loses a page
        (folder / "spool.sqlite-wal").unlink()
        service.kill_workers()
        wait_until(lambda: "worker refuses to start" in service.log(), what="the refusal")
        lines = service.log().splitlines()
        (told,) = (json.loads(line) for line in lines if "worker refuses to start" in line)
        assert (told["worker"], told["again_in_s"]) == ("relay.0", 30.0)
        assert f"the queue in {folder} is damaged: file is not a database; move it away" in told["problem"]
        assert "docs/operations.md" in told["problem"]
        assert service.processes("relay") == []
        assert "Traceback" not in service.log()
        assert service.get("/healthz").status == 200

        folder.rename(service.folder / "damaged")
        service.cli("reload", as_json=False).expect()
        send(province, "after@example.org")
        wait_arrived(province, {"after@example.org"})
        assert service.log().count("worker refuses to start") == 1


@pytest.mark.slow  # as above
def test_fewer_workers_adopt_the_spools_of_those_that_are_gone(tmp_path: Path) -> None:
    with running_province(tmp_path, workers=3, small=True) as province:
        province.sink.on("connect", "421 4.3.2 not yet")
        wanted = {f"r{n}@example.org" for n in range(30)}
        ids = [send(province, to) for to in sorted(wanted)]
        spools = {m["queue_id"]: m for m in province.messages()}
        province.service.stop()
        province.sink.behave()
        province.service.restart(workers=1)
        wait_arrived(province, wanted)
        for queue_id in ids:
            province.settled(queue_id)
        assert len(spools) <= len(ids)


def test_sigterm_ends_in_time_and_loses_nothing(tmp_path: Path) -> None:
    """A hundred sessions are open: idle ones are told to go, one inside DATA may end its message."""
    settings = {"smtp": {"client_session_limit": 200}, "delivery": {"data_timeout_s": 60}}
    with running_province(tmp_path, settings, small=True) as province:
        wanted = {f"r{n}@example.org" for n in range(20)}
        for to in sorted(wanted):
            send(province, to)
        province.sink.on("eod", Act.HANG, times=1, when=lambda text: "hang@example.org" in text)
        send(province, "hang@example.org")
        with ExitStack() as open_sessions:
            idle = [
                open_sessions.enter_context(socket.create_connection(("127.0.0.1", province.service.mx)))
                for _ in range(100)
            ]
            assert all(session.recv(4) == b"220 " for session in idle)
            busy = smtplib.SMTP("127.0.0.1", province.service.trusted, timeout=30)
            open_sessions.callback(busy.close)
            busy.ehlo()
            busy.mail(SCANNER)
            busy.rcpt("busy@example.org")
            assert busy.docmd("DATA")[0] == 354
            begin = time.monotonic()
            province.service.program.send_signal(signal.SIGTERM)
            wait_until(lambda: b"421 4.3.2" in idle[0].recv(1000), what="421 for those who wait")
            busy.send(messages.plain(SCANNER, "busy@example.org", text="x\r\n") + b".\r\n")
            assert busy.getreply()[0] == 250
            assert province.service.program.wait(timeout_s=30) == 0
            assert time.monotonic() - begin < 30
        province.service.start()
        wait_arrived(province, wanted | {"busy@example.org", "hang@example.org"})


@pytest.mark.slow  # it waits for the half minute
def test_sigterm_ends_in_time_where_a_worker_has_stopped_by_itself(tmp_path: Path) -> None:
    """As one does that waits for a disk that does not answer: it hears no signal but the last."""
    with running_province(tmp_path, small=True) as province:
        send(province, "r@example.org")
        (worker,) = province.service.processes("relay")
        os.kill(worker, signal.SIGSTOP)
        begin = time.monotonic()
        province.service.program.send_signal(signal.SIGTERM)
        province.service.program.wait(timeout_s=40)
        assert time.monotonic() - begin < 30
        province.service.start()
        wait_arrived(province, {"r@example.org"})


@pytest.mark.slow  # it waits for the minute; what a ledger out of reach does is in the stories below too
@needs("postgres")
@pytest.mark.limit_s(240)
def test_the_ledger_stopped_for_a_minute_and_the_records_are_complete(tmp_path: Path) -> None:
    with running_postgres() as server:
        url = server.create("mailgov_e2e")
        env = {"MAILGOV_DATABASE__URL": url, "MAILGOV_DATABASE__TIMEOUT_S": "1"}
        with running_province(tmp_path, small=True, env=env) as province:
            first = send(province, "before@example.org")
            province.settled(first)
            server.stop()
            ids = _send_for_a_minute(province)
            assert set(arrived(province)) >= {f"during{n}@example.org" for n in range(len(ids))}
            server.start()
            wait_until(lambda: len(province.messages()) == len(ids) + 1, timeout_s=60, what="all records")
            for queue_id in ids:
                province.settled(queue_id)
            month = province.service.cli("usage").expect().data
            (row,) = [a for a in month["agencies"] if a["agency"] == "SNV"]
            assert row["sent_messages"] == len(ids) + 1


def _send_for_a_minute(province: Province) -> list[str]:
    """One message a second, known by time alone: the minute is the test's subject."""
    ids: list[str] = []
    begin = time.monotonic()
    while (at := time.monotonic() - begin) < 60:
        ids.append(send(province, f"during{len(ids)}@example.org"))
        time.sleep(max(0.0, len(ids) - at))
    wait_arrived(province, {f"during{n}@example.org" for n in range(len(ids))})
    return ids


@pytest.mark.slow  # a restart with everything away: three starts of the service
def test_a_restart_without_the_ledger_knows_its_people(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        send(province, "x@example.org")
        wait_arrived(province, {"x@example.org"})
        province.service.stop()
        ledger = province.service.data_dir / "ledger.sqlite"
        for part in province.service.data_dir.glob("ledger.sqlite*"):
            part.rename(part.with_name(f"away-{part.name}"))
        ledger.mkdir()  # nothing can be opened there
        province.service.start()
        send(province, AN)
        send(province, "y@example.org")
        province.inbox(AN)
        wait_arrived(province, {"y@example.org"})
        with smtplib.SMTP("127.0.0.1", province.service.mx, timeout=30) as session:
            session.ehlo()
            session.mail("a@b.vn")
            assert session.rcpt("nobody@caobang.gov.vn")[0] == 451
        ledger.rmdir()
        for part in province.service.data_dir.glob("away-ledger.sqlite*"):
            part.rename(part.with_name(part.name.removeprefix("away-")))
        wait_until(
            lambda: province.service.get("/readyz").status == 200 and len(province.messages()) == 3,
            timeout_s=40,
            what="the records, once the ledger is back",
        )


def test_a_ledger_that_is_gone_does_not_turn_the_province_into_nobody(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        service = province.service
        service.stop()
        ledger = service.data_dir / "ledger.sqlite"
        away = tmp_path / "ledger.away"
        ledger.rename(away)

        service.start()
        send(province, AN)
        province.inbox(AN)
        asked = service.cli("queue", "list", as_json=False)

        assert asked.status == 1
        assert "ledger" in asked.stderr
        assert not ledger.exists(), "nobody makes an empty ledger"
        assert service.get("/readyz").status == 503
        away.rename(ledger)
        wait_until(lambda: len(province.messages()) == 1, timeout_s=40, what="the record")


def test_an_empty_ledger_is_not_filled_and_mail_is_taken(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        service = province.service
        service.stop()
        ledger, away = service.data_dir / "ledger.sqlite", tmp_path / "ledger.away"
        ledger.rename(away)
        ledger.touch(mode=0o600)

        service.start()
        send(province, AN)
        province.inbox(AN)
        assert "the ledger is empty" in service.log()
        away.rename(ledger)
        wait_until(lambda: len(province.messages()) == 1, timeout_s=40, what="the record")


@pytest.mark.slow  # as above
def test_a_ledger_moved_away_and_back_while_running_loses_no_record(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        service = province.service
        province.settled(send(province, AN))
        for part in service.data_dir.glob("ledger.sqlite*"):
            part.rename(tmp_path / part.name)
        wait_until(lambda: service.get("/readyz").status == 503, what="the missing ledger to be noticed")
        ids = [send(province, AN) for _ in range(3)]
        province.inbox(AN, 4)
        for part in tmp_path.glob("ledger.sqlite*"):
            part.rename(service.data_dir / part.name)
        for queue_id in ids:
            province.settled(queue_id)
        assert len(province.messages()) == 4


def test_a_disabled_domain_is_nobodys(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        service = province.service
        service.cli("domain", "add", "cu.gov.vn", "--postmaster", AN, as_json=False).expect()
        province.person("lan@cu.gov.vn", "Lan", "SNV")

        def code(to: str) -> int:
            with smtplib.SMTP("127.0.0.1", service.trusted, timeout=30) as session:
                session.ehlo()
                session.mail(SCANNER)
                return session.rcpt(to)[0]

        wait_until(lambda: len(service.log()) > 0 and code("lan@cu.gov.vn") == 250, what="the new domain")
        service.cli("domain", "disable", "cu.gov.vn", as_json=False).expect()
        wait_until(lambda: code("lan@cu.gov.vn") == 550, what="the disabled domain")
        assert province.sink.messages == []


def test_serve_starts_while_somebody_holds_the_ledgers_lock(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        province.service.stop()
        with closing(sqlite3.connect(province.service.data_dir / "ledger.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(1) as thread:
                greeted = thread.submit(first_220, province.service.mx)
                province.service.start(timeout_s=30)
                assert time.monotonic() - greeted.result() > 3, "mail from outside waits for no ledger (5 s)"
            queue_id = send(province, AN)
            assert province.inbox(AN)
            other.rollback()
        province.settled(queue_id)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_says_452_and_drains_by_itself(tmp_path: Path) -> None:
    spool = tmp_path / "var" / "spool"
    spool.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", spool], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no mounting here: {mounted.stderr.strip()}")
    try:
        with running_province(tmp_path, small=True) as province:
            province.sink.on("connect", "421 4.3.2 not yet")
            kept, refused = fill(province)
            assert kept
            assert set(refused) == {"452 4.3.1"}
            province.sink.behave()
            wait_arrived(province, kept)
            wait_until(lambda: fill(province, count=1)[0], what="new mail to be taken again")
    finally:
        subprocess.run(["umount", "-l", spool], check=True)


def fill(province: Province, count: int = 200) -> tuple[set[str], list[str]]:
    """Send until ten were refused: the recipients of what was kept, and how the others were refused."""
    kept: set[str] = set()
    refused: list[str] = []
    with smtplib.SMTP("127.0.0.1", province.service.trusted, timeout=30) as session:
        session.ehlo()
        for number in range(count):
            to, size = f"f{number}@example.org", (60_000, 300_000, 5_000)[number % 3]
            code, text = session.mail(SCANNER)
            if code == 250:
                session.rcpt(to)
                code, text = session.data(
                    messages.plain(SCANNER, to, text=("y" * 98 + "\r\n") * (size // 100))
                )
            if code == 250:
                kept.add(to)
            else:
                refused.append(f"{code} {text.decode()[:5]}")
                session.rset()
            if len(refused) == 10:
                break
    return kept, refused


POISON = """
import sys
if "mailgov.child" in sys.orig_argv:
    import os
    from mailgov.relay import mailbox
    deliver = mailbox.deliver
    def dies(maildir, content, **more):
        if b"POISON" in content.head:
            os.abort()
        return deliver(maildir, content, **more)
    mailbox.deliver = dies
"""
"""A parser that brings the process down, in the workers alone."""


@pytest.mark.slow  # the worker dies three times, each time after a longer rest
def test_a_message_that_kills_the_worker_is_set_aside_and_the_rest_flows(tmp_path: Path) -> None:
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    settings = {"spool": {"set_aside_after": 3}}
    env = {"PYTHONPATH": str(tmp_path / "poison")}
    with running_province(tmp_path, settings, small=True, env=env) as province:
        # It is kept, and may be attempted, and so kill, before its 250 has left.
        with (
            suppress(smtplib.SMTPServerDisconnected),
            province.service.smtp(province.service.trusted) as session,
        ):
            session.ehlo()
            session.sendmail(SCANNER, [AN], messages.plain(SCANNER, AN, subject="POISON"))
        wanted = {f"r{n}@example.org" for n in range(5)}

        def sent(to: str) -> bool:
            with suppress(OSError, smtplib.SMTPException):
                return bool(send(province, to))
            return False

        for to in sorted(wanted):
            wait_until(partial(sent, to), timeout_s=30, what="a worker that takes mail")
        wait_arrived(province, wanted)
        wait_until(
            lambda: [m for m in province.messages() if m["recipients"][0]["state"] == "held"],
            timeout_s=60,
            what="the poison to be set aside",
        )
        (held,) = [m for m in province.messages() if m["recipients"][0]["state"] == "held"]
        assert "Set aside" in held["recipients"][0]["last_reply"]
        pids = province.service.processes("relay")
        send(province, AN)
        assert len(province.inbox(AN)) == 1
        assert province.service.processes("relay") == pids, "nobody dies any more"


@pytest.mark.slow  # the minute is the subject
def test_the_ledger_locked_for_a_minute_and_the_figures_catch_up(tmp_path: Path) -> None:
    with running_province(tmp_path, small=True) as province:
        with closing(sqlite3.connect(province.service.data_dir / "ledger.sqlite")) as other:
            other.execute("BEGIN EXCLUSIVE")
            ids = _send_for_a_minute(province)
            other.rollback()
        for queue_id in ids:
            province.settled(queue_id)
        month = province.service.cli("usage").expect().data
        (row,) = [a for a in month["agencies"] if a["agency"] == "SNV"]
        assert (row["sent_messages"], row["recipients"]) == (len(ids), len(ids))
