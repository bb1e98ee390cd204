"""Dovecot as this machine has it: its programs, and the account that it runs as.

`python -m mailgov.imap.programs` says whether `serve --imap` can be: 0, or 1 and why not.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mailgov.imap.configuration import Account

REMEDY = "apt-get install dovecot-imapd, then systemctl disable --now dovecot (mailgov starts its own)"
LIBRARIES = ("/usr/lib/dovecot", "/usr/libexec/dovecot")
VERSION = "2.3."
"""Dovecot 2.4 reads another language of settings."""
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
ROOTS_STAND_IN = "dovecot"
"""Debian's account for Dovecot: it refuses to serve mail as root."""
_CAPABILITIES = "-all,+dac_override,+fowner"


class ImapUnavailable(Exception):
    """IMAP cannot be served on this machine; the message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Absolute paths. `prefix` is put before Dovecot's command line; `account` is whom it then is."""

    dovecot: str
    doveadm: str
    prefix: tuple[str, ...]
    account: Account


def find_programs() -> Programs:
    """Raises ImapUnavailable where Dovecot is missing or of another version."""
    dovecot, doveadm = _program("dovecot"), _program("doveadm")
    if not any((Path(folder) / "imap").exists() for folder in LIBRARIES):
        raise ImapUnavailable(f"Dovecot is here, but not its IMAP: {REMEDY}")
    argv = [dovecot, "--version"]
    said = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30).stdout  # noqa: S603 - ours
    if not said.startswith(VERSION):
        raise ImapUnavailable(f"IMAP needs Dovecot {VERSION}x, and this is {said.strip() or 'none'}")
    return Programs(dovecot, doveadm, *_run_as(_program("setpriv")))


def _program(name: str) -> str:
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise ImapUnavailable(f"IMAP needs {name}: {REMEDY}")
    return found


def _run_as(setpriv: str) -> tuple[tuple[str, ...], Account]:
    """How Dovecot is started so that it ends with us: as ourselves, or for root as its own account.

    Mailboxes belong to whoever runs the relay. Root's are opened by two capabilities that
    Dovecot's account is given, which must outlive its look at what its real user may (access(2)).
    """
    ends_with_us = (setpriv, "--pdeathsig", "TERM")
    if os.geteuid() != 0:
        return ends_with_us, _account(pwd.getpwuid(os.geteuid()))
    try:
        account = _account(pwd.getpwnam(ROOTS_STAND_IN))
    except KeyError:
        raise ImapUnavailable(
            f"no account {ROOTS_STAND_IN!r} for Dovecot to run as in root's place"
        ) from None
    caps = [f"--{which}={_CAPABILITIES}" for which in ("inh-caps", "ambient-caps", "bounding-set")]
    as_account = ["--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups"]
    return (*ends_with_us, *as_account, "--securebits=+no_setuid_fixup", *caps), account


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name, entry.pw_uid, entry.pw_gid)


if __name__ == "__main__":
    try:
        find_programs()
    except ImapUnavailable as missing:
        sys.exit(f"reading mail stays off: {missing}")
