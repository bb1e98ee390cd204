"""Next hops that fall silent, each at another step of the session, and others' mail beside them."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service
from tests.support.processes import wait_until
from tests.support.sink import Act, Phase, Reaction, Sink, _Gone, _Session

ACCOUNT, GOOD = "load@caobang.gov.vn", "good.test"
PHASES: tuple[Phase, ...] = ("connect", "helo", "mail", "rcpt", "data", "eod")
TIMEOUT_S = 15.0
"""In the campaign. The shipped ones are a unit test's subject."""
CONNECTIONS = 5
"""To one next hop at once."""
CONCURRENCY = 20
"""Deliveries at once: fewer than the silent ones would take."""
WAITING = 10
"""Messages for each silent one."""
OTHERS = 40
"""Messages that pass them by."""


class SilentSink(Sink):
    """Says nothing from a step of the session on, until the peer gives up."""

    def __init__(self, host: str, port: int, phase: Phase) -> None:
        super().__init__(host=host, port=port)
        self.phase = phase
        self.on(phase, Act.HANG)
        self.begun = 0
        """Attempts that have come to the step."""
        self.held: dict[int, float] = {}
        """Those that were given up, by their number: after so many seconds."""

    async def _say(self, session: _Session, reaction: Reaction) -> bool:
        if reaction is not Act.HANG:
            return await super()._say(session, reaction)
        number, begin = self.begun, time.monotonic()
        self.begun += 1
        with suppress(OSError):
            while await session.reader.read(65_536):  # the rest of what the peer says, then its end
                pass
        self.held[number] = time.monotonic() - begin
        session.writer.close()
        with suppress(OSError):
            await session.writer.wait_closed()
        raise _Gone


@dataclass(slots=True)
class Hung:
    """One that was silent at `phase`."""

    phase: Phase
    first: int
    """Attempts that hung there when the others' mail came."""
    begun: int = 0
    ended: int = 0
    """When the others had theirs."""
    held: list[float] = field(default_factory=list)
    """Seconds until the first ones were given up."""


@dataclass(slots=True)
class Hangs:
    """What came of it."""

    hung: list[Hung]
    others_s: float
    """From the first of the others' messages until the last was there."""
    arrived: int

    def summary(self) -> str:
        """A few lines for a person."""
        return "\n".join(
            [
                f"hanging    {len(self.hung)} next hops, each at another step, {WAITING} messages for each; "
                f"{CONNECTIONS} at once to one, {CONCURRENCY} in all, time-outs of {TIMEOUT_S:g} s",
                f"others     {self.arrived} of {OTHERS} messages there after {self.others_s:.1f} s, "
                f"{sum(one.ended for one in self.hung)} attempts at the silent ones had ended",
                *(
                    f"{one.phase:<10} {one.first} attempts, ended after {min(one.held):.1f} to "
                    f"{max(one.held):.1f} s"
                    for one in self.hung
                ),
            ]
        )


def send(port: int, recipients: Iterable[str]) -> None:
    """A message to each, on one connection."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        for recipient in recipients:
            text = f"From: <{ACCOUNT}>\r\nTo: <{recipient}>\r\nSubject: x\r\n\r\n{'x' * 4000}\r\n"
            client.sendmail(ACCOUNT, [recipient], text)


@contextmanager
def _relay(folder: Path, dns: DnsServer, port: int) -> Iterator[Service]:
    service = Service(folder)
    waits = ("connect_timeout_s", "command_timeout_s", "data_timeout_s")
    service.settings = {
        "smtp": {"trusted": [service.trusted_listener(ACCOUNT)]},
        "dns": {"nameservers": [dns.address]},
        "delivery": {
            "allow_networks": ["127.0.0.0/8"],
            "mx_port": port,
            "concurrency": CONCURRENCY,
            "destination_concurrency": CONNECTIONS,
            **dict.fromkeys(waits, TIMEOUT_S),
        },
    }
    service.init()
    service.add_account(ACCOUNT, kind="functional")
    try:
        service.start()
        yield service
    finally:
        service.kill()


def run(folder: Path) -> Hangs:
    """All steps at once: more attempts hang than there are places, and others' mail comes."""
    with ExitStack() as stack:
        dns, good = stack.enter_context(DnsServer()), stack.enter_context(Sink(host="127.0.0.2"))
        silent = [
            SilentSink(f"127.0.1.{number + 1}", good.port, phase) for number, phase in enumerate(PHASES)
        ]
        for one in silent:
            stack.enter_context(one)
        for name, sink in [(GOOD, good), *((f"{one.phase}.test", one) for one in silent)]:
            dns.mx(name, f"mx.{name}")
            dns.a(f"mx.{name}", sink.host)
        service = stack.enter_context(_relay(folder, dns, good.port))
        send(service.trusted, (f"x{n}@{one.phase}.test" for n in range(WAITING) for one in silent))
        wait_until(
            lambda: sum(one.begun for one in silent) >= CONCURRENCY and all(one.begun for one in silent),
            what="every place to be taken",
        )
        return _measure(service, good, silent)


def _measure(service: Service, good: Sink, silent: list[SilentSink]) -> Hangs:
    hung = [Hung(one.phase, one.begun) for one in silent]
    began_s = time.monotonic()
    send(service.trusted, (f"r{n}@{GOOD}" for n in range(OTHERS)))
    arrived = good.wait_for(OTHERS)
    took_s = time.monotonic() - began_s
    for found, one in zip(hung, silent, strict=True):
        found.begun, found.ended = one.begun, len(one.held)
    for found, one in zip(hung, silent, strict=True):
        # Not "as many as have begun": when one ends, the next message's begins at once.
        wait_until(
            lambda one=one, first=found.first: one.held.keys() >= set(range(first)),  # type: ignore[misc]
            timeout_s=3 * TIMEOUT_S,
            what=f"the end of the attempts that hang at {one.phase}",
        )
        found.held = [one.held[number] for number in range(found.first)]
    return Hangs(hung, took_s, len(arrived))
