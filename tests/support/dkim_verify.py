"""DKIM judged by code that nobody here wrote: Perl's Mail::DKIM, and OpenDKIM.

Needs `needs("Mail::DKIM", "Net::DNS")` and `needs("opendkim")`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.dns_server import DnsServer
from tests.support.programs import program

_AUTHENTICATION_RESULT = re.compile(
    r'\bdkim=(?P<result>\w+)(?: reason="(?P<reason>[^"]*)")?[^;]*'
    r"header\.d=(?P<domain>\S+)[^;]*header\.s=(?P<selector>[^\s;]+)"
)
_SCRIPT = Path(__file__).with_name("dkim_verify.pl")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one signature: `result` is pass, fail, invalid, temperror or none."""

    result: str
    domain: str
    selector: str
    detail: str


def mail_dkim(data: bytes, dns_server: DnsServer) -> list[Verdict]:
    """Mail::DKIM's verdict on each signature, in the order of the header; keys come from the DNS server."""
    argv = [program("perl"), str(_SCRIPT), dns_server.host, str(dns_server.port)]
    done = subprocess.run(argv, check=True, capture_output=True, input=data, timeout=60)
    return [Verdict(*line.split("\t", 3)) for line in done.stdout.decode().splitlines()]


def mail_dkim_arc(data: bytes, dns_server: DnsServer) -> str:
    """Mail::DKIM's verdict on the ARC chain: pass, fail or none."""
    argv = [program("perl"), str(_SCRIPT), dns_server.host, str(dns_server.port), "arc"]
    done = subprocess.run(argv, check=True, capture_output=True, input=data, timeout=60)
    return done.stdout.decode().partition("\t")[0]


def opendkim(data: bytes, keys: Mapping[str, str], folder: Path) -> list[Verdict]:
    """OpenDKIM's verdict on each signature, as it would write it into Authentication-Results.

    `keys` maps a record name (`s1._domainkey.example.vn`) to its TXT content; `folder` takes work files.
    """
    public, message, configuration = (folder / name for name in ("keys.txt", "message.eml", "opendkim.conf"))
    public.write_text("".join(f"{name} {text}\n" for name, text in keys.items()), encoding="ascii")
    message.write_bytes(data)
    configuration.write_text(f"Mode v\nTestPublicKeys {public}\n", encoding="ascii")
    argv = [program("opendkim"), "-v", "-v", "-x", str(configuration), "-t", str(message)]
    done = subprocess.run(argv, check=False, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    return [
        Verdict(found["result"], found["domain"], found["selector"], found["reason"] or found["result"])
        for found in _AUTHENTICATION_RESULT.finditer(said)
    ]
