"""Dovecot as a mailbox store that takes mail by LMTP alone, over TCP and a Unix socket. Needs its package."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import Program, free_port, wait_port
from tests.support.programs import program

MODULE = Path("/usr/lib/dovecot/lmtp")
NEEDED = pytest.mark.skipif(not MODULE.exists(), reason="not installed: dovecot-lmtpd")
_CONFIGURATION = """
protocols = lmtp
base_dir = {folder}/run
state_dir = {folder}/run
log_path = /dev/stderr
ssl = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_location = maildir:{folder}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service anvil {{
  chroot =
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0600
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class LmtpStore:
    """`socket` and `address` lead to the same mailboxes."""

    folder: Path
    port: int

    @property
    def socket(self) -> Path:
        return self.folder / "lmtp"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def inbox(self, account: str) -> list[bytes]:
        """The messages in an account's inbox, as Dovecot wrote them."""
        new = self.folder / "mail" / account / "new"
        return [file.read_bytes() for file in new.iterdir()] if new.is_dir() else []


@contextmanager
def running_store(accounts: Sequence[str], *, full: Sequence[str] = ()) -> Iterator[LmtpStore]:
    """Dovecot with these mailboxes; the `full` ones have no room for any message."""
    as_root = os.geteuid() == 0
    # Short, for a Unix socket's name, and outside of the tests' own folders, where `nobody` cannot go.
    folder = Path(tempfile.mkdtemp(prefix="lmtp"))
    try:
        folder.chmod(0o755)
        mail = folder / "mail"
        mail.mkdir()
        user, group = ("nobody", "nogroup") if as_root else (str(os.getuid()), str(os.getgid()))
        if as_root:
            shutil.chown(mail, user, group)
        lines = [f"{account}:::::::" for account in accounts]
        lines += [f"{account}:::::::userdb_quota_rule=*:bytes=10" for account in full]
        (folder / "users").write_text("\n".join(lines) + "\n")
        store = LmtpStore(folder, free_port())
        file = folder / "dovecot.conf"
        file.write_text(_CONFIGURATION.format(folder=folder, user=user, group=group, port=store.port))
        argv = [program("dovecot"), "-F", "-c", str(file)]
        with Program(argv, log=folder / "log") as running:
            wait_port(store.port, program=running)
            yield store
    finally:
        shutil.rmtree(folder, ignore_errors=True)
