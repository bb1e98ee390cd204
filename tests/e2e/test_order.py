"""The order of things on disk: data synced, name synced, transaction synced, and only then 250."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

from tests.support import messages
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, SCANNER, running_province

MAILDIR = "/mail/" + "/".join(reversed(AN.split("@")))
OUTCOME = "Delivered to mailbox"
MARK = "12-GM-SNV-dau-vet"
"""What tells a message's own page from those of an outcome that is written meanwhile."""


def calls(trace: Path) -> list[tuple[str, str]]:
    """(name, arguments and result) of each traced call, in the order of their ends."""
    found = []
    begun: dict[str, tuple[str, str]] = {}
    for line in lines(trace):
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            name, _, arguments = rest.removesuffix("<unfinished ...>").partition("(")
            begun[pid] = (name, arguments)
        elif rest.startswith("<... ") and " resumed>" in rest:
            name, arguments = begun.pop(pid, ("?", ""))
            found.append((name, arguments + rest.partition(" resumed>")[2]))
        else:
            name, parenthesis, arguments = rest.partition("(")
            if parenthesis:
                found.append((name, arguments))
    return found


def lines(trace: Path) -> list[str]:
    return trace.read_text(errors="replace").splitlines()


def place(found: list[tuple[str, str]], name: str, pattern: str, *, after: int = -1) -> int:
    """Where a call stands whose arguments match, after another; AssertionError when nowhere."""
    for at, (called, arguments) in enumerate(found):
        if at > after and re.fullmatch(name, called) and re.search(pattern, arguments):
            return at
    raise AssertionError(f"no {name} with {pattern!r} after call {after}")


@needs("strace")
def test_data_name_and_transaction_are_synced_before_250_leaves(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    wanted = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg,writev"
    prefix = ["strace", "-f", "-y", "-s", "5000", "-o", str(trace), "-e", f"trace={wanted}"]
    with running_province(tmp_path, small=True, prefix=prefix) as province:
        with smtplib.SMTP("127.0.0.1", province.service.trusted, timeout=60) as session:
            session.ehlo()
            large = messages.plain(SCANNER, AN, text=("y" * 98 + "\r\n") * 5000)
            session.sendmail(SCANNER, [AN], large)
            small = messages.plain(SCANNER, AN, subject=MARK)
            session.sendmail(SCANNER, [AN], small)
        province.inbox(AN, 2)
        wait_until(lambda: trace.read_text(errors="replace").count("Ok: queued as") >= 2, what="the trace")
        wait_until(
            lambda: any(OUTCOME in line and "-wal>" in line for line in lines(trace)), what="an outcome"
        )
        found = calls(trace)

    # A large body: its file, then the name of it, then the transaction, then 250.
    data = place(found, "fsync", r"/spool/0/incoming/\w{18}>")
    renamed = place(found, "rename(at2?)?", r"/spool/0/bodies/\w{18}", after=data)
    name = place(found, "fsync", r"/spool/0/bodies>", after=renamed)
    commit = place(found, "fdatasync|fsync", r"/spool/0/spool\.sqlite-wal>", after=name)
    said = place(found, "write|sendto|sendmsg|writev", r"250 2\.0\.0 Ok: queued as", after=-1)
    assert data < renamed < name < commit < said
    # Its way into the mailbox: the file, the name, the name's own durability, and only then the outcome.
    filed = place(found, "fsync", rf"{MAILDIR}/tmp/", after=name)
    named = place(found, "rename(at2?)?", rf"{MAILDIR}/tmp/.*{MAILDIR}/new/", after=filed)
    synced = place(found, "fsync", rf"{MAILDIR}/new>", after=named)
    told = place(found, "pwrite64", rf"/spool/0/spool\.sqlite-wal>.*{OUTCOME}")
    assert filed < named < synced < told
    # A small one: its own bytes go into the log, which is synced, then 250.
    written = place(found, "pwrite64", rf"/spool/0/spool\.sqlite-wal>.*{MARK}", after=said)
    commit = place(found, "fdatasync|fsync", r"/spool/0/spool\.sqlite-wal>", after=written)
    said = place(found, "write|sendto|sendmsg|writev", r"250 2\.0\.0 Ok: queued as", after=said)
    assert written < commit < said
