"""A next hop that falls silent at one step of the session, and what others' mail feels of it."""

from __future__ import annotations

import smtplib
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.dns_server import DnsServer
from tests.support.mailgov_service import Service
from tests.support.processes import wait_until
from tests.support.sink import Act, Phase, Reaction, Sink, _Gone, _Session

ACCOUNT, GOOD = "load@caobang.gov.vn", "good.test"
PHASES: tuple[Phase, ...] = ("connect", "helo", "mail", "rcpt", "data", "eod")
TIMEOUT_S = 6.0
"""In the campaign: longer than the load beside it. The shipped ones are a unit test's subject."""
CONNECTIONS = 20
"""To one next hop, as shipped."""
WAITING = 2 * CONNECTIONS
"""Messages for the silent one."""
RATE = 20.0


class SilentSink(Sink):
    """`held` has the seconds from its falling silent until the peer gave up."""

    def __init__(self, host: str, port: int, phase: Phase) -> None:
        super().__init__(host=host, port=port)
        self.on(phase, Act.HANG)
        self.held: list[float] = []

    async def _say(self, session: _Session, reaction: Reaction) -> bool:
        if reaction is not Act.HANG:
            return await super()._say(session, reaction)
        begin = time.monotonic()
        with suppress(OSError):
            while await session.reader.read(65_536):  # the rest of what the peer says, then its end
                pass
        took_s = time.monotonic() - begin
        session.writer.close()
        with suppress(OSError):
            await session.writer.wait_closed()
        self.held.append(took_s)
        raise _Gone


@dataclass(slots=True)
class Pair:
    """The others' p95 in ms, without and beside a next hop that hangs at `phase`."""

    phase: Phase
    alone: float = 0.0
    beside: float = 0.0
    held: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return self.beside / self.alone


def summary(pairs: list[Pair]) -> str:
    """A few lines for a person."""
    ratios = [pair.ratio for pair in pairs]
    lines = [
        f"{pair.phase:<9} {len(pair.held):>3} attempts ended after {min(pair.held):.1f} to "
        f"{max(pair.held):.1f} s; p95 of the others {pair.alone:.0f} ms without, "
        f"{pair.beside:.0f} ms beside it: {pair.ratio:.2f}"
        for pair in pairs
    ]
    spread = f"[{min(ratios):.2f}, {max(ratios):.2f}]"
    return "\n".join(
        [
            f"hanging    at each step in turn, {WAITING} messages for it, time-outs of {TIMEOUT_S:g} s",
            *lines,
            f"ratio      {statistics.median(ratios):.2f} in the median {spread}, at most 1.2 is asked for",
        ]
    )


def send_one(port: int, recipient: str) -> None:
    """One message on a connection of its own."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        text = f"From: <{ACCOUNT}>\r\nTo: <{recipient}>\r\nSubject: bench\r\n\r\n{'x' * 4000}\r\n"
        client.sendmail(ACCOUNT, [recipient], text)


def load(service: Service, good: Sink, seconds: float, rate: float) -> list[float]:
    """Seconds from connecting to us until the sink has the message, at an even pace."""
    sent: dict[str, float] = {}
    began_s = time.monotonic()
    known = len(good.messages)
    for number in range(int(seconds * rate)):
        time.sleep(max(0.0, began_s + number / rate - time.monotonic()))
        recipient = f"r{known + number}@{GOOD}"
        sent[recipient] = time.monotonic()
        send_one(service.trusted, recipient)
    messages = good.wait_for(known + len(sent), timeout_s=60)[known:]
    return [max(0.0, message.at - sent[message.recipients[0]]) for message in messages]


def p95_ms(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] * 1000


@contextmanager
def _relay(folder: Path, dns: DnsServer, port: int) -> Iterator[Service]:
    service = Service(folder)
    waits = ("connect_timeout_s", "command_timeout_s", "data_timeout_s")
    service.settings = {
        "smtp": {"trusted": [service.trusted_listener(ACCOUNT)]},
        "dns": {"nameservers": [dns.address]},
        "delivery": {"allow_networks": ["127.0.0.0/8"], "mx_port": port, **dict.fromkeys(waits, TIMEOUT_S)},
    }
    service.init()
    service.add_account(ACCOUNT, kind="functional")
    try:
        service.start()
        yield service
    finally:
        service.kill()


def run(folder: Path, *, seconds: float) -> list[Pair]:
    """Each step twice, `seconds` of load without and beside it, every other pair the other way round."""
    pairs: list[Pair] = []
    with DnsServer() as dns, Sink(host="127.0.0.2") as good:
        dns.mx(GOOD, f"mx.{GOOD}")
        dns.a(f"mx.{GOOD}", good.host)
        with _relay(folder, dns, good.port) as service:
            load(service, good, 1, RATE)
            for number, phase in enumerate([*PHASES, *reversed(PHASES)]):
                pair = Pair(phase)
                if number % 2:
                    _beside(pair, number, service, dns, good, seconds)
                pair.alone = p95_ms(load(service, good, seconds, RATE))
                if not number % 2:
                    _beside(pair, number, service, dns, good, seconds)
                pairs.append(pair)
    return pairs


def _beside(pair: Pair, number: int, service: Service, dns: DnsServer, good: Sink, seconds: float) -> None:
    name = f"{pair.phase}{number}.test"
    silent = SilentSink(f"127.0.1.{number + 1}", good.port, pair.phase)
    with silent:
        dns.mx(name, f"mx.{name}")
        dns.a(f"mx.{name}", silent.host)
        for message in range(WAITING):
            send_one(service.trusted, f"x{message}@{name}")
        wait_until(lambda: silent.connections >= CONNECTIONS, timeout_s=10, what="all connections to hang")
        pair.beside = p95_ms(load(service, good, seconds, RATE))
        wait_until(
            lambda: silent.held and len(silent.held) == silent.connections,
            timeout_s=30,
            what="the end of every attempt",
        )
        pair.held = list(silent.held)
