"""Telling those who run the service that a limit on sending was reached: it may be a stolen password.

Once a day for each account or agency: a mail of our own, a record, a row of the audit log, a line of the log.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP

import structlog

from mailgov.mail.events import MessageEvent
from mailgov.mail.reply import MailError
from mailgov.relay.alarm import SENDING_LIMIT, alarm
from mailgov.relay.edits import mail_date
from mailgov.relay.incoming import Incoming, Recipient
from mailgov.relay.node import Node
from mailgov.relay.own import prepare_own
from mailgov.relay.records import HELO_LENGTH_LIMIT, recipient_record
from mailgov.relay.sending import Exceeded
from mailgov.relay.sign import SigningError
from mailgov.store import sending
from mailgov.store.entries import AccountEntry
from mailgov.store.spool import Change, SpoolError

log = structlog.get_logger()

TOLD_LIMIT = 50
"""Recipients of one alarm."""


async def tell(
    node: Node, account: AccountEntry, incoming: Incoming, recipient: Recipient, exceeded: Exceeded
) -> None:
    """Tell of a limit the first time on its day; what cannot be told now is told with the next refusal."""
    loop = asyncio.get_running_loop()
    key = f"told:{'agency' if exceeded.agency else 'account'}:{exceeded.holder}"
    first = await loop.run_in_executor(
        node.executor, sending.first_time, node.guard, key, exceeded.day, node.clock.now_ms()
    )
    if not first:
        return
    node.counters.add("sending_limit_alarms")
    log.error(
        "sending limit reached",
        account=account.address,
        agency=account.agency,
        limit=exceeded.limit,
        allowed=exceeded.allowed,
        client=incoming.trace.client_address,
    )
    try:
        own = await _mail(node, account, incoming, exceeded) or Change()
        record = _record(node, account, incoming, recipient, exceeded)
        noted = alarm(
            node,
            SENDING_LIMIT,
            account.address,
            agency=account.agency,
            limit=exceeded.limit,
            allowed=exceeded.allowed,
            of="agency" if exceeded.agency else "account",
            client=incoming.trace.client_address,
        )
        await node.spool.apply(Change(messages=own.messages, events=[*own.events, record, noted]))
    except (SpoolError, SigningError, MailError) as error:
        log.error("alarm not sent", account=account.address, cause=str(error))
        await loop.run_in_executor(node.executor, sending.forget_first, node.guard, key)


async def _mail(node: Node, account: AccountEntry, incoming: Incoming, exceeded: Exceeded) -> Change | None:
    """The alarm, for the operators and the agency's own administrators; the account itself is not asked."""
    overseers = node.directory.snapshot.overseers
    domain = account.address.rpartition("@")[2]
    told = [*overseers.get("", ()), *overseers.get(account.agency or "", ())]
    recipients = [one for one in dict.fromkeys(told) if one != account.address][:TOLD_LIMIT]
    content = _content(node, account, incoming, exceeded)
    sender = f"postmaster@{domain}"
    prepared = await prepare_own(node, node.spool, content, sender, recipients or [sender])
    return None if prepared is None else prepared.change


def _content(node: Node, account: AccountEntry, incoming: Incoming, exceeded: Exceeded) -> bytes:
    now_ms, hostname = node.clock.now_ms(), node.settings.hostname
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["From"] = f"postmaster@{account.address.rpartition('@')[2]}"
    mail["Subject"] = f"[{hostname}] {exceeded.holder}: đã đạt giới hạn gửi / sending limit reached"
    mail["Date"] = mail_date(now_ms)
    mail["Message-ID"] = f"<{node.clock.queue_id()}@{hostname}>"
    mail["Auto-Submitted"] = "auto-generated"
    facts = {
        "account": account.address,
        "agency": account.agency or "-",
        "limit": f"{exceeded.limit} = {exceeded.allowed} ({'agency' if exceeded.agency else 'account'})",
        "time": mail_date(now_ms),
        "client": incoming.trace.client_address,
        "listener": str(incoming.facts.get("session.listener")),
    }
    listed = "\n".join(f"  {name}: {value}" for name, value in facts.items())
    mail.set_content(_TEXT.format(listed=listed, address=account.address))
    return mail.as_bytes()


_TEXT = """\
Một hộp thư đã đạt giới hạn gửi. Thư gửi thêm bị hoãn; có thể mật khẩu đã bị lộ.
A mailbox has reached a limit on sending. More of its mail is put off; its password may be stolen.

{listed}

Nếu không phải chủ hộp thư gửi, hãy khóa ngay / If its holder did not send this, suspend it now:
  mailgov account disable {address}
rồi cấp mật khẩu mới, mở lại / then give it a new password and let it in again:
  mailgov account password {address}
  mailgov account enable {address}

Nếu việc gửi là đúng, hãy nâng giới hạn / If it is in order, raise the limit:
  mailgov account limit {address} --help

Báo một lần mỗi ngày. Told once a day.
"""


def _record(
    node: Node, account: AccountEntry, incoming: Incoming, recipient: Recipient, exceeded: Exceeded
) -> MessageEvent:
    """What the API shows: a rejected message whose recipient's last reply says why."""
    told = replace(recipient_record(0, replace(recipient, rejected=True)), last_reply=exceeded.reply.line())
    return MessageEvent(
        verdict="rejected",
        queue_id=node.clock.queue_id(),
        at_ms=node.clock.now_ms(),
        source=incoming.source,
        policy_hash=node.policy.policy.hash,
        account=account.address,
        agency=account.agency,
        personal=account.kind == "personal",
        reverse_path=incoming.reverse_path,
        tls=incoming.trace.tls,
        client=incoming.trace.client_address or None,
        helo=incoming.trace.helo[:HELO_LENGTH_LIMIT] or None,
        recipients=(told,),
    )
