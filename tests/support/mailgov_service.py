"""mailgov itself as a program: set up with `init`, run with `serve`, asked by its command line and HTTP."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
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
from tests.support.processes import Program, children, free_port, running, wait_port, wait_until
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

    `settings` is laid over what `init` wrote. Entering the block sets it up and starts it;
    leaving it kills whatever still runs.
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
        self.mx, self.submission, self.submissions, self.trusted, self.http_port = (
            free_port() for _ in range(5)
        )
        self.settings = dict(settings or {})
        self.prefix = list(prefix)
        self.env = {"MAILGOV_CONFIG": str(self.config), **(env or {})}
        self._program: Program | None = None

    # Setting up

    def init(self, *options: str) -> None:
        """Run the real `mailgov init`, then lay ports and `settings` over its file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = ["init", "--domain", self.domain, "--hostname", self.hostname, "--data", str(self.data_dir)]
        self.cli(*argv, "--config", str(self.config), *options, as_json=False).expect()
        written = tomllib.loads(self.config.read_text(encoding="utf-8"))
        ports = {
            "smtp": {
                "mx": f"127.0.0.1:{self.mx}",
                "submission": f"127.0.0.1:{self.submission}",
                "submissions": f"127.0.0.1:{self.submissions}",
            },
            "http": {"listen": f"127.0.0.1:{self.http_port}", "public_url": self.url("")},
        }
        if not written.get("tls", {}).get("certificate"):
            certificate, key = make_certificate(self.folder, self.hostname)
            ports["tls"] = {"certificate": str(certificate), "key": str(key)}
        self.config.write_text(to_toml(merged(merged(written, ports), self.settings)), encoding="utf-8")

    def trusted_listener(self, account: str) -> dict[str, Any]:
        """A `[[smtp.trusted]]` table on this service's port for it, to be put into `settings`."""
        return {"listen": f"127.0.0.1:{self.trusted}", "networks": ["127.0.0.0/8"], "account": account}

    # Running

    @property
    def program(self) -> Program:
        assert self._program is not None, "the service was not started"
        return self._program

    def start(self, *options: str, timeout_s: float = 30.0) -> None:
        """Start `serve` and return once every listener greets and HTTP says that it is ready."""
        argv = [*self.prefix, str(MAILGOV), "serve", "--workers", str(self.workers), *options]
        self._program = Program(argv, log=self.folder / "serve.log", env=self.env, cwd=self.folder)
        for port in self._listeners():
            wait_port(port, timeout_s=timeout_s, program=self._program)
        wait_until(self._ready, timeout_s=timeout_s, what="/readyz", program=self._program)

    def _listeners(self) -> list[int]:
        settings = tomllib.loads(self.config.read_text(encoding="utf-8"))
        smtp = settings.get("smtp", {})
        found = [smtp.get("mx"), smtp.get("submission"), smtp.get("submissions")]
        found += [trusted["listen"] for trusted in smtp.get("trusted", [])]
        return [int(listen.rpartition(":")[2]) for listen in found if listen]

    def _ready(self) -> bool:
        with suppress(OSError):
            return self.get("/readyz").status == 200
        return False

    def stop(self) -> int:
        """SIGTERM; returns the exit status of `serve`."""
        return self.program.stop()

    def restart(self, *, workers: int | None = None) -> None:
        """Stop what still runs and start again, with another number of workers where one is given."""
        if self.program.alive:
            self.stop()
        self.workers = workers or self.workers
        self.start()

    def processes(self) -> list[int]:
        """The process ids below the supervisor, all generations."""
        found, fresh = [], children(self.program.pid)
        while fresh:
            found += fresh
            fresh = [child for pid in fresh for child in children(pid)]
        return found

    def kill_processes(self) -> None:
        """SIGKILL every worker at once and leave the supervisor to deal with it."""
        before = self.processes()
        for pid in before:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(running(pid) for pid in before), what="the end of the workers")

    def kill(self) -> None:
        """SIGKILL everything at once, as a power switch would for processes."""
        self.program.kill()

    def __enter__(self) -> Service:
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
        """Run `mailgov` with these words; `--json` is added unless told otherwise."""
        words = [str(MAILGOV), *argv, *(["--json"] if as_json else [])]
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            cwd=self.folder,
            encoding="utf-8",
            env={**os.environ, **self.env},
            input=stdin if stdin is not None else "",
            timeout=timeout_s,
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
        """All that `serve` has written."""
        return self.program.output()


def _json(text: str) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return None
