"""What Postfix's peers sign with: OpenDKIM or rspamd, each a milter on a unix socket.

A milter on a TCP socket would slow Postfix down many times over and make the comparison unfair.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from tests.bench.cpu import Group
from tests.bench.site import SELECTOR, Site, listening
from tests.support.processes import Program, wait_until
from tests.support.programs import program

Signer = Literal["opendkim", "rspamd"]


def start(signer: Signer, site: Site, folder: Path, cpu: Group, stack: ExitStack) -> dict[str, str]:
    """Start it in `folder`, to be ended by `stack`; gives the settings that Postfix needs for it."""
    place = folder / signer
    place.mkdir(mode=0o755)
    milter = place / "milter.sock"
    argv = _opendkim(site, place, milter) if signer == "opendkim" else _rspamd(site, place, milter)
    running = stack.enter_context(Program(cpu.command(argv), log=place / "out"))
    # rspamd's main process makes the socket long before a worker listens to it.
    wait_until(lambda: listening(milter), timeout_s=60, what=f"{signer}'s socket", program=running)
    return {
        "smtpd_milters": f"unix:{milter}",
        "milter_default_action": "tempfail",
        "milter_protocol": "6",
    }


def _opendkim(site: Site, place: Path, milter: Path) -> list[str]:
    settings = {
        "Mode": "s",
        "Canonicalization": "relaxed/simple",
        "Domain": site.domain,
        "Selector": SELECTOR,
        "KeyFile": str(site.key),
        "Socket": f"local:{milter}",
        "UMask": "000",
        "UserID": "root",
        "InternalHosts": "127.0.0.1",
        "RequireSafeKeys": "no",
        "Background": "no",
        "Syslog": "no",
    }
    configuration = place / "opendkim.conf"
    configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return [program("opendkim"), "-f", "-x", str(configuration)]


def _rspamd(site: Site, place: Path, milter: Path) -> list[str]:
    """It scans inside its proxy worker, one a core, and does nothing but sign."""
    place.chmod(0o777)  # its workers run as another account
    key = place / "key.pem"
    shutil.copy(site.key, key)
    key.chmod(0o644)
    (place / "tld").write_text("vn\ntest\n")  # the whole list takes it ten seconds to compile
    configuration = place / "rspamd.conf"
    configuration.write_text(
        f"""
        modules {{ path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }}
        options {{
          pidfile = "{place}/pid"; control_socket = "{place}/control mode=0600"; tempdir = "{place}";
          hs_cache_dir = "{place}"; url_tld = "{place}/tld"; filters = "dkim"; raw_mode = false;
          dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
          local_addrs = [127.0.0.0/8];
        }}
        logging {{ type = "file"; filename = "{place}/log"; level = "error"; log_urls = false; }}
        worker "rspamd_proxy" {{
          bind_socket = "{milter} mode=0666"; milter = yes; timeout = 60s; count = {os.cpu_count() or 1};
          max_retries = 1; upstream "local" {{ default = yes; self_scan = yes; }}
        }}
        dkim_signing {{
          enabled = true; sign_local = true; sign_authenticated = true; sign_networks = [127.0.0.0/8];
          check_pubkey = false; use_domain = "header"; use_esld = false; allow_hdrfrom_mismatch = true;
          allow_username_mismatch = true;
          domain {{ {site.domain} {{ path = "{key}"; selector = "{SELECTOR}"; }} }}
        }}
        """
    )
    return [program("rspamd"), "--no-fork", "--insecure", "--config", str(configuration)]
