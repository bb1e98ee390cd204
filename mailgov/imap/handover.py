"""`python -m mailgov.imap.handover FDS COMMAND…`: become COMMAND, given sockets as systemd gives them.

Dovecot takes sockets by sd_listen_fds(3): numbered from 3 on, and named after the process's own
id, which is known only after the fork. FDS are the descriptors' numbers, with commas between.
"""

from __future__ import annotations

import os
import resource
import sys

FIRST = 3
FILES = 65_536
"""Descriptors that a login process may want; the machine's limit where that is lower."""


def main(fds: str, *command: str) -> None:
    """Does not return."""
    # Copies above the range first: a target's number may be another one's source.
    kept = [os.dup(int(fd)) for fd in fds.split(",")]
    while kept and min(kept) < FIRST + len(kept):
        kept = [os.dup(fd) for fd in kept]
    for number, fd in enumerate(kept, start=FIRST):
        os.dup2(fd, number, inheritable=True)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(kept))}
    os.execvpe(command[0], command, environment)  # noqa: S606 - the supervisor's own command line


if __name__ == "__main__":
    main(*sys.argv[1:])
