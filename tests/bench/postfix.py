"""The peers: Postfix alone, and Postfix with OpenDKIM and a policy service, on unix sockets throughout.

A milter on a TCP socket would slow Postfix down many times over and make the comparison unfair.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cpu import Group
from tests.support.processes import Program, free_port, wait_port, wait_until
from tests.support.programs import find_program, program

CONCURRENCY = 100  # Postfix's default of 20 deliveries at once to a destination is slower here

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


@dataclass(frozen=True, slots=True)
class Postfix:
    """A peer; `full` adds DKIM with OpenDKIM and a policy service."""

    full: bool
    domain: str
    key: Path
    """The RSA-2048 key that OpenDKIM signs with."""

    @property
    def name(self) -> str:
        return "Postfix + OpenDKIM + policy service" if self.full else "Postfix alone"

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        wanted = ["postfix", "opendkim"] if self.full else ["postfix"]
        absent = [name for name in wanted if not find_program(name)]
        if absent:
            return f"not installed: {', '.join(absent)}"
        return None if os.geteuid() == 0 else "Postfix starts as root only"

    @contextmanager
    def running(self, folder: Path, sink_port: int, cpu: Group) -> Iterator[int]:
        """Run it in a fresh `folder` that the account `postfix` may reach; yields the entrance's port."""
        port = free_port()
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("etc", "spool", "data"):
            (folder / part).mkdir(parents=True)
        shutil.chown(folder / "data", "postfix")
        extra: dict[str, str] = {}
        with ExitStack() as stack:
            if self.full:
                extra |= self._start_opendkim(folder, cpu, stack)
                extra |= self._start_policy_service(folder, cpu, stack)
            (folder / "etc/main.cf").write_text(_main_cf(folder, sink_port, extra))
            (folder / "etc/master.cf").write_text(_master_cf(port))
            postfix = [program("postfix"), "-c", str(folder / "etc")]
            running = stack.enter_context(
                Program(cpu.command([*postfix, "start-fg"]), log=folder / "postfix.out", env={"LC_ALL": "C"})
            )
            wait_port(port, program=running)
            yield port
            subprocess.run([*postfix, "stop"], check=False, capture_output=True, timeout=30)

    def _start_opendkim(self, folder: Path, cpu: Group, stack: ExitStack) -> dict[str, str]:
        socket = folder / "opendkim.sock"
        settings = {
            "Mode": "s",
            "Canonicalization": "relaxed/simple",
            "Domain": self.domain,
            "Selector": "bench",
            "KeyFile": str(self.key),
            "Socket": f"local:{socket}",
            "UMask": "000",
            "UserID": "root",
            "InternalHosts": "127.0.0.1",
            "RequireSafeKeys": "no",
            "Background": "no",
            "Syslog": "no",
        }
        configuration = folder / "opendkim.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        argv = cpu.command([program("opendkim"), "-f", "-x", str(configuration)])
        running = stack.enter_context(Program(argv, log=folder / "opendkim.out"))
        wait_until(socket.exists, what="OpenDKIM's socket", program=running)
        return {
            "smtpd_milters": f"unix:{socket}",
            "milter_default_action": "tempfail",
            "milter_protocol": "6",
        }

    def _start_policy_service(self, folder: Path, cpu: Group, stack: ExitStack) -> dict[str, str]:
        socket = folder / "policy.sock"
        argv = cpu.command([sys.executable, "-m", "tests.bench.policy_service", str(socket), self.domain])
        running = stack.enter_context(Program(argv, log=folder / "policy.out"))
        wait_until(socket.exists, what="the policy service's socket", program=running)
        restrictions = f"check_policy_service unix:{socket}, permit_mynetworks, reject"
        return {"smtpd_recipient_restrictions": restrictions}


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
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
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
