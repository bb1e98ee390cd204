"""From replies to the spool: what is final, what waits and how long, what bounces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailgov.mail.events import MessageEvent, OutcomeEvent
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.reply import INTERNAL_ERROR, Reply
from mailgov.relay.attended import heed_clock
from mailgov.relay.node import Node
from mailgov.relay.outcome import EXPIRED, JITTER, Outcome, settle
from mailgov.settings import DeliverySettings
from mailgov.store.spool import Change, QueuedMessage, SpoolError
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN, node_settings, running_node
from tests.unit.relay.conftest import START_MS, OwnTime, outcomes, queued, stored

OK = Reply(250, "2.0.0", "taken")
LATER = Reply(451, "4.4.1", "not now", heard=True)
NEVER = Reply(550, "5.1.1", "no such mailbox")
TO = "khach@example.org"


async def events(node: Node) -> list[OutcomeEvent]:
    found = [event for _, event in await node.spool.events(0, 1000)]
    return [event for event in found if isinstance(event, OutcomeEvent)]


async def waiting(node: Node, queue_id: str = "01Q") -> QueuedMessage | None:
    return await node.spool.find(queue_id)


async def notices(node: Node) -> list[QueuedMessage]:
    """Messages in the spool but the first one."""
    claimed = await node.spool.claim(2**60, 100)
    return [message for message in claimed if message.queue_id != "01Q"]


@pytest.mark.parametrize("reply", [OK, Reply(251, "2.1.5", "x"), Reply(299, "2.0.0", "x")])
async def test_a_positive_reply_is_final(node: Node, reply: Reply) -> None:
    message = await stored(node, queued(TO))
    await settle(node, node.spool, message, outcomes(message, reply))
    await node.spool.apply(Change())  # the lazy change before it is written by now
    assert await waiting(node) is None
    (event,) = await events(node)
    assert (event.state, event.reply, event.attempts) == ("delivered", reply.line(), 1)


@pytest.mark.parametrize(("attempts", "wait_s"), [(0, 100), (1, 200), (2, 400), (3, 400), (50, 400)], ids=str)
@pytest.mark.parametrize(("bits", "share"), [(0, 1 - JITTER), (32_768, 1.0), (65_535, 1 + JITTER)])
async def test_waits_follow_the_schedule_within_the_jitter(
    node: Node, time: OwnTime, attempts: int, wait_s: int, bits: int, share: float
) -> None:
    time.bits = bits
    message = await stored(node, queued(TO, attempts=attempts))
    await settle(node, node.spool, message, outcomes(message, LATER))
    found = await waiting(node)
    assert found is not None
    (recipient,) = found.recipients
    assert (recipient.due_ms - START_MS) / 1000 == pytest.approx(wait_s * share, abs=0.02)
    assert (recipient.attempts, recipient.state, recipient.last_reply) == (
        attempts + 1,
        "ready",
        LATER.line(),
    )
    (event,) = await events(node)
    assert event.state == "deferred"
    assert await notices(node) == []


def test_the_shipped_schedule_asks_nobody_more_than_once_a_minute_and_ever_less() -> None:
    schedule = DeliverySettings().retry_schedule_s
    assert min(schedule) * (1 - JITTER) > 60
    assert schedule == sorted(set(schedule))


async def test_time_runs_out_between_one_attempt_and_the_next(node: Node, time: OwnTime) -> None:
    expire_ms = int(node.settings.delivery.expire_s * 1000)
    message = await stored(node, queued(TO))
    time.ms = START_MS + expire_ms - 1
    await settle(node, node.spool, message, outcomes(message, LATER))
    assert await waiting(node) is not None
    assert len(await notices(node)) == 1, "that it waits"
    time.ms += 1
    await settle(node, node.spool, message, outcomes(message, LATER))
    assert await waiting(node) is None
    state = (await events(node))[-1]
    assert state.state == "bounced"
    assert state.reply == f"{EXPIRED.line()}; last reply: {LATER.line()}"
    (notice,) = await notices(node)
    assert (notice.reverse_path, notice.recipients[0].address) == ("", AN)
    told = b" ".join((await node.spool.body_bytes(notice)).split())
    assert b"Action: failed" in told
    assert b"Status: 5.4.7" in told
    assert b"Diagnostic-Code: smtp; 451 4.4.1 not now" in told, "the next hop never said 554"


async def test_the_last_attempt_comes_when_the_time_is_over(node: Node, time: OwnTime) -> None:
    """As a notice of delay says; the schedule's next one may be eight hours behind it."""
    end_ms = START_MS + int(node.settings.delivery.expire_s * 1000)
    message = await stored(node, queued(TO, attempts=9))
    time.ms = end_ms - 90_000
    await settle(node, node.spool, message, outcomes(message, LATER))
    found = await waiting(node)
    assert found is not None
    assert found.recipients[0].due_ms == end_ms


async def test_an_expired_message_is_still_delivered_when_it_is_taken(node: Node, time: OwnTime) -> None:
    message = await stored(node, queued(TO))
    time.ms += 10 * 86_400_000
    await settle(node, node.spool, message, outcomes(message, OK))
    await node.spool.apply(Change())
    assert [event.state for event in await events(node)] == ["delivered"]


async def test_a_clock_that_leaps_ahead_expires_nothing_for_a_day(node: Node, time: OwnTime) -> None:
    """An hour, a day, and 2038: once the day is over, a wall clock that was not set back is believed."""
    for number, leap_ms in enumerate((3_600_000, 86_400_000, 2_147_483_648_000 - START_MS)):
        message = await stored(node, queued(TO, queue_id=f"Q{number}", received_ms=time.ms))
        time.ms += leap_ms
        time.leapt_ms += leap_ms
        await settle(node, node.spool, message, outcomes(message, LATER))
        assert await waiting(node, f"Q{number}") is not None
        time.ms += 23 * 3_600_000
        assert node.steady.doubtful() or leap_ms < 3_600_000
    time.ms += 2 * 3_600_000
    message = await waiting(node, "Q0") or queued()
    await settle(node, node.spool, message, outcomes(message, LATER))
    assert await waiting(node, "Q0") is None
    (told,) = [event for event in await events(node) if event.state == "bounced"]
    assert told.queue_id == "Q0"


async def test_while_nothing_ran_no_time_went_by_for_the_queue(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime
) -> None:
    """A clock that leaps while the service is down, or a service that is down for longer than mail waits."""
    settings = node_settings(tmp_path, {"dns": {"nameservers": [dns_server.address]}})

    async def waits(down_ms: int) -> bool:
        """After so long without a process: is the message still there when it cannot be delivered?"""
        time.ms += down_ms
        time.leapt_ms += down_ms
        with running_node(settings, clock=time.clock()) as node:
            await heed_clock(node, [node.spool])
            message = await waiting(node) or await stored(node, queued(TO, received_ms=START_MS))
            await settle(node, node.spool, message, outcomes(message, LATER))
            found = await waiting(node) is not None
            if not node.steady.doubtful():
                return found
            time.ms += 23 * 3_600_000
            await heed_clock(node, [node.spool])
            assert node.steady.doubtful()
            return found

    assert await waits(0)
    assert await waits(6 * 86_400_000)
    assert await waits(300_000), "a restart meanwhile changes nothing"
    (tmp_path / "spool" / "0" / "seen").unlink()  # as an earlier version left it: the clock is believed
    assert not await waits(0)


async def test_a_message_that_breaks_each_attempt_is_set_aside_and_its_neighbours_are_not(
    node: Node,
) -> None:
    broken = await stored(node, queued(TO))
    other = await stored(node, queued(TO, queue_id="02Q"))
    limit = node.settings.spool.set_aside_after
    for tried in range(limit):
        found = await waiting(node)
        assert found is not None
        assert [r.state for r in found.recipients] == ["ready"], f"after {tried} attempts"
        await settle(node, node.spool, found, [Outcome(found.recipients[0], INTERNAL_ERROR, broke=True)])
        await settle(node, node.spool, other, [Outcome(other.recipients[0], INTERNAL_ERROR)])
    found = await waiting(node)
    assert found is not None
    assert [r.state for r in found.recipients] == ["held"]
    assert (found.recipients[0].last_reply or "").startswith(f"451 4.3.0 Set aside: {limit} times")
    assert await node.spool.claim(2**60, 100) != []
    last = [event for event in await events(node) if event.queue_id == broken.queue_id][-1]
    assert last.state == "held"
    neighbour = await waiting(node, "02Q")
    assert neighbour is not None
    assert [r.state for r in neighbour.recipients] == ["ready"], "a disk that fails sets nothing aside"


async def test_a_refusal_bounces_in_the_transaction_that_ends_it(node: Node) -> None:
    message = await stored(node, queued(TO))
    before = node.spool.commits
    await settle(node, node.spool, message, outcomes(message, NEVER))
    assert node.spool.commits == before + 1
    assert await waiting(node) is None
    (notice,) = await notices(node)
    body = await node.spool.body_bytes(notice)
    header = HeaderBlock.scan(body)
    assert header.first(b"to") == f"<{AN}>".encode()
    assert header.first(b"auto-submitted") == b"auto-replied"
    assert b"Final-Recipient: rfc822; khach@example.org" in body
    assert b"Status: 5.1.1" in body
    assert b"Subject: 12/CV-UBND" in body, "the header of what failed"
    assert b"\r\nbody\r\n" not in body, "and not its text"
    assert [event.state for event in await events(node)] == ["bounced"]
    made = [event for _, event in await node.spool.events(0, 100) if isinstance(event, MessageEvent)]
    assert [(event.source, event.queue_id, event.automatic) for event in made] == [
        ("own", notice.queue_id, True)
    ]


async def test_each_recipient_has_a_fate_of_its_own(node: Node) -> None:
    message = await stored(node, queued("a@x.org", "b@x.org", "c@x.org", "d@x.org"))
    await settle(node, node.spool, message, outcomes(message, OK, LATER, NEVER, replace(NEVER, text="full")))
    found = await waiting(node)
    assert found is not None
    assert [r.address for r in found.recipients] == ["b@x.org"]
    assert [event.state for event in await events(node)] == ["delivered", "deferred", "bounced", "bounced"]
    (notice,) = await notices(node)
    body = await node.spool.body_bytes(notice)
    assert body.count(b"Final-Recipient:") == 2, "one notice tells of both"
    assert b"a@x.org" not in body
    assert b"b@x.org" not in body


async def test_no_bounce_for_the_null_reverse_path(node: Node) -> None:
    message = await stored(node, queued(TO, reverse_path=""))
    await settle(node, node.spool, message, outcomes(message, NEVER))
    assert await waiting(node) is None
    assert await notices(node) == []
    assert [event.state for event in await events(node)] == ["bounced"]


@pytest.mark.parametrize("reverse_path", ["nobody@caobang.gov.vn", "not an address", "@", "\udcff@x.org"])
async def test_a_reverse_path_that_reaches_nobody_ends_quietly(node: Node, reverse_path: str) -> None:
    message = await stored(node, queued(TO, reverse_path=AN))
    message = replace(message, reverse_path=reverse_path)
    await settle(node, node.spool, message, outcomes(message, NEVER))
    assert await waiting(node) is None
    assert await notices(node) == []
    assert node.counters.values["own_mail_dropped"] == 1


async def test_where_no_bounce_can_be_made_the_failed_wait_and_the_others_are_settled(node: Node) -> None:
    """Else the author is never told, or those who have the message get it again and again."""
    (node.settings.data_dir / "r1.pem").unlink()
    message = await stored(node, queued("a@x.org", "b@x.org"))
    await settle(node, node.spool, message, outcomes(message, OK, NEVER))
    found = await waiting(node)
    assert found is not None
    assert [(r.address, r.last_reply) for r in found.recipients] == [("b@x.org", NEVER.line())]
    assert [event.state for event in await events(node)] == ["delivered", "deferred"]
    assert node.counters.values["internal_errors"] == 1


async def test_an_outcome_that_cannot_be_written_leaves_everything(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = await stored(node, queued(TO))

    def fail(*_: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr("mailgov.store.spool.rows.move", fail)
        with pytest.raises(SpoolError):
            await settle(node, node.spool, message, outcomes(message, NEVER))
    assert await waiting(node) is not None
    assert await events(node) == []
    assert await notices(node) == []


async def test_what_the_ledger_is_told(node: Node) -> None:
    message = queued(TO)
    context = {"account": AN, "agency": "SNV"}
    message = replace(
        message,
        recipients=(replace(message.recipients[0], context=context),),
        context={"document_class": "CV", "automatic": True},
    )
    await stored(node, message)
    outcome = Outcome(message.recipients[0], LATER, mx_host="mx.example.org", mx_provider="free")
    await settle(node, node.spool, message, [outcome])
    (event,) = await events(node)
    assert (event.account, event.agency, event.document_class, event.automatic) == (AN, "SNV", "CV", True)
    assert (event.mx_host, event.mx_provider, event.size_bytes) == (
        "mx.example.org",
        "free",
        message.body.size_bytes,
    )
