"""How much an account and its agency may send: a stolen password must not flood the world.

Counted at RCPT, whether or not the message is finished: see `sending_ahead` and docs/limits.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from mailgov.mail.reply import Reply
from mailgov.relay.node import Node
from mailgov.settings import LimitSettings
from mailgov.store.entries import LIMITS, AccountEntry
from mailgov.store.sending import Charge

T = TypeVar("T")

_UNITS = {
    "messages_per_hour": ("thu trong mot gio", "messages an hour", "gio sau", "next hour"),
    "messages_per_day": ("thu trong mot ngay", "messages for today", "ngay mai", "tomorrow"),
    "recipients_per_day": ("nguoi nhan trong mot ngay", "recipients for today", "ngay mai", "tomorrow"),
    "new_recipients_per_day": (
        "nguoi nhan moi trong mot ngay",
        "new recipients for today",
        "ngay mai",
        "tomorrow",
    ),
}


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that is reached. `holder` is an account's address or an agency's code."""

    holder: str
    agency: bool
    limit: str
    """One of `LIMITS`."""
    allowed: int
    day: str
    reply: Reply


def allowance(settings: LimitSettings, account: AccountEntry) -> dict[str, int]:
    """What the account may send, by limit; 0 is no limit. An administrator's word comes first."""
    factor = 1 if account.kind == "personal" else settings.shared_factor
    return {name: account.limits.get(name, getattr(settings, name) * factor) for name in LIMITS}


async def take(
    node: Node, account: AccountEntry, outside: Sequence[str], *, recipients: int, first: bool
) -> Exceeded | None:
    """Count a recipient of `account`, or say which limit it is over.

    `first`: the message counts too. `recipients` as the client names them, so that a list is one;
    `outside` are those beyond the province, in look-up form.
    """
    settings = node.settings.limits
    now_ms = node.clock.now_ms()
    spans = day, _ = _spans(now_ms // 1000, node.settings.province.timezone)
    counts = int(first), recipients, None if outside else 0
    charges = _charges(_Same(settings), _Same(account), counts, spans)
    if not charges:
        return None
    scope = f"agency:{account.agency}" if account.agency else f"account:{account.address}"
    over = await node.ahead.charge(charges, scope, outside)
    if over is None:
        return None
    agency, holder, name = next(
        (agency, holder, name)
        for agency, holder, _ in _holders(settings, account)
        for name, key in _keys(holder, agency=agency).items()
        if key == over.charge.key
    )
    allowed_now = over.charge.limit
    # A program that queues comes back with what it could not send; who goes on and on is no such program.
    for_good = over.refused > (settings.burst_factor - 1) * allowed_now
    reply = _reply(name, allowed_now, agency=agency, for_good=for_good)
    return Exceeded(holder, agency, name, allowed_now, day, reply)


@lru_cache(maxsize=8)
def _spans(now_s: int, timezone: str) -> tuple[str, str]:
    """The day and the hour of the province."""
    local = datetime.fromtimestamp(now_s, ZoneInfo(timezone))
    return f"{local:%Y-%m-%d}", f"{local:%Y-%m-%dT%H}"


class _Same(Generic[T]):
    """A thing by its identity: comparing it by its value takes longer than what is remembered for it."""

    __slots__ = ("it",)

    def __init__(self, it: T) -> None:
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.it is other.it


@lru_cache(maxsize=1024)
def _charges(
    settings: _Same[LimitSettings],
    account: _Same[AccountEntry],
    counts: tuple[int, int, int | None],
    spans: tuple[str, str],
) -> tuple[Charge, ...]:
    """What is to be counted where `counts` more are sent: messages, recipients, and strangers among them."""
    (messages, recipients, strangers), (day, hour) = counts, spans
    amounts = {
        "messages_per_hour": messages,
        "messages_per_day": messages,
        "recipients_per_day": recipients,
        "new_recipients_per_day": strangers,
    }
    return tuple(
        Charge(key, hour if name == "messages_per_hour" else day, allowed[name], amounts[name])
        for agency, holder, allowed in _holders(settings.it, account.it)
        for name, key in _keys(holder, agency=agency).items()
        if allowed.get(name) and amounts[name] != 0
    )


@lru_cache(maxsize=8192)
def _keys(holder: str, *, agency: bool) -> Mapping[str, str]:
    """What each limit is counted under."""
    return {name: f"{'agency' if agency else 'account'}:{holder}|{name}" for name in LIMITS}


def _holders(settings: LimitSettings, account: AccountEntry) -> list[tuple[bool, str, dict[str, int]]]:
    """Whose limits count: the account's own first, so that it is named before its agency."""
    found = [(False, account.address, allowance(settings, account))]
    if account.agency is not None:
        # What an administrator lets one account send is not the others' to share.
        shared = [name for name in LIMITS if name not in account.limits]
        whole = {name: getattr(settings, name) * settings.agency_factor for name in shared}
        found.append((True, account.agency, whole))
    return found


def _reply(name: str, limit: int, *, agency: bool, for_good: bool) -> Reply:
    unit_vi, unit, until_vi, until = _UNITS[name]
    who_vi, who = ("Co quan", "agency") if agency else ("Hop thu", "account")
    if for_good:
        text = (
            f"{who_vi} da qua xa gioi han {limit} {unit_vi}, hay lien he quan tri vien"
            f" / This {who} is far over its limit of {limit} {unit}, ask your administrator"
        )
        return Reply(550, "5.7.1", text)
    text = (
        f"{who_vi} da dat gioi han {limit} {unit_vi}, gui lai {until_vi} hoac lien he quan tri vien"
        f" / This {who} has reached its limit of {limit} {unit}, try again {until} or ask your administrator"
    )
    return Reply(452, "4.7.1", text)
