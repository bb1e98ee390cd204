"""In service nobody is root: relay, gate and Dovecot run as one ordinary account."""

from __future__ import annotations

import os
import pwd
import shutil
import smtplib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailgov
from tests.support import messages
from tests.support.mailbox import Mailbox, client_tls
from tests.support.mailgov_service import Service
from tests.support.processes import Program, descendants
from tests.support.programs import needs, program

ACCOUNT = "nobody"
AN, PASSWORD = "annv@caobang.gov.vn", "Ban-do-1945-Cao-Bang"
RUNS_ITSELF = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import mailgov.cli'], check=True)"
)
"""As the supervisor does with its workers."""
PACKAGES = Path(mailgov.__file__).parents[1]


def usable_python() -> str | None:
    """An interpreter that the account may run with our packages, which may lie in root's own folder."""
    if os.geteuid() != 0:
        return None
    for candidate in (sys.executable, "/usr/bin/python3"):
        if Path(candidate).exists() and _as_account(candidate, RUNS_ITSELF).returncode == 0:
            return candidate
    return None


def _as_account(python: str, code: str) -> subprocess.CompletedProcess[bytes]:
    argv = [*_become(), python, "-c", code]
    return subprocess.run(argv, check=False, capture_output=True, env=_environment(), cwd="/", timeout=60)


def _become() -> list[str]:
    entry = pwd.getpwnam(ACCOUNT)
    words = [program("setpriv"), f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return [*words, "--inh-caps=-all"]


def _environment() -> dict[str, str]:
    site = [path for path in sys.path if path.endswith("site-packages")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGES), *site])}


@pytest.fixture
def python() -> str:
    found = usable_python()
    if found is None:
        pytest.skip(f"no interpreter that the account {ACCOUNT} may run with these packages")
    return found


@pytest.fixture
def service(python: str) -> Iterator[Service]:
    """A province whose files are the account's own, in a folder that it can reach."""
    folder = Path(tempfile.mkdtemp(prefix="mailgov-"))
    made = Service(folder / "p")
    try:
        made.init()
        made.add_account(AN, PASSWORD)
        entry = pwd.getpwnam(ACCOUNT)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid)
        yield made
    finally:
        shutil.rmtree(folder)


@needs("dovecot", "setpriv")
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary account runs all tests already")
def test_an_ordinary_account_serves_it_all(python: str, service: Service) -> None:
    serve = ["-c", "from mailgov.cli import main; main()", "serve", "--imap"]
    env = {**service.env, "PYTHONPATH": _environment()["PYTHONPATH"]}
    log = service.folder.parent / "log"
    with Program([*_become(), python, *serve], log=log, env=env, cwd=service.folder) as running:
        running.wait_output("mailgov is ready", timeout_s=60)
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in [running.pid, *descendants(running.pid)]}
        assert owners == {pwd.getpwnam(ACCOUNT).pw_uid}
        with smtplib.SMTP("127.0.0.1", service.submission, timeout=30) as session:
            tls = client_tls(service.data_dir / "tls" / "certificate.pem")
            session.starttls(context=tls)
            session.login(AN, PASSWORD)
            session.sendmail(AN, [AN], messages.plain(AN, AN))
        inbox = Mailbox.implicit("127.0.0.1", service.imaps, tls).sign_in(AN, PASSWORD)
        inbox.wait_messages(1)
        inbox.ok("STORE", "1", "+FLAGS", r"(\Seen)")
        inbox.close()
        assert running.stop() == 0
        assert not list((service.data_dir / "imap").glob("run-*"))
