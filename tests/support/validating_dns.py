"""A real Unbound that validates zones which `ldns-signzone` signed. Needs `needs(*PROGRAMS)`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import Program, free_port, wait_port
from tests.support.programs import program

PROGRAMS = ("unbound", "ldns-keygen", "ldns-signzone")
PARENT = "test"


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone below `test.`; records are lines of a zone file without the origin: `mx 60 IN A 127.0.0.1`."""

    name: str
    records: Sequence[str]
    signed: bool = True
    """Else it is delegated without DS: insecure."""
    forged: Sequence[tuple[str, str]] = field(default=())
    """Texts of the signed file that are replaced afterwards: what their signatures do not fit any more."""
    expired: bool = False
    """The signatures were good until yesterday."""


@contextmanager
def running_unbound(folder: Path, zones: Sequence[Zone]) -> Iterator[str]:
    """An Unbound that trusts the key of `test.` alone and serves these zones; yields its `host:port`."""
    files, delegations = {}, []
    for zone in zones:
        file, ds = _made(folder, f"{zone.name}.", zone)
        files[f"{zone.name}."] = file
        label = zone.name.removesuffix(f".{PARENT}")
        delegations += [f"{label} 60 IN NS ns.{zone.name}.", *([ds] if zone.signed else [])]
    files[f"{PARENT}."], anchor = _made(folder, f"{PARENT}.", Zone(PARENT, delegations))
    port = free_port()
    configuration = folder / "unbound.conf"
    served = "".join(
        f'auth-zone:\n  name: "{name}"\n  zonefile: "{file}"\n  for-upstream: yes\n  for-downstream: no\n'
        for name, file in files.items()
    )
    # Debian's is compiled for an account and a chroot of its own; here it is whoever runs the test.
    configuration.write_text(
        f"""server:
  interface: 127.0.0.1@{port}
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  so-rcvbuf: 0
  module-config: "validator iterator"
  trust-anchor: "{anchor}"
  local-zone: "{PARENT}." transparent
  do-not-query-localhost: no
  val-log-level: 2
remote-control:
  control-enable: no
{served}"""
    )
    argv: list[str | Path] = [program("unbound"), "-d", "-c", configuration]
    with Program(argv, log=folder / "unbound.log") as running:
        wait_port(port, program=running)
        yield f"127.0.0.1:{port}"


def _made(folder: Path, origin: str, zone: Zone) -> tuple[Path, str]:
    """The zone's file and, where it is signed, its DS record."""
    file = folder / f"{origin}zone"
    head = [
        f"$ORIGIN {origin}",
        "@ 60 IN SOA ns hostmaster 1 3600 600 86400 60",
        "@ 60 IN NS ns",
        "ns 60 IN A 127.0.0.1",
    ]
    file.write_text("\n".join([*head, *zone.records, ""]))
    if not zone.signed:
        return file, ""
    key = _run(folder, "ldns-keygen", "-k", "-a", "ECDSAP256SHA256", origin)
    span = ["-i", "20200101", "-e", "20200201"] if zone.expired else []
    _run(folder, "ldns-signzone", *span, "-f", f"{file}.signed", str(file), key)
    signed = Path(f"{file}.signed")
    text = signed.read_text()
    for was, is_now in zone.forged:
        assert was in text, f"{was} is not in {origin}"
        text = text.replace(was, is_now)
    signed.write_text(text)
    return signed, (folder / f"{key}.ds").read_text().strip()


def _run(folder: Path, name: str, *words: str) -> str:
    done = subprocess.run(
        [program(name), *words], cwd=folder, check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()
