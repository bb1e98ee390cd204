"""A mailbox as its holder sees it: imaplib with the server's certificate checked, over TLS."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.processes import wait_until

SPECIAL = re.compile(r'\((?P<flags>[^)]*)\) "/" (?P<name>"[^"]*"|\S+)')


def client_tls(certificate: Path) -> ssl.SSLContext:
    """A client that believes this certificate alone; it is reached by address, so names are not checked."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    return context


class Mailbox:
    """One IMAP session; every command is expected to be answered OK."""

    def __init__(self, session: imaplib.IMAP4) -> None:
        self.session = session

    @classmethod
    def implicit(cls, host: str, port: int, tls: ssl.SSLContext) -> Mailbox:
        """TLS from the start (imaps)."""
        return cls(imaplib.IMAP4_SSL(host, port, ssl_context=tls, timeout=30))

    @classmethod
    def starttls(cls, host: str, port: int, tls: ssl.SSLContext) -> Mailbox:
        session = imaplib.IMAP4(host, port, timeout=30)
        assert session.starttls(tls)[0] == "OK"
        return cls(session)

    def sign_in(self, name: str, password: str) -> Mailbox:
        """Itself. Raises imaplib.IMAP4.error with what the server says."""
        self.session.authenticate("PLAIN", lambda _: f"\0{name}\0{password}".encode())
        return self

    def refused(self, name: str, password: str) -> str:
        """What the server says to a sign-in that fails."""
        try:
            self.sign_in(name, password)
        except imaplib.IMAP4.error as error:
            return str(error)
        raise AssertionError(f"{name} is in")

    def ok(self, command: str, *words: str) -> list[bytes]:
        """A command's data; UID commands too: `ok("UID", "FETCH", …)`."""
        done = getattr(self.session, command.lower())(*words)
        assert done[0] == "OK", done
        return [part for part in done[1] if isinstance(part, bytes)]

    def wait_messages(self, count: int, *, folder: str = "INBOX", timeout_s: float = 20) -> None:
        """Return once the folder, now selected, holds that many messages."""
        wait_until(
            lambda: int(self.ok("SELECT", folder)[0]) >= count,
            timeout_s=timeout_s,
            what=f"message {count} in {folder}",
        )

    def message(self, number: int) -> bytes:
        """A message's bytes, without marking it as read."""
        status, data = self.session.fetch(str(number), "(BODY.PEEK[])")
        assert status == "OK"
        assert isinstance(data[0], tuple), data
        return bytes(data[0][1])

    def flags(self, number: int) -> str:
        return self.ok("FETCH", str(number), "(FLAGS)")[0].decode()

    def folders(self) -> dict[str, str]:
        """The folders with their flags."""
        found = {}
        for line in self.ok("LIST"):
            listed = SPECIAL.match(line.decode())
            assert listed is not None, line
            found[listed["name"].strip('"')] = listed["flags"]
        return found

    def ended(self) -> bool:
        """True once the server has closed the session; asks it nothing new after that."""
        try:
            self.session.noop()
        except (imaplib.IMAP4.abort, OSError):
            return True
        return False

    def close(self) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self.session.logout()
        with suppress(OSError):
            self.session.shutdown()


@contextmanager
def closing_all() -> Iterator[list[Mailbox]]:
    """Sessions put into the list are closed when the block is left."""
    opened: list[Mailbox] = []
    try:
        yield opened
    finally:
        for mailbox in opened:
            mailbox.close()
