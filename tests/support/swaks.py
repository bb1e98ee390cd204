"""swaks as a client: signs in, sends exact bytes, shows every reply. Needs `needs("swaks")`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.support.programs import program
from tests.support.transcript import Transcript, run_client

Tls = Literal["none", "starttls", "implicit"]

_REPLY = re.compile(r"<[-~*]{1,2}\*?\s+(\d{3})([ -])(.*)")


def send(
    port: int,
    *,
    reverse_path: str,
    to: str | Sequence[str],
    data: bytes | None = None,
    account: str | None = None,
    password: str = "",
    mechanism: str = "PLAIN",
    tls: Tls = "none",
    host: str = "127.0.0.1",
    options: Sequence[str] = (),
    timeout_s: float = 60.0,
) -> Transcript:
    """Send one message; `data` goes out byte for byte (dots stuffed), else swaks writes one of its own.

    `options` are more of swaks's own, such as `["--attach", "@plan.pdf"]` or `["--quit-after", "RCPT"]`.
    An `account` without `tls` makes swaks sign in in the clear where the server lets it.
    """
    recipients = to if isinstance(to, str) else ",".join(to)
    argv = [program("swaks"), "--server", host, "--port", str(port), "--timeout", f"{timeout_s:.0f}s"]
    argv += ["--helo", "client.test", "--from", reverse_path, "--to", recipients, "--suppress-data"]
    if tls != "none":
        argv.append("--tls" if tls == "starttls" else "--tls-on-connect")
    if account is not None:
        argv += ["--auth", mechanism, "--auth-user", account, "--auth-password", password]
    with tempfile.TemporaryDirectory() as folder:
        if data is not None:
            # Without its fix-ups swaks adds one CRLF and nothing else: the dots are ours to do.
            stuffed = data.replace(b"\r\n.", b"\r\n..")
            file = Path(folder, "data")
            file.write_bytes((b"." if stuffed.startswith(b".") else b"") + stuffed + b".")
            argv += ["--no-data-fixup", "--data", f"@{file}"]
        return run_client([*argv, *options], _REPLY, timeout_s + 30)
