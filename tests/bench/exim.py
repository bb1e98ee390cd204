"""Exim as a peer, signing itself.

Debian's package conflicts with Postfix's, so it is unpacked, not installed. It trusts a configuration
only if `/etc/exim4` says so, and runs as an account of its own: it sees a copy of `/etc` that has both,
in a mount namespace, and the machine's own stays as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cpu import Group
from tests.bench.site import SELECTOR, Site
from tests.support.processes import Program, free_port, wait_port
from tests.support.programs import find_program, program

PACKAGE = "exim4-daemon-light"
ACCOUNT, ACCOUNT_ID = "Debian-exim", 64_871
_ENTER = 'mount --bind "$0" /etc && exec "$@"'


@dataclass(frozen=True, slots=True)
class Exim:
    """A peer; the package is fetched into `store` when it is first asked for."""

    site: Site
    store: Path
    dsn: bool = True
    """Whether it says that it knows DSN, which as shipped it does not."""

    @property
    def name(self) -> str:
        return "Exim with DKIM"

    @property
    def _binary(self) -> Path:
        return self.store / "usr/sbin/exim4"

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        if os.geteuid() != 0:
            return "Exim starts as root only"
        if absent := [name for name in ("apt-get", "dpkg", "unshare") if not find_program(name)]:
            return f"not installed: {', '.join(absent)}"
        if not self._binary.exists() and (fault := self._fetch()):
            return fault
        linked = _said(["ldd", str(self._binary)])
        lacking = [line.split()[0] for line in linked.splitlines() if "not found" in line]
        return f"{PACKAGE} lacks {', '.join(lacking)}" if lacking else None

    def _fetch(self) -> str | None:
        """Unpack Debian's package; says what went wrong."""
        self.store.mkdir(parents=True, exist_ok=True)
        apt = program("apt-get")
        fetch = f"{apt} download -qq {PACKAGE} || {{ {apt} update -qq && {apt} download -qq {PACKAGE}; }}"
        try:
            subprocess.run(
                ["/bin/sh", "-c", fetch], cwd=self.store, check=True, capture_output=True, timeout=300
            )
            package = max(self.store.glob(f"{PACKAGE}_*.deb"))
            subprocess.run([program("dpkg"), "-x", str(package), str(self.store)], check=True, timeout=60)
        except (subprocess.SubprocessError, ValueError) as error:
            return f"apt-get could not download {PACKAGE}: {type(error).__name__}"
        return None

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: Group, submission: bool) -> Iterator[int]:
        """Run it in a fresh `folder`; yields the entrance's port."""
        port = free_port()
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("spool", "log"):
            (folder / part).mkdir(parents=True)
            os.chown(folder / part, ACCOUNT_ID, ACCOUNT_ID)
        for source, name in ((self.site.key, "dkim.pem"), (self.site.certificate_key, "tls.pem")):
            shutil.copy(source, folder / name)
            os.chown(folder / name, ACCOUNT_ID, ACCOUNT_ID)
        configuration = folder / "exim.conf"
        configuration.write_text(self._configuration(folder, port, sink_port, submission))
        etc = _own_etc(folder / "etc", configuration)
        argv = [program("unshare"), "--mount", "/bin/sh", "-c", _ENTER, str(etc)]
        argv += [str(self._binary), "-C", str(configuration), "-bdf", "-q10s"]
        with Program(cpu.command(argv), log=folder / "out") as running:
            wait_port(port, program=running)
            yield port

    def _configuration(self, folder: Path, port: int, sink_port: int, submission: bool) -> str:
        site = self.site
        entrance = f"tls_advertise_hosts =\nacl_smtp_rcpt = trusted\ndaemon_smtp_ports = {port}\n"
        authenticators = ""
        if submission:
            entrance = (
                f"tls_advertise_hosts = *\ntls_certificate = {site.certificate}\n"
                f"tls_privatekey = {folder}/tls.pem\nauth_advertise_hosts = ${{if def:tls_in_cipher{{*}}}}\n"
                f"acl_smtp_rcpt = signed_in\ndaemon_smtp_ports = {port}\n"
            )
            authenticators = (
                "begin authenticators\nplain:\n  driver = plaintext\n  public_name = PLAIN\n"
                f"  server_condition = ${{if and{{{{eq{{$auth2}}{{{site.account}}}}}"
                f"{{eq{{$auth3}}{{{site.password}}}}}}}}}\n  server_set_id = $auth2\n"
            )
        return f"""
exim_path = {self._binary}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
primary_hostname = relay.test
local_interfaces = 127.0.0.1
keep_environment =
split_spool_directory = true
smtp_accept_max = 200
smtp_accept_max_per_connection = 100000
smtp_accept_queue_per_connection = 100000
rfc1413_query_timeout = 0s
acl_smtp_data = accept
{"dsn_advertise_hosts = *" if self.dsn else ""}
{entrance}
begin acl
trusted:
  accept hosts = 127.0.0.1
signed_in:
  accept authenticated = *
         condition = ${{if eq{{$sender_address}}{{$authenticated_id}}}}
begin routers
out:
  driver = manualroute
  domains = *
  transport = sink
  route_list = * 127.0.0.1 byname
  self = send
begin transports
sink:
  driver = smtp
  port = {sink_port}
  allow_localhost
  hosts_avoid_tls = *
  dkim_domain = {site.domain}
  dkim_selector = {SELECTOR}
  dkim_private_key = {folder}/dkim.pem
  dkim_canon = relaxed
begin retry
* * F,2h,1m
{authenticators}"""


def _own_etc(etc: Path, configuration: Path) -> Path:
    """A copy of /etc with Exim's account, which trusts `configuration`."""
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    with (etc / "passwd").open("a") as passwd, (etc / "group").open("a") as groups:
        passwd.write(f"{ACCOUNT}:x:{ACCOUNT_ID}:{ACCOUNT_ID}::/nonexistent:/usr/sbin/nologin\n")
        groups.write(f"{ACCOUNT}:x:{ACCOUNT_ID}:\n")
    (etc / "exim4").mkdir(exist_ok=True)
    (etc / "exim4/trusted_configs").write_text(f"{configuration}\n")
    return etc


def _said(argv: list[str]) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout
