"""Dovecot's sign-in for the peers that have none of their own.

It checks as much as mailgov: argon2id with the same parameters, and remembers who just signed in.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from mailgov.identity.passwords import hash_password
from tests.bench.cpu import Group
from tests.bench.site import Site, listening
from tests.support.processes import Program, wait_until
from tests.support.programs import program


def start(site: Site, folder: Path, cpu: Group, stack: ExitStack) -> Path:
    """Start Dovecot's auth service alone, to be ended by `stack`; gives its socket."""
    place = folder / "dovecot"
    place.mkdir(mode=0o755)
    (place / "run").mkdir()
    users = place / "users"
    users.write_text(f"{site.account}:{{ARGON2ID}}{hash_password(site.password)}\n")
    users.chmod(0o644)
    sign_in = place / "sign-in.sock"
    configuration = place / "dovecot.conf"
    configuration.write_text(
        f"""
        base_dir = {place}/run
        state_dir = {place}/run
        log_path = {place}/log
        protocols =
        ssl = no
        auth_mechanisms = plain login
        disable_plaintext_auth = no
        auth_cache_size = 10M
        passdb {{
          driver = passwd-file
          args = username_format=%u {users}
        }}
        userdb {{
          driver = static
          args = uid=nobody gid=nogroup home=/nonexistent
        }}
        service auth {{
          vsz_limit = 0
          unix_listener {sign_in} {{
            mode = 0666
          }}
        }}
        service stats {{
          client_limit = 1000
        }}
        """
    )
    argv = cpu.command([program("dovecot"), "-F", "-c", str(configuration)])
    running = stack.enter_context(Program(argv, log=place / "out"))
    wait_until(lambda: listening(sign_in), what="Dovecot's socket", program=running)
    return sign_in
