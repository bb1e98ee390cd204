"""curl as a client: signs in and sends exact bytes. Needs `needs("curl")`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.programs import program
from tests.support.swaks import Tls
from tests.support.transcript import Transcript, run_client

_REPLY = re.compile(r"< (\d{3})([ -])(.*)")


def send(
    port: int,
    *,
    reverse_path: str,
    to: str | Sequence[str],
    data: bytes,
    account: str | None = None,
    password: str = "",
    tls: Tls = "none",
    authority: Path | None = None,
    host: str = "127.0.0.1",
    options: Sequence[str] = (),
    timeout_s: float = 60.0,
) -> Transcript:
    """Send one message, byte for byte. `authority` is the certificate to trust; without it any will do."""
    scheme = "smtps" if tls == "implicit" else "smtp"
    argv = [program("curl"), "--silent", "--show-error", "--verbose", "--max-time", f"{timeout_s:.0f}"]
    argv += ["--url", f"{scheme}://{host}:{port}/client.test", "--mail-from", reverse_path]
    for recipient in [to] if isinstance(to, str) else to:
        argv += ["--mail-rcpt", recipient]
    if tls == "starttls":
        argv.append("--ssl-reqd")
    if tls != "none":
        argv += ["--insecure"] if authority is None else ["--cacert", str(authority)]
    if account is not None:
        argv += ["--user", f"{account}:{password}"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "data")
        file.write_bytes(data)
        return run_client([*argv, "--upload-file", str(file), *options], _REPLY, timeout_s + 30)
