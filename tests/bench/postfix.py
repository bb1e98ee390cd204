"""Postfix as a peer: alone, or with a milter that signs and a policy service, on unix sockets throughout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import sasl, signers
from tests.bench.cpu import Group
from tests.bench.signers import Signer
from tests.bench.site import CONCURRENCY, Site
from tests.support.processes import Program, free_port, wait_port, wait_until
from tests.support.programs import find_program, program

# service type wakeup maxproc command; nothing runs in a chroot
SERVICES = """
pickup unix 60 1 pickup
cleanup unix - 0 cleanup
qmgr unix 300 1 qmgr
rewrite unix - - trivial-rewrite
bounce unix - 0 bounce
defer unix - 0 bounce
trace unix - 0 bounce
verify unix - 1 verify
flush unix 1000? 0 flush
proxymap unix - - proxymap
smtp unix - - smtp
relay unix - - smtp
showq unix - - showq
error unix - - error
retry unix - - error
discard unix - - discard
anvil unix - 1 anvil
scache unix - 1 scache
tlsmgr unix 1000? 1 tlsmgr
postlog unix-dgram - 1 postlogd
"""
PUBLIC = {"pickup", "cleanup", "qmgr", "flush", "showq", "postlog"}
SIGNER_NAMES: dict[Signer, str] = {"opendkim": "OpenDKIM", "rspamd": "rspamd"}


@dataclass(frozen=True, slots=True)
class Postfix:
    """A peer; a `signer` brings the policy service with it."""

    site: Site
    signer: Signer | None = None

    @property
    def name(self) -> str:
        if self.signer is None:
            return "Postfix alone"
        return f"Postfix + {SIGNER_NAMES[self.signer]} + policy service"

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        wanted = ["postfix", "dovecot", *([] if self.signer is None else [self.signer])]
        absent = [name for name in wanted if not find_program(name)]
        if absent:
            return f"not installed: {', '.join(absent)}"
        return None if os.geteuid() == 0 else "Postfix starts as root only"

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: Group, submission: bool) -> Iterator[int]:
        """Run it in a fresh `folder` that the account `postfix` may reach; yields the entrance's port."""
        port = free_port()
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("etc", "spool", "data"):
            (folder / part).mkdir(parents=True)
        shutil.chown(folder / "data", "postfix")
        allowed = "permit_sasl_authenticated" if submission else "permit_mynetworks"
        extra = {"smtpd_relay_restrictions": f"{allowed}, reject"}
        with ExitStack() as stack:
            if submission:
                extra |= _sign_in(self.site, sasl.start(self.site, folder, cpu, stack))
            if self.signer is not None:
                extra |= signers.start(self.signer, self.site, folder, cpu, stack)
                policy = _start_policy_service(self.site, folder, cpu, stack)
                extra["smtpd_recipient_restrictions"] = f"{policy}, {allowed}, reject"
            (folder / "etc/main.cf").write_text(_main_cf(folder, sink_port, extra))
            (folder / "etc/master.cf").write_text(_master_cf(port))
            postfix = [program("postfix"), "-c", str(folder / "etc")]
            running = stack.enter_context(
                Program(cpu.command([*postfix, "start-fg"]), log=folder / "postfix.out", env={"LC_ALL": "C"})
            )
            wait_port(port, program=running)
            yield port
            subprocess.run([*postfix, "stop"], check=False, capture_output=True, timeout=30)


def _start_policy_service(site: Site, folder: Path, cpu: Group, stack: ExitStack) -> str:
    """The restriction that asks it."""
    socket = folder / "policy.sock"
    argv = cpu.command([sys.executable, "-m", "tests.bench.policy_service", str(socket), site.domain])
    running = stack.enter_context(Program(argv, log=folder / "policy.out"))
    wait_until(socket.exists, what="the policy service's socket", program=running)
    return f"check_policy_service unix:{socket}"


def _sign_in(site: Site, socket: Path) -> dict[str, str]:
    """As mailgov's submission: AUTH inside TLS alone, and each account as itself alone."""
    return {
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_cert_file": str(site.certificate),
        "smtpd_tls_key_file": str(site.certificate_key),
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": str(socket),
        "smtpd_sender_login_maps": f"inline:{{ {{ {site.account} = {site.account} }} }}",
        "smtpd_sender_restrictions": "reject_sender_login_mismatch",
    }


def _main_cf(folder: Path, sink_port: int, extra: dict[str, str]) -> str:
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": f"{folder}/spool",
        "data_directory": f"{folder}/data",
        "maillog_file": f"{folder}/mail.log",
        "maillog_file_prefixes": str(folder),
        "inet_interfaces": "loopback-only",
        "inet_protocols": "ipv4",
        "myhostname": "relay.test",
        "mydestination": "",
        "alias_maps": "",
        "local_recipient_maps": "",
        "mynetworks": "127.0.0.0/8",
        "relayhost": f"[127.0.0.1]:{sink_port}",
        "smtp_host_lookup": "native",
        "disable_dns_lookups": "yes",
        "smtp_tls_security_level": "none",
        "default_destination_concurrency_limit": str(CONCURRENCY),
        **extra,
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _master_cf(port: int) -> str:
    rows = [f"127.0.0.1:{port} inet n - n - - smtpd"]
    for line in SERVICES.strip().splitlines():
        name, kind, wakeup, limit, command = line.split()
        rows.append(f"{name} {kind} {'n' if name in PUBLIC else '-'} - n {wakeup} {limit} {command}")
    return "\n".join(rows) + "\n"
