"""What breaks below the service: disks that refuse, descriptors that run out, power that goes."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.file_systems import Disk, filled, small_disk
from tests.support.processes import Program, wait_until
from tests.support.programs import needs
from tests.support.province import AN, SCANNER, Province, running_province
from tests.support.sink import Act

LARGE = ("y" * 98 + "\r\n") * 3000
SMALL = "x\r\n"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A small one for the faults that leave no trace."""
    with running_province(tmp_path_factory.mktemp("faults"), small=True) as running:
        yield running


def said(province: Province, to: str | list[str], text: str = SMALL) -> str:
    """What the end of data is answered with: code and enhanced code, or all of it with 250."""
    recipients = [to] if isinstance(to, str) else to
    with smtplib.SMTP("127.0.0.1", province.service.trusted, timeout=30) as session:
        session.ehlo()
        session.mail(SCANNER)
        for recipient in recipients:
            assert session.rcpt(recipient)[0] == 250
        code, answer = session.data(messages.plain(SCANNER, recipients[0], text=text))
    whole = f"{code} {answer.decode()}"
    return whole if code == 250 else whole[:9]


def taken(province: Province, to: str) -> bool:
    """Whether it is taken now."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        return said(province, to).startswith("250")
    return False


def times_arrived(province: Province, to: str) -> int:
    return sum(to in message.recipients for message in province.sink.messages)


@contextlib.contextmanager
def no_sync(province: Province, log: Path) -> Iterator[None]:
    """Every sync of the relay worker ends with EIO inside the block, as on a dying disk."""
    (worker,) = province.service.processes("relay")
    inject = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"]
    with Program(["strace", "-f", "-p", str(worker), *inject], log=log) as strace:
        strace.wait_output("attached")
        yield
        strace.send_signal(signal.SIGINT)  # detaches; the worker goes on
        strace.wait()


@needs("strace")
def test_a_sync_that_fails_is_451_and_never_250(province: Province, tmp_path: Path) -> None:
    kept = [f"before{n}@example.org" for n in range(2)]
    for to in kept:
        assert said(province, to).startswith("250")
    with no_sync(province, tmp_path / "strace"):
        assert said(province, "small@example.org") == "451 4.3.0"
        assert said(province, "large@example.org", LARGE) == "451 4.3.0"
    for to, text in (("after-small@example.org", SMALL), ("after-large@example.org", LARGE)):
        assert said(province, to, text).startswith("250"), "the spool works again without a restart"
        kept.append(to)
    wait_until(lambda: all(times_arrived(province, to) for to in kept), what="what was accepted")
    assert times_arrived(province, "small@example.org") == 0
    assert times_arrived(province, "large@example.org") == 0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(os.geteuid() != 0, reason="another process's limits need root")
def test_without_descriptors_nobody_is_lost_and_nothing_spins(province: Province) -> None:
    (worker,) = province.service.processes("relay")
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    used = {int(entry.name) for entry in Path(f"/proc/{worker}/fd").iterdir()}
    free = [number for number in range(2 * len(used)) if number not in used]
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (free[6], before[1]))  # six more, by their numbers
    try:
        with contextlib.ExitStack() as clients:
            begin_s, began = _cpu_s(worker), time.monotonic()
            heard = []
            for _ in range(15):
                client = socket.create_connection(("127.0.0.1", province.service.mx), timeout=30)
                clients.enter_context(client)
                heard.append(client.recv(4))
            assert heard[0] == b"220 "
            assert heard[-1] in {b"421 ", b""}, "nobody waits for a greeting that does not come"
            time.sleep(1.0)  # what it does with a crowd that stays is the subject
            assert _cpu_s(worker) - begin_s < 0.3 * (time.monotonic() - began), "no loop that spins"
        # They left, and their descriptors came back: the limit stands, and there is service again.
        wait_until(lambda: taken(province, "few@example.org"), what="a place")
    finally:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
    wait_until(lambda: times_arrived(province, "few@example.org"), what="the message")


@needs("prlimit")
@pytest.mark.slow  # a service of its own, started with 128 descriptors
def test_with_few_descriptors_who_comes_too_many_hears_421(tmp_path: Path) -> None:
    settings = {"smtp": {"client_session_limit": 100}}
    with running_province(tmp_path, settings, small=True, prefix=["prlimit", "--nofile=128:128"]) as province:
        with contextlib.ExitStack() as clients:
            heard = []
            for _ in range(60):
                client = socket.create_connection(("127.0.0.1", province.service.mx), timeout=30)
                clients.enter_context(client)
                heard.append(client.recv(4))
            assert set(heard) == {b"220 ", b"421 "}
            assert heard.count(b"220 ") == 32
        wait_until(lambda: taken(province, "few128@example.org"), what="a place")
        wait_until(lambda: times_arrived(province, "few128@example.org"), what="the message")
        # Hosts that hang hold connections out, each a descriptor, and leave enough to take mail with.
        province.sink.on("rcpt", Act.HANG, when=lambda to: to.startswith("hangs"))
        silent = [f"hangs{number}.example" for number in range(120)]
        for domain in silent:
            province.dns.mx(domain, "mx.example.org")
        for at in range(0, 120, 40):
            assert said(province, [f"hangs@{one}" for one in silent[at : at + 40]]).startswith("250")
        wait_until(lambda: hanging(province) >= 32, what="as many connections as there may be")
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", province.service.mx), timeout=30) as client:
                assert client.recv(4) == b"220 "
        assert hanging(province) == 32


def hanging(province: Province) -> int:
    """Deliveries that the sink has not answered."""
    return sum(line.startswith("RCPT TO:<hangs") for line in province.sink.commands)


def test_full_disks_of_ledger_mailboxes_and_log_stop_no_mail(tmp_path: Path) -> None:
    (tmp_path / "serve-1.log").symlink_to(tmp_path / "log" / "serve.log")
    env = {"MAILGOV_DATABASE__URL": f"sqlite:///{tmp_path}/ledger/ledger.sqlite"}
    with (
        small_disk(tmp_path / "log", "256k") as log,
        small_disk(tmp_path / "ledger", "8m") as ledger,
        small_disk(tmp_path / "var" / "mail", "1m") as mail,
        running_province(tmp_path, small=True, env=env) as province,
    ):
        written = len(province.service.log())
        with filled(log), filled(ledger), filled(mail):
            answers = [said(province, [AN, f"full{n}@example.org"], LARGE) for n in range(3)]
            assert all(answer.startswith("250") for answer in answers), answers
            wait_until(
                lambda: all(times_arrived(province, f"full{n}@example.org") for n in range(3)),
                what="the recipients outside",
            )
            # The ledger cannot be written, so nothing is told of them yet.
            assert province.service.get("/readyz").status in {200, 503}
            assert not [file for file in (province.maildir(AN)).rglob("*") if file.is_file()]
        assert len(province.inbox(AN, 3, timeout_s=40)) == 3
        for answer in answers:
            province.settled(answer.rpartition(" ")[2])
        month = province.service.cli("usage").expect().data
        (row,) = [agency for agency in month["agencies"] if agency["agency"] == "SNV"]
        assert (row["sent_messages"], row["recipients"], row["received_messages"]) == (3, 6, 3)
        said(province, "log@example.org")
        wait_until(lambda: len(province.service.log()) > written, what="the log to go on")


@needs("mkfs.ext4")
def test_power_that_goes_takes_nothing_that_was_answered_250(tmp_path: Path) -> None:
    """A copy of the disk below the file system has what was synced and nothing else."""
    disk = Disk(tmp_path)
    disk.make()
    spool = tmp_path / "province" / "var" / "spool"
    with contextlib.ExitStack() as first:
        first.enter_context(disk.mounted(spool))
        province = first.enter_context(running_province(tmp_path / "province", small=True))
        province.sink.on("connect", "421 4.3.2 not yet")
        kept = {f"power{n}@example.org": (SMALL, LARGE)[n % 2] for n in range(12)}
        for to, text in kept.items():
            assert said(province, to, text).startswith("250")
        for pid in province.service.processes("relay"):
            os.kill(pid, signal.SIGSTOP)
        after = disk.snapshot()
        province.service.kill()
        with after.mounted(spool):  # it hides the old one
            province.sink.behave()
            province.service.start()
            wait_until(lambda: all(times_arrived(province, to) for to in kept), what="all that was kept")
            assert {to: times_arrived(province, to) for to in kept} == dict.fromkeys(kept, 1)
            for message in province.sink.messages:
                (to,) = message.recipients
                assert message.body == kept[to].encode()
            province.service.kill()
    shutil.rmtree(tmp_path / "after")
