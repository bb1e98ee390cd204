"""A real rspamd with no rules but its test patterns, which need no network. Needs `needs("rspamd")`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Program, free_port, wait_port
from tests.support.programs import program

_GTUBE = "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
SPAM, LIKELY = f"X{_GTUBE}", f"Y{_GTUBE}"
"""Lines of a text that rspamd gives the actions `reject` and `add header`."""


@dataclass(frozen=True, slots=True)
class RunningRspamd:
    """An rspamd whose normal worker answers at `url`."""

    url: str
    program: Program


@contextmanager
def running_rspamd(folder: Path) -> Iterator[RunningRspamd]:
    """An rspamd that is ready to be asked."""
    port = free_port()
    (folder / "tld").write_text("vn\ncom\n")  # the whole list takes it ten seconds to compile
    configuration = folder / "rspamd.conf"
    configuration.write_text(
        f"""
        options {{
          pidfile = "{folder}/pid"; control_socket = "{folder}/control mode=0600";
          tempdir = "{folder}"; hs_cache_dir = "{folder}"; url_tld = "{folder}/tld";
          filters = "chartable"; enable_test_patterns = true;
          dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
        }}
        logging {{ type = "console"; level = "info"; }}
        worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
        actions {{ reject = 15; add_header = 6; greylist = 4; }}
        """
    )
    argv: list[str | Path] = [program("rspamd"), "--no-fork", "--insecure", "--config", configuration]
    with Program(argv, log=folder / "rspamd.log") as running:
        wait_port(port, program=running)
        yield RunningRspamd(f"http://127.0.0.1:{port}", running)
