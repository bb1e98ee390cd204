"""mailgov itself as a program: set up with `init`, run with `serve`, asked by its command line and HTTP."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.certificates import make_certificate
from tests.support.dns_server import DnsServer
from tests.support.forked import forker
from tests.support.processes import Program, descendants, free_port, running, wait_until
from tests.support.toml_text import merged, to_toml

MAILGOV = Path(sys.executable).with_name("mailgov")
DOMAIN = "caobang.gov.vn"


@dataclass(frozen=True, slots=True)
class CliResult:
    """One command's end: its exit status, what it printed, and that as JSON where it was JSON."""

    status: int
    stdout: str
    stderr: str
    data: Any

    def expect(self, status: int = 0) -> CliResult:
        """Itself, when it ended so; AssertionError with what it said otherwise."""
        assert self.status == status, f"status {self.status}, not {status}:\n{self.stdout}\n{self.stderr}"
        return self


@dataclass(frozen=True, slots=True)
class HttpResult:
    """An HTTP response; `data` is its JSON, or None."""

    status: int
    text: str
    data: Any


class Service:
    """A mailgov of its own under `folder`, on free loopback ports.

    `settings` is laid over what `init` wrote. Entering the block sets it up, unless `init` was
    called already (to add accounts that are known from the start), and starts it; leaving it
    kills whatever still runs. Running workers follow a change of the directory within 2 s.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        domain: str = DOMAIN,
        workers: int = 1,
        prefix: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`prefix` is put before `serve`'s command line, such as `["strace", …]`."""
        self.folder = folder
        self.domain = domain
        self.hostname = f"mail.{domain}"
        self.workers = workers
        self.config = folder / "mailgov.toml"
        self.data_dir = folder / "var"
        self.mx, self.submission, self.submissions, self.trusted, self.http_port, self.imap, self.imaps = (
            free_port() for _ in range(7)
        )
        self.settings = dict(settings or {})
        self.prefix = list(prefix)
        self.env = {"MAILGOV_CONFIG": str(self.config), **(env or {})}
        self._program: Program | None = None
        self._logs: list[Path] = []

    # Setting up

    def init(self, *options: str) -> None:
        """Run the real `mailgov init`, then lay ports and `settings` over its file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = ["init", "--domain", self.domain, "--hostname", self.hostname, "--data", str(self.data_dir)]
        argv += ["--province", "Cao Bằng"]
        self.cli(*argv, "--config", str(self.config), *options, as_json=False).expect()
        written = tomllib.loads(self.config.read_text(encoding="utf-8"))
        ports = {
            "smtp": {
                "mx": f"127.0.0.1:{self.mx}",
                "submission": f"127.0.0.1:{self.submission}",
                "submissions": f"127.0.0.1:{self.submissions}",
            },
            "http": {"listen": f"127.0.0.1:{self.http_port}", "public_url": self.url("")},
            # Programs send as fast as they can here; people are held to the limits that are shipped.
            "limits": {"shared_factor": 10_000, "agency_factor": 10_000},
            "imap": {"listen": f"127.0.0.1:{self.imap}", "imaps": f"127.0.0.1:{self.imaps}"},
        }
        if not written.get("tls", {}).get("certificate"):
            certificate, key = make_certificate(self.folder, self.hostname)
            ports["tls"] = {"certificate": str(certificate), "key": str(key)}
        self.config.write_text(to_toml(merged(merged(written, ports), self.settings)), encoding="utf-8")

    def trusted_listener(self, account: str) -> dict[str, Any]:
        """A `[[smtp.trusted]]` table on this service's port for it, to be put into `settings`."""
        return {"listen": f"127.0.0.1:{self.trusted}", "networks": ["127.0.0.0/8"], "account": account}

    def add_account(self, address: str, password: str | None = None, **options: str) -> CliResult:
        """`mailgov account add`; without a password it cannot sign in. `options` such as `agency="STTTT"`."""
        words = ["account", "add", address]
        for name, value in {"name": address.partition("@")[0], **options}.items():
            words += [f"--{name.rstrip('_').replace('_', '-')}", value]
        words += ["--no-password"] if password is None else ["--password-stdin", "--permanent"]
        return self.cli(*words, stdin=None if password is None else f"{password}\n").expect()

    def token(self, role: str, **options: str) -> str:
        """A fresh bearer token."""
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return str(self.cli("token", "create", "test", "--role", role, *words).expect().data["token"])

    def publish(self, dns_server: DnsServer) -> None:
        """Put the records that `mailgov dns print` asks for into the DNS."""
        for record in self.cli("dns", "print").expect().data:
            dns_server.add(record["name"], record["type"], record["value"])

    # Running

    @property
    def program(self) -> Program:
        assert self._program is not None, "the service was not started"
        return self._program

    def start(self, *options: str, timeout_s: float = 60.0) -> None:
        """Start `serve` and return once it says that all its processes are ready."""
        argv = [*self.prefix, str(MAILGOV), "serve", "--workers", str(self.workers), *options]
        log = self.folder / f"serve-{len(self._logs) + 1}.log"
        self._logs.append(log)
        self._program = Program(argv, log=log, env=self.env, cwd=self.folder)
        self._program.wait_output("mailgov is ready", timeout_s=timeout_s)

    def stop(self) -> int:
        """SIGTERM; returns the exit status of `serve`."""
        return self.program.stop()

    def restart(self, *, workers: int | None = None) -> None:
        """Stop what still runs and start again, with another number of workers where one is given."""
        if self.program.alive:
            self.stop()
        self.workers = workers or self.workers
        self.start()

    def processes(self, role: str | None = None) -> list[int]:
        """The process ids below the supervisor, or those of one role: relay, web, imap, sink."""
        found = descendants(self.program.pid)
        return found if role is None else [pid for pid in found if _role(pid) == role]

    def kill_workers(self) -> None:
        """SIGKILL every relay worker at once; the supervisor lives and starts new ones."""
        before = self.processes("relay")
        assert before, "no relay worker runs"
        for pid in before:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(running(pid) for pid in before), what="the end of the workers")

    def kill(self) -> None:
        """SIGKILL everything at once, as a power switch would for processes."""
        self.program.kill()

    def __enter__(self) -> Service:
        if not self.config.exists():
            self.init()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._program is not None:
            self._program.kill()

    # Asking

    def cli(
        self, *argv: str, as_json: bool = True, stdin: str | None = None, timeout_s: float = 60.0
    ) -> CliResult:
        """Run `mailgov` with these words, in a forked process; `--json` is added unless told otherwise."""
        done = forker().run(
            [*argv, *(["--json"] if as_json else [])],
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdin=stdin or "",
            timeout_s=timeout_s,
        )
        return CliResult(done.returncode, done.stdout, done.stderr, _json(done.stdout))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http_port}{path}"

    def get(self, path: str, token: str | None = None, timeout_s: float = 10.0) -> HttpResult:
        """GET a path; any status is a result, no connection is an OSError."""
        request = urllib.request.Request(self.url(path))  # noqa: S310 - our own http URL
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - as above
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        return HttpResult(status, text, _json(text))

    def smtp(self, port: int) -> smtplib.SMTP:
        """A session on one of the ports, to say odd things by hand."""
        return smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=30)

    def log(self) -> str:
        """All that `serve` has written, over every start."""
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in self._logs)


def _role(pid: int) -> str | None:
    """The role of a worker process, which its command line ends with as JSON."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        if b"mailgov.child" in words:
            return str(json.loads(words[-1])["role"])
    return None


def _json(text: str) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return None
