"""The command grammar: one reply to each command, and what was answered 250 is in the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.fuzz import budget, grammar
from tests.fuzz.edge import KINDS, Edge, running_edge
from tests.fuzz.model import Command, Model
from tests.fuzz.replies import TELLS_OF_THE_INSIDE
from tests.support.relay_node import AN, BINH
from tests.wire.client import Closed, Said, Wire, eventually, stuffed

EXAMPLES, STEPS = 50, 25
SHRINKING_S = 400
"""A fault is made small for up to 5 minutes; without one it takes seconds."""
cuts = st.lists(st.floats(0, 1, exclude_max=True), max_size=4)
pipelines = st.lists(
    st.one_of(
        grammar.greetings, grammar.mails, grammar.recipients, grammar.small, grammar.garbage,
        grammar.chunks, grammar.data_with_argument,
    ),
    min_size=2,
    max_size=8,
)  # fmt: skip


in_session = precondition(lambda self: self.wire is not None)


class Session(RuleBasedStateMachine):
    """One connection after another; `edge` is set for the whole run."""

    edge: ClassVar[Edge]

    def __init__(self) -> None:
        super().__init__()
        self.wire: Wire | None = None
        self.kind = "mx"
        self.edge.begin_anew()

    @initialize(kind=st.sampled_from(KINDS), ready=st.booleans())
    def first(self, kind: str, ready: bool) -> None:
        self.connect(kind, ready)

    @precondition(lambda self: self.wire is None)
    @rule(kind=st.sampled_from(KINDS), ready=st.booleans())
    def connect(self, kind: str, ready: bool) -> None:
        """A new session; a `ready` one has said what comes before any mail."""
        self.kind, self.wire = kind, self.edge.connect(kind)
        self.model = Model(authenticates=kind != "mx", tls=kind == "submissions")
        if ready and kind == "submission":
            self.starttls(b"")
        if ready:
            self.say([Command("EHLO", b"EHLO client.test\r\n", frozenset({250}))], [])
        if ready and kind != "mx":
            self.say([grammar.SIGN_IN], [])

    # Commands, one at a time

    @in_session
    @rule(command=grammar.greetings, cut=cuts)
    def greet(self, command: Command, cut: list[float]) -> None:
        self.say([command], cut)

    @in_session
    @rule(command=grammar.mails, cut=cuts)
    def mail(self, command: Command, cut: list[float]) -> None:
        self.say([command], cut)

    @in_session
    @rule(command=grammar.recipients, cut=cuts)
    def rcpt(self, command: Command, cut: list[float]) -> None:
        self.say([command], cut)

    @in_session
    @rule(command=st.one_of(grammar.small, grammar.garbage, grammar.long_lines), cut=cuts)
    def other(self, command: Command, cut: list[float]) -> None:
        self.say([command], cut)

    @in_session
    @rule(commands=pipelines, cut=cuts)
    def pipeline(self, commands: list[Command], cut: list[float]) -> None:
        self.say(commands, cut)

    @in_session
    @rule(command=grammar.sign_ins, cut=cuts)
    def sign_in(self, command: Command, cut: list[float]) -> None:
        self.say([command], cut)

    @in_session
    @rule(answers=grammar.exchanges)
    def sign_in_by_questions(self, answers: list[bytes]) -> None:
        allowed = self.model.allowed(Command("AUTH", b"", frozenset({334})))
        said = self.exchange(b"AUTH LOGIN\r\n")
        assert said.code in allowed
        for answer in answers if said.code == 334 else []:
            said = self.exchange(answer + b"\r\n")
            if said.code != 334:
                break
        assert said.code in (allowed - {334} or {235, 500, 501, 535}), said
        self.model.account |= said.code == 235

    @in_session
    @rule(behind=st.sampled_from([b"", b"NOOP\r\n", b"MAIL FROM:<a@example.org>\r\n"]))
    def starttls(self, behind: bytes) -> None:
        """What was pipelined behind it in the clear is thrown away (RFC 3207 6)."""
        command = Command("STARTTLS", b"STARTTLS\r\n", frozenset({220}))
        if 220 not in self.model.allowed(command):
            self.say([command], [])
            return
        if behind:
            self.edge.run(self.sent(command.octets + behind, []))
            self.hear(command)
            self.leave()
            return
        self.say([command], [])
        assert self.wire is not None
        self.edge.run(self.wire.handshake(self.edge.tls))

    # The message

    @in_session
    @rule(message=grammar.messages, cut=cuts)
    def data(self, message: bytes, cut: list[float]) -> None:
        command = Command("DATA", b"DATA\r\n", frozenset({354}))
        if self.say([command], []).code != 354:
            return
        self.message(message, cut)

    @in_session
    @rule(message=grammar.clean, cut=cuts, kind=st.sampled_from(["DATA", "BDAT"]))
    def whole_transaction(self, message: bytes, cut: list[float], kind: str) -> None:
        """As a client does it; how far it gets is for the session's state to say."""
        message = self.own(message)
        sender = b"citizen@example.org" if self.kind == "mx" else AN.encode()
        ok = frozenset({250})
        commands = [
            Command("RSET", b"RSET\r\n", ok),
            Command("MAIL", b"MAIL FROM:<%s>\r\n" % sender, ok),
            Command("RCPT", b"RCPT TO:<%s>\r\n" % BINH.encode(), ok),
        ]
        if kind == "BDAT":
            half = len(message) // 2
            commands += [grammar.bdat(message[:half], False), grammar.bdat(message[half:], True)]
            self.say(commands, cut)
        elif self.say([*commands, Command("DATA", b"DATA\r\n", frozenset({354}))], cut).code == 354:
            self.message(message, cut)

    @in_session
    @rule(command=grammar.chunks, cut=cuts)
    def bdat(self, command: Command, cut: list[float]) -> None:
        self.say([command], cut)

    @in_session
    @rule(command=grammar.broken_chunks)
    def broken_bdat(self, command: Command) -> None:
        self.say([command], [])

    # The end

    @in_session
    @rule()
    def quit(self) -> None:
        self.say([Command("QUIT", b"QUIT\r\n", frozenset({221}))], [])

    @in_session
    @rule(
        begun=st.sampled_from([b"", b"MAI", b"BDAT 10\r\nabc", b"DATA\r\nFrom: <a@b>\r\n"]),
        rude=st.booleans(),
    )
    def hang_up(self, begun: bytes, rude: bool) -> None:
        assert self.wire is not None
        self.edge.run(self.sent(begun, []))
        if rude:
            self.wire.reset()
        self.leave()

    @invariant()
    def nothing_broke(self) -> None:
        assert self.edge.node.counters.values["internal_errors"] == 0
        assert not self.edge.troubles

    def teardown(self) -> None:
        self.leave()
        self.nothing_broke()
        assert self.edge.take() == []
        self.edge.run(eventually(lambda: not self.edge.files(), "the end of what was not kept"))

    # How

    def say(self, commands: list[Command], cut: list[float]) -> Said:
        """Send them in as many pieces, hear one reply to each; the last one."""
        if self.kind == "mx":
            commands = [grammar.of_stranger(command) for command in commands]
        self.edge.run(self.sent(b"".join(command.octets for command in commands), cut))
        for command in commands:
            said = self.hear(command)
        self.expect_kept()
        return said

    def hear(self, command: Command) -> Said:
        assert self.wire is not None
        allowed = self.model.allowed(command)
        said = self.reply(plain=command.verb in {"EHLO", "HELO"} and 250 in allowed)
        assert said.code in allowed, f"{command}: {said}, not {set(allowed)}"
        self.model.heard(command, said.code)
        if self.model.over:
            if said.code == 501:
                assert self.reply().code == 421
            assert self.edge.run(self.wire.closed())
            self.leave()
        return said

    def reply(self, *, plain: bool = False) -> Said:
        assert self.wire is not None
        try:
            said = self.edge.run(self.wire.reply(plain=plain))
        except Closed as error:
            raise AssertionError(f"no reply: {error}") from error
        assert not TELLS_OF_THE_INSIDE.search(said.text), said
        return said

    def exchange(self, octets: bytes) -> Said:
        self.edge.run(self.sent(octets, []))
        return self.reply()

    def message(self, message: bytes, cut: list[float]) -> None:
        message = self.own(message)
        octets = stuffed(message)
        end = octets.find(b"\r\n.\r\n")
        if not octets.startswith(b".\r\n") and end + 5 == len(octets):
            self.edge.run(self.sent(octets, cut))
            said = self.reply()
            assert said.code in self.model.answers(message), f"{message!r}: {said}"
            self.model.ended(message, said.code)
            self.expect_kept()

    def expect_kept(self) -> None:
        """What was answered 250 is there byte for byte, and nothing else."""
        kept, self.model.kept = self.model.kept, []
        assert sorted(self.edge.take()) == sorted(kept)

    def own(self, message: bytes) -> bytes:
        """In the name of somebody who may write here."""
        return message.replace(grammar.HEAD, grammar.STRANGER) if self.kind == "mx" else message

    async def sent(self, octets: bytes, cut: list[float]) -> None:
        assert self.wire is not None
        edges = [0, *sorted(int(at * len(octets)) for at in cut), len(octets)]
        for start, end in pairwise(edges):
            await self.wire.send(octets[start:end])
            for _ in range(3):
                await asyncio.sleep(0)

    def leave(self) -> None:
        if self.wire is not None:
            self.edge.run(self.wire.close())
            self.edge.quiet()
            self.wire = None


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge")) as running:
        Session.edge = running
        yield running


def play(examples: int) -> None:
    run_state_machine_as_test(
        Session,
        settings=settings(
            max_examples=examples, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.limit_s(SHRINKING_S)
def test_each_command_has_its_reply(edge: Edge) -> None:
    play(EXAMPLES)


@pytest.mark.slow
@pytest.mark.limit_s(budget.LIMIT_S)
def test_each_command_has_its_reply_for_a_long_time(edge: Edge) -> None:
    for _ in budget.rounds():
        play(5 * EXAMPLES)
