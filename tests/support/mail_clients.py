"""Mail programs that people and scripts use: each writes a letter in its own way and signs in to send it.

Each `by_…` returns the message as it was sent where that is known, else None.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import smtplib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.mailbox import client_tls
from tests.support.programs import find_program, program

TIMEOUT_S = 60.0
NODEMAILER = Path(__file__).parent / "nodemailer"


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send, as whom. `implicit`: TLS from the start (RFC 8314), else STARTTLS."""

    port: int
    implicit: bool
    name: str
    """In the certificate, which `authority` is the file of."""
    authority: Path
    account: str
    password: str
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to arrive, whoever sends it."""

    to: str
    subject: str
    text: str
    file_name: str
    file: bytes

    def message(self, sender: str) -> EmailMessage:
        """As Python's own library writes it."""
        message = EmailMessage(policy=SMTPUTF8 if not self.to.isascii() else SMTP)
        message["From"], message["To"], message["Subject"] = sender, self.to, self.subject
        message.set_content(self.text)
        message.add_attachment(self.file, maintype="application", subtype="pdf", filename=self.file_name)
        return message


def by_smtplib(server: Server, letter: Letter, folder: Path) -> bytes | None:
    context = client_tls(server.authority)
    if server.implicit:
        session: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        session = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    with session:
        if not server.implicit:
            session.starttls(context=context)
        session.login(server.account, server.password)
        session.send_message(letter.message(server.account), server.account, [letter.to])
    return None


def by_msmtp(server: Server, letter: Letter, folder: Path) -> bytes | None:
    """Given a message as the sendmail command is."""
    secret = folder / "secret"
    secret.write_text(server.password + "\n", encoding="utf-8")
    options = {
        "host": server.host,
        "port": server.port,
        "domain": "client.test",
        "from": server.account,
        "auth": "plain",
        "user": server.account,
        "passwordeval": f"cat '{secret}'",
        "tls": "on",
        "tls-starttls": "off" if server.implicit else "on",
        "tls-trust-file": server.authority,
        "tls-host-override": server.name,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    message = bytes(letter.message(server.account))
    given = message.replace(b"\r\n", b"\n")
    _run([program("msmtp"), "--file=/dev/null", *words, "--", letter.to], folder, given)
    return message


def by_mutt(server: Server, letter: Letter, folder: Path) -> bytes | None:
    """As somebody at a terminal would, with a file attached."""
    file = folder / letter.file_name
    file.write_bytes(letter.file)
    scheme = "smtps" if server.implicit else "smtp"
    settings = {
        "smtp_url": f"{scheme}://{server.account.replace('@', '%40')}@{server.host}:{server.port}/",
        "smtp_pass": server.password,
        "smtp_authenticators": "plain",
        "ssl_force_tls": "yes",
        "ssl_starttls": "yes",
        "ssl_verify_host": "no",  # reached by address
        "certificate_file": str(server.authority),
        "from": server.account,
        "use_from": "yes",
        "use_envelope_from": "yes",
        "envelope_from_address": server.account,
        "hostname": "client.test",
        "charset": "utf-8",
        "send_charset": "us-ascii:utf-8",
        "copy": "no",
        "record": "",
    }
    lines = [f'set {name}="{value}"\n' for name, value in settings.items()]
    configuration = folder / "muttrc"
    configuration.write_text("".join(lines), encoding="utf-8")
    words = [program("mutt"), "-F", str(configuration), "-n", "-s", letter.subject, "-a", str(file)]
    _run([*words, "--", letter.to], folder, letter.text.encode())
    return None


def by_nodemailer(server: Server, letter: Letter, folder: Path) -> bytes | None:
    transport: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "secure": server.implicit,
        "requireTLS": True,
        "name": "client.test",
        "auth": {"user": server.account, "pass": server.password},
        "tls": {"ca": server.authority.read_text(encoding="ascii"), "servername": server.name},
    }
    content = base64.b64encode(letter.file).decode()
    message = {"from": server.account, "to": letter.to, "subject": letter.subject, "text": letter.text}
    described = {
        "transport": transport,
        "message": {**message, "attachments": [{"filename": letter.file_name, "content": content}]},
    }
    words = [program("node"), str(NODEMAILER / "send.cjs"), str(nodemailer_folder())]
    _run(words, folder, json.dumps(described).encode())
    return None


@cache
def nodemailer_folder() -> Path:
    """The package, installed by its lock file outside the tree; skips where npm cannot get it."""
    npm = find_program("npm")
    if npm is None or find_program("node") is None:
        pytest.skip("not installed: node, npm")
    lock = (NODEMAILER / "package-lock.json").read_bytes()
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache_home / "mailgov-tests" / f"nodemailer-{sha256(lock).hexdigest()[:12]}"
    package = folder / "node_modules" / "nodemailer"
    if not (folder / "whole").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODEMAILER / name, folder)
        words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        try:
            done = subprocess.run(words, check=False, capture_output=True, cwd=folder, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pytest.skip("npm could not get nodemailer from its registry in time")
        if done.returncode != 0:
            pytest.skip(f"npm could not get nodemailer: {done.stderr.decode(errors='replace')[-300:]}")
        (folder / "whole").touch()
    return package


def by_s_client(server: Server, letter: Letter, folder: Path) -> bytes | None:
    """By hand, as an administrator tries a server: all of the session is typed at once."""
    said = base64.b64encode(f"\0{server.account}\0{server.password}".encode()).decode()
    utf8 = "" if letter.to.isascii() else " SMTPUTF8"
    talk = (
        f"EHLO client.test\r\nAUTH PLAIN {said}\r\nMAIL FROM:<{server.account}> BODY=8BITMIME{utf8}\r\n"
        f"RCPT TO:<{letter.to}>\r\nDATA\r\n"
    )
    message = bytes(letter.message(server.account))
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    output = s_client(server, ["-verify_return_error"], talk.encode() + stuffed + b".\r\nQUIT\r\n")
    assert "\n250 2.0.0 Ok: queued as " in output, output
    return message


def s_client(server: Server, options: Sequence[str], said: bytes) -> str:
    """What `openssl s_client` prints, told `said` after its handshake."""
    words = [program("openssl"), "s_client", "-quiet", "-connect", f"{server.host}:{server.port}"]
    words += ["-CAfile", str(server.authority), "-verify_hostname", server.name]
    words += [] if server.implicit else ["-starttls", "smtp", "-name", "client.test"]
    done = subprocess.run([*words, *options], check=False, input=said, capture_output=True, timeout=TIMEOUT_S)
    return (done.stdout + done.stderr).decode("utf-8", "replace").replace("\r", "")


def _run(words: Sequence[str], folder: Path, given: bytes) -> None:
    """Run a client to its end; AssertionError with what it said where it failed."""
    clean = {
        "HOME": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        words, check=False, input=given, capture_output=True, timeout=TIMEOUT_S, cwd=folder, env=clean
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"{words[0]} ended with {done.returncode}:\n{said}"
