"""Which stage of a message's road a stack belongs to (docs/flow.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("signature", ("mailgov/relay/sign", "mailgov/relay/senders/canonical", "cryptography/", "dkim/")),
    ("policy", ("mailgov/policy/", "mailgov/relay/judge", "mailgov/relay/documents")),
    ("spool", ("mailgov/store/spool/",)),
    (
        "traffic record to the ledger, figures",
        ("mailgov/relay/forward", "mailgov/relay/records", "mailgov/store/"),
    ),
    ("look into the content", ("mailgov/mail/mime/", "mailgov/mail/files/", "mailgov/relay/content")),
    ("intake: facts, edits, Received", ("mailgov/relay/intake", "mailgov/relay/edits")),
    (
        "delivery: SMTP client",
        ("mailgov/relay/client", "mailgov/relay/exchange", "mailgov/relay/tls", "aiosmtplib/"),
    ),
    (
        "delivery: scheduler, route, outcome",
        (
            "mailgov/relay/attempt",
            "mailgov/relay/lanes",
            "mailgov/relay/outcome",
            "mailgov/relay/route",
            "mailgov/relay/scheduler",
            "mailgov/relay/dns",
        ),
    ),
    (
        "sign-in",
        ("mailgov/relay/auth", "mailgov/relay/session/sign_in", "mailgov/identity/", "argon2/"),
    ),
    ("data as it comes", ("mailgov/relay/data", "mailgov/relay/chunks", "mailgov/relay/line_ends")),
    ("transaction: MAIL, RCPT, limits", ("mailgov/relay/transaction", "mailgov/relay/sending")),
    (
        "session: connection, commands, replies",
        (
            "mailgov/relay/session/",
            "mailgov/relay/door",
            "mailgov/relay/listener",
            "mailgov/relay/serving",
            "mailgov/relay/server",
            "mailgov/relay/accept",
            "aiosmtpd/",
        ),
    ),
    ("log", ("mailgov/logs", "structlog/")),
)
"""By the innermost frame that a stage knows: what helpers cost is their caller's."""
OTHER = "the rest: following the directory, reports, health"
LOOP = "event loop: sockets, timers, system calls"


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU time of one stack of one thread."""

    thread: str
    stack: Sequence[str]
    """`file:function`, the innermost first."""
    ns: int


def stage_of(stack: Sequence[str]) -> str:
    """The stage; what no stage knows is the event loop's own."""
    for frame in stack:
        for stage, files in STAGES:
            if any(name in frame for name in files):
                return stage
    return OTHER if any(_ours(frame) for frame in stack) else LOOP


def function_of(stack: Sequence[str]) -> str:
    """The innermost function of ours, or of whoever else runs: `relay/sign.py:Signer.sign`."""
    return next((name for name in map(_ours, stack) if name), LOOP)


def _ours(frame: str) -> str:
    """`relay/sign.py:Signer.sign`; nothing for others' code, and for the frames that started the process."""
    _, found, rest = frame.rpartition("/mailgov/")
    return rest if found and not rest.startswith(("child.py", "serve.py", "cli/")) else ""


def by_stage(samples: Iterable[Sample]) -> dict[str, int]:
    """Nanoseconds of each stage, the dearest first."""
    found: dict[str, int] = {}
    for sample in samples:
        stage = stage_of(sample.stack)
        found[stage] = found.get(stage, 0) + sample.ns
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def by_function(samples: Iterable[Sample]) -> dict[str, int]:
    """Nanoseconds of each function of ours with what it calls elsewhere, the dearest first."""
    found: dict[str, int] = {}
    for sample in samples:
        function = function_of(sample.stack)
        found[function] = found.get(function, 0) + sample.ns
    return dict(sorted(found.items(), key=lambda item: -item[1]))
