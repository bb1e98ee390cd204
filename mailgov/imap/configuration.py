"""Dovecot's configuration (2.3), made from our settings: what it serves, as whom, and whom it asks.

Dovecot holds no account and no password. It asks the gate (`mailgov.imap.gate`), which answers
from the same directory and by the same rules as submission does, and says where the mailbox is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mailgov.relay.tls import INTERMEDIATE
from mailgov.settings import ImapSettings, Listen, Settings, TlsSettings

GATE_TIMEOUT_MS = 30_000
"""How long Dovecot waits for the gate: a queue of password checks, emptied at about 80 a second."""
GATE_CONNECTIONS = 256
BESIDE_NAME = "|"
"""Stands between a name, the client's IP address and `OVER_TLS` or what else it came over."""
OVER_TLS = "TLS"
LOGIN_PROCESSES = 8
"""Each carries the TLS of up to `LOGIN_CONNECTIONS` sessions; the kernel deals new ones among them."""
LOGIN_CONNECTIONS = 1000
FOLDERS = (
    ("Drafts", "Drafts"),
    ("Sent", "Sent"),
    ("Junk", "Junk"),
    ("Trash", "Trash"),
    ("Archive", "Archive"),
)
"""Folders that every mailbox has, with their special use (RFC 6154), so that all clients use the same."""
MAIN_FILE, GATE_FILE = "dovecot.conf", "gate.conf"
_UNQUOTABLE = '"\\#%'


class PathError(Exception):
    """A path that Dovecot's configuration cannot name; the message is one line."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Where Dovecot asks who signs in; `secret` tells the gate that it is Dovecot who asks."""

    address: Listen
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the system that all of Dovecot runs as."""

    user: str
    group: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Served:
    """What one run of Dovecot serves. `imap` and `imaps` are the sockets' real addresses."""

    settings: ImapSettings
    tls: TlsSettings
    account: Account
    gate: Gate
    folder: Path
    """Holds the files of `configuration`."""
    runtime: Path
    """Dovecot's `base_dir`: short enough for the names of its sockets (sun_path holds 107 octets)."""
    imap: Listen
    imaps: Listen | None


def configuration(served: Served) -> dict[str, str]:
    """The files by name, all of them secrets (0600). Raises PathError."""
    return {MAIN_FILE: _main(served), GATE_FILE: _gate(served.gate)}


def check_paths(settings: Settings) -> None:
    """Raises PathError where a path of the settings cannot be told to Dovecot."""
    for path in (settings.data_dir, settings.tls.certificate, settings.tls.key):
        if path is not None:
            _path(path)


def _main(served: Served) -> str:
    account, imap = served.account, served.settings
    parts = [
        "# Written by `mailgov serve --imap` at each start: changes here are lost.",
        "protocols = imap",
        f'base_dir = "{_path(served.runtime)}"',
        f'state_dir = "{_path(served.runtime)}"',
        "log_path = /dev/stderr",
        "info_log_path = /dev/null",  # one line a sign-in is what the gate writes already
        "log_timestamp =",
        "login_greeting = mailgov ready.",
        f"default_internal_user = {account.user}",
        f"default_internal_group = {account.group}",
        f"default_login_user = {account.user}",
        f"default_client_limit = {LOGIN_PROCESSES * LOGIN_CONNECTIONS + imap.connection_limit}",
        _tls(served.tls),
        _sign_in(served),
        _mail(account),
        _services(served),
    ]
    return "\n".join(parts) + "\n"


def _tls(tls: TlsSettings) -> str:
    assert tls.certificate is not None, "checked before anything starts"
    assert tls.key is not None, "as above"
    return f"""\
ssl = required
ssl_cert = <{_path(tls.certificate)}
ssl_key = <{_path(tls.key)}
ssl_min_protocol = TLSv1.2
ssl_cipher_list = {INTERMEDIATE}
disable_plaintext_auth = yes"""


def _sign_in(served: Served) -> str:
    # The gate is told from where and over what, behind a sign that no name has (auth_username_chars):
    # Dovecot lets a client on its own address sign in over an open line, and the gate does not.
    return f"""\
auth_mechanisms = plain login
auth_username_format = %Lu{BESIDE_NAME}%{{rip}}{BESIDE_NAME}%{{secured}}
auth_cache_size = 0
passdb {{
  driver = oauth2
  mechanisms = plain login
  args = {_path(served.folder / GATE_FILE)}
}}
userdb {{
  driver = prefetch
}}"""


def _mail(account: Account) -> str:
    folders = "\n".join(
        f"  mailbox {name} {{\n    special_use = \\{use}\n    auto = subscribe\n  }}" for name, use in FOLDERS
    )
    # listescape: a folder may be called `1. Công văn đến`, although points part the levels of a Maildir++.
    return f"""\
mail_uid = {account.user}
mail_gid = {account.group}
first_valid_uid = {account.uid}
first_valid_gid = {account.gid}
mail_location = maildir:~
mail_plugins = listescape
mail_save_crlf = yes
namespace inbox {{
  inbox = yes
  separator = /
{folders}
}}"""


def _services(served: Served) -> str:
    imap = served.settings
    return f"""\
protocol imap {{
  mail_max_userip_connections = {imap.account_connection_limit}
  imap_client_workarounds = delay-newmail tb-extra-mailbox-sep tb-lsub-flags
}}
service imap-login {{
  chroot =
{_listener("imap", served.imap)}
{_listener("imaps", served.imaps)}
  service_count = 0
  client_limit = {LOGIN_CONNECTIONS}
  process_limit = {LOGIN_PROCESSES}
  process_min_avail = 1
}}
service imap {{
  client_limit = 1
  process_limit = {imap.connection_limit}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-urlauth-login {{
  chroot =
}}
service stats {{
  chroot =
}}"""


def _listener(name: str, place: Listen | None) -> str:
    if place is None:
        return f"  inet_listener {name} {{\n    port = 0\n  }}"
    tls = "\n    ssl = yes" if name == "imaps" else ""
    return f"  inet_listener {name} {{\n    address = {place.host}\n    port = {place.port}{tls}\n  }}"


def _gate(gate: Gate) -> str:
    """The password goes to the gate as an OAuth 2 password grant (RFC 6749 4.3), which tells the mailbox."""
    return f"""\
grant_url = http://{gate.address}/grant
client_id = dovecot
client_secret = {gate.secret}
use_grant_password = yes
username_attribute = username
pass_attrs = user=%{{oauth2:account}} userdb_home=%{{oauth2:mailbox}}
timeout_msecs = {GATE_TIMEOUT_MS}
max_parallel_connections = {GATE_CONNECTIONS}
"""


def _path(path: Path) -> str:
    text = str(path)
    if not text.isprintable() or any(sign in text for sign in _UNQUOTABLE):
        raise PathError(f"Dovecot cannot be told of the path {text!r}: none of {_UNQUOTABLE} may be in it")
    return text
