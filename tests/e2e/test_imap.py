"""An official reads mail with the program on the desk: real Dovecot, imaplib and mbsync."""

from __future__ import annotations

import email
import email.policy
import imaplib
import os
import re
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.support import messages
from tests.support.mailbox import Mailbox, client_tls, closing_all
from tests.support.processes import descendants, free_port, running, wait_until
from tests.support.programs import needs, program
from tests.support.province import AN, PASSWORD, Province, queue_id_of, running_province

pytestmark = needs("dovecot", "swaks")

GUIDE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
HOST_OF_MX = "127.0.0.1"
HOST = "127.0.0.2"
"""Another address than the client's: Dovecot trusts a client on its own address with an open line."""
HOA, LAN = "hoapt@caobang.gov.vn", "lanvt@caobang.gov.vn"
ODD_PASSWORD = 'mật khẩu 100% + "a&b=c"\\; không đổi'
SOON_S = 8.0
"""A change is followed within 2 s; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A province that serves IMAP, under a folder with a name that people would choose."""
    folder = tmp_path_factory.mktemp("d") / "tỉnh của tôi"
    places = {"listen": f"{HOST}:{free_port(HOST)}", "imaps": f"{HOST}:{free_port(HOST)}"}
    with running_province(folder, {"imap": places}, small=True, options=("--imap",)) as province:
        province.imap, province.imaps = (int(place.rpartition(":")[2]) for place in places.values())
        province.person(HOA, "Phạm Thị Hoa", "SNV")
        province.service.add_account(LAN, ODD_PASSWORD, agency="SNV", class_="cong_chuc")
        wait_until(lambda: all(taken(province, one) for one in (HOA, LAN)), what="the new mailboxes")
        yield province
        assert province.service.stop() == 0


def taken(desk: Province, address: str) -> bool:
    """Whether mail from outside for the address is taken by now."""
    with smtplib.SMTP(HOST_OF_MX, desk.service.mx) as client:
        client.ehlo("client.test")
        client.mail("")
        if client.rcpt(address)[0] == 250:
            return True
    time.sleep(0.2)  # not too often: whoever asks for many unknown names is put off
    return False


Open = Callable[..., Mailbox]


@pytest.fixture
def connect(desk: Province) -> Iterator[Open]:
    tls = client_tls(desk.service.data_dir / "tls" / "certificate.pem")
    with closing_all() as opened:

        def opening(*, starttls: bool = False) -> Mailbox:
            port = desk.imap if starttls else desk.imaps
            opened.append((Mailbox.starttls if starttls else Mailbox.implicit)(HOST, port, tls))
            return opened[-1]

        yield opening


def ledger(desk: Province, statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Ask or tell the ledger behind the service's back."""
    with (
        closing(sqlite3.connect(desk.service.data_dir / "ledger.sqlite", timeout=20)) as connection,
        connection,
    ):
        return connection.execute(statement, values).fetchall()


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_send_receive_read_reply(desk: Province, connect: Open) -> None:
    data = messages.html(AN, HOA, subject="12/GM-SNV mời họp giao ban")
    desk.settled(queue_id_of(desk.submit(data, to=HOA)))
    inbox = connect().sign_in(HOA, PASSWORD)
    inbox.wait_messages(1)
    received = inbox.message(1)
    assert received.endswith(data.partition(b"\r\n\r\n")[2])
    assert "Seen" not in inbox.flags(1)
    message = parsed(received)
    assert message["Subject"] == "12/GM-SNV mời họp giao ban"
    inbox.ok("STORE", "1", "+FLAGS", r"(\Seen \Answered)")

    reply = EmailMessage()
    reply["From"], reply["To"], reply["Subject"] = HOA, AN, "Re: 12/GM-SNV mời họp giao ban"
    reply["In-Reply-To"] = reply["References"] = message["Message-ID"]
    reply.set_content("Kính gửi anh An, tôi sẽ dự họp.")
    octets = reply.as_bytes(policy=email.policy.SMTP)
    inbox.ok("APPEND", "Sent", r"(\Seen)", "", octets)  # type: ignore[arg-type]  # imaplib takes bytes here
    desk.settled(queue_id_of(desk.submit(octets, to=AN, account=HOA)))

    answer = connect(starttls=True).sign_in(AN, PASSWORD)
    answer.wait_messages(1)
    assert parsed(answer.message(1))["In-Reply-To"] == message["Message-ID"]
    again = connect().sign_in(HOA, PASSWORD)  # another session sees what the first one did
    again.wait_messages(1)
    assert {"Seen", "Answered"} <= {
        flag.strip("\\") for flag in again.flags(1).replace("(", " ").replace(")", " ").split()
    }
    again.wait_messages(1, folder="Sent")
    assert again.message(1) == octets


def test_every_mailbox_has_the_folders_that_clients_look_for(connect: Open) -> None:
    folders = connect().sign_in(LAN, ODD_PASSWORD).folders()
    uses = {name: flags.rpartition("\\")[2] for name, flags in folders.items() if name != "INBOX"}
    assert uses == {name: name for name in ("Drafts", "Sent", "Junk", "Trash", "Archive")}


def test_folders_are_named_as_people_number_them(connect: Open) -> None:
    box = connect().sign_in(LAN, ODD_PASSWORD)
    name = "1. C&APQ-ng v&AQM-n/Qu&AP0- I.2026"  # modified UTF-7 (RFC 3501 5.1.3): 1. Công văn/Quý I.2026
    box.ok("CREATE", f'"{name}"')
    box.ok("APPEND", f'"{name}"', "", "", b"Subject: thu\r\n\r\nx\r\n")  # type: ignore[arg-type]  # as above
    assert name in connect().sign_in(LAN, ODD_PASSWORD).folders()
    box.ok("RENAME", f'"{name}"', '"2. C&APQ-ng v&AQM-n.cu"')
    box.wait_messages(1, folder='"2. C&APQ-ng v&AQM-n.cu"')


def test_a_new_message_is_pushed(desk: Province, connect: Open) -> None:
    session = connect().sign_in(LAN, ODD_PASSWORD).session
    assert session.select()[0] == "OK"
    session.send(b"x1 IDLE\r\n")
    assert session.readline().startswith(b"+ ")
    desk.submit(messages.plain(AN, LAN), to=LAN)
    assert session.readline().endswith(b" EXISTS\r\n")
    session.send(b"DONE\r\n")


@needs("mbsync")
def test_mbsync_keeps_a_copy(desk: Province, tmp_path: Path) -> None:
    data = messages.plain(AN, HOA, subject="Lịch công tác tuần")
    desk.settled(queue_id_of(desk.submit(data, to=HOA)))
    copy = tmp_path / "copy"
    copy.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPAccount desk\nHost {HOST}\nPort {desk.imaps}\nUser {HOA}\nPass {PASSWORD}\nSSLType IMAPS\n"
        f'CertificateFile "{desk.service.data_dir}/tls/certificate.pem"\nSystemCertificates no\n\n'
        "IMAPStore far\nAccount desk\n\n"
        f"MaildirStore near\nPath {copy}/\nInbox {copy}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nSyncState *\n",
        encoding="utf-8",
    )
    subprocess.run([program("mbsync"), "--config", str(config), "--all"], check=True, timeout=60)
    kept = [file.read_bytes().replace(b"\r\n", b"\n") for file in copy.glob("INBOX/*/*")]
    body = data.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
    assert sum(message.endswith(body) for message in kept) == 1
    assert (copy / "Sent" / "cur").is_dir()


@needs("curl")
def test_the_commands_of_the_guide(desk: Province) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)
    for said, real in (
        ("127.0.0.1:2993", f"{HOST}:{desk.imaps}"),
        ("127.0.0.1:2143", f"{HOST}:{desk.imap}"),
        (":8025", f":{desk.service.http_port}"),
    ):
        assert said in block
        block = block.replace(said, real)
    notes = desk.service.data_dir / "demo-credentials.txt"
    notes.write_text(f"password: {PASSWORD}\n", encoding="utf-8")
    argv = ["bash", "-c", f"set -eu\n{block}"]
    done = subprocess.run(
        argv, check=False, capture_output=True, cwd=desk.service.folder, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for word in (
        '* LIST (\\HasNoChildren \\Sent) "/" Sent',
        "* SEARCH",
        "<clientConfig",
        "EmailTypeIMAP",
        "<Action>",
    ):
        assert word in done.stdout
    assert done.stdout.count('"/" INBOX') == 2, "over TLS from the start and by STARTTLS"


def test_no_password_goes_over_an_open_line(desk: Province) -> None:
    session = imaplib.IMAP4(HOST, desk.imap, timeout=30)
    assert "LOGINDISABLED" in session.capabilities
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        session.login(AN, PASSWORD)
    session.shutdown()


def test_not_even_on_this_machine(desk: Province) -> None:
    """Dovecot would let a client on its own address in: the gate does not."""
    with socket.create_connection((HOST, desk.imap), timeout=30, source_address=(HOST, 0)) as open_line:
        lines = open_line.makefile("rb")
        assert b"LOGINDISABLED" not in lines.readline()
        open_line.sendall(f'a LOGIN {AN} "{PASSWORD}"\r\n'.encode())
        assert lines.readline() == b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
        lines.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_tls_is_refused(desk: Province) -> None:
    tls = client_tls(desk.service.data_dir / "tls" / "certificate.pem")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Mailbox.implicit(HOST, desk.imaps, tls)


@pytest.mark.parametrize(
    ("name", "password"),
    [(AN.upper(), PASSWORD), ("annv", PASSWORD), (LAN, ODD_PASSWORD)],
    ids=["capitals", "local part", "odd password"],
)
def test_ways_in(connect: Open, name: str, password: str) -> None:
    connect().sign_in(name, password).ok("SELECT")


def test_whoever_is_refused_hears_the_same(desk: Province, connect: Open) -> None:
    """Wrong, nobody's and a first password; the reason is in the log alone."""
    reader = connect().sign_in(HOA, PASSWORD)
    ledger(desk, "UPDATE account SET must_change_password = 1 WHERE address = ?", HOA)
    ledger(desk, "UPDATE directory_state SET revision = revision + 1")
    try:
        wait_until(reader.ended, timeout_s=SOON_S, what="the end of the session")
        tries = [(AN, "x"), ("nobody@caobang.gov.vn", "x"), (HOA, PASSWORD)]
        sessions = [connect() for _ in tries]
        with ThreadPoolExecutor(len(tries)) as threads:  # each is told after two seconds
            said = set(threads.map(lambda session, tried: session.refused(*tried), sessions, tries))
    finally:
        ledger(desk, "UPDATE account SET must_change_password = 0 WHERE address = ?", HOA)
        ledger(desk, "UPDATE directory_state SET revision = revision + 1")
    assert said == {"[AUTHENTICATIONFAILED] Authentication failed."}
    for reason in ("wrong password", "unknown", "first password"):
        assert f'"reason": "{reason}"' in desk.service.log()
    wait_until(lambda: not _is_refused(connect(), HOA), timeout_s=SOON_S, what="the way in again")


def _is_refused(mailbox: Mailbox, name: str) -> bool:
    try:
        mailbox.sign_in(name, PASSWORD)
    except imaplib.IMAP4.error:
        return True
    return False


def test_suspended_is_out_within_seconds_and_stays_out(desk: Province, connect: Open) -> None:
    waiting, other = connect().sign_in(HOA, PASSWORD), connect(starttls=True).sign_in(AN, PASSWORD)
    waiting.ok("SELECT")
    desk.service.cli("account", "disable", HOA, as_json=False).expect()
    wait_until(waiting.ended, timeout_s=SOON_S, what="the end of the session")
    assert "AUTHENTICATIONFAILED" in connect().refused(HOA, PASSWORD)
    assert not other.ended(), "nobody else is put out"
    desk.service.cli("account", "enable", HOA, as_json=False).expect()
    wait_until(lambda: not _is_refused(connect(), HOA), timeout_s=SOON_S, what="the way in again")


def test_a_changed_password_ends_what_the_old_one_opened(desk: Province, connect: Open) -> None:
    waiting, new = connect().sign_in(LAN, ODD_PASSWORD), "Kim-Đồng 15-5-1943"
    desk.service.cli("account", "password", LAN, "--password-stdin", "--permanent", stdin=f"{new}\n").expect()
    wait_until(waiting.ended, timeout_s=SOON_S, what="the end of the session")
    assert "AUTHENTICATIONFAILED" in connect().refused(LAN, ODD_PASSWORD)
    connect().sign_in(LAN, new).ok("SELECT")


def test_sign_ins_and_refusals_reach_the_ledger(desk: Province, connect: Open) -> None:
    def signed_in(protocol: str) -> int:
        query = "SELECT coalesce(sum(count), 0) FROM sign_in WHERE account = ? AND protocol = ?"
        return int(ledger(desk, query, AN, protocol)[0][0])

    def refusals() -> int:
        query = "SELECT coalesce(sum(count), 0) FROM door_counter WHERE listener = 'imap' AND address = ?"
        return int(ledger(desk, query, "127.0.0.1")[0][0])

    before, sent, refused = signed_in("imap"), signed_in("submission"), refusals()
    connect().sign_in(AN, PASSWORD)
    desk.submit(messages.plain(AN, LAN), to=LAN)
    connect().refused(AN, "x")
    wait_until(lambda: signed_in("imap") > before, what="the sign-in to read")
    wait_until(lambda: signed_in("submission") > sent, what="the sign-in to send")
    wait_until(lambda: refusals() > refused, what="the refusal")
    assert desk.service.get("/readyz").status == 200
    assert 'worker="imap"' in desk.service.get("/metrics").text


def test_dovecot_comes_back_when_it_dies_and_ends_with_us(desk: Province, connect: Open) -> None:
    (keeper,) = desk.service.processes("imap")
    (dovecot,) = [
        pid for pid in descendants(keeper) if Path(f"/proc/{pid}/comm").read_text().strip() == "dovecot"
    ]
    os.kill(dovecot, signal.SIGKILL)
    wait_until(lambda: not running(dovecot), what="its end")
    reader = connect().sign_in(AN, PASSWORD)  # waits in the backlog meanwhile
    reader.ok("SELECT")
    reader.close()
    family = descendants(keeper)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not any(running(pid) for pid in family), what="the end of what it started")
    connect().sign_in(AN, PASSWORD).ok("SELECT")
    assert PASSWORD not in desk.service.log()
