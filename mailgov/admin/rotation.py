"""One DKIM key in the place of another: seen in the DNS, begun, retired."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mailgov.admin import keys, rules
from mailgov.admin.context import Actor, AdminContext, change, require
from mailgov.admin.errors import AdminError, conflict
from mailgov.identity.roles import Act
from mailgov.relay.dns import Resolver
from mailgov.relay.key_records import Published, look_up, private_problem
from mailgov.relay.key_watch import withdraw_ms
from mailgov.relay.sign import signer_of
from mailgov.store import dkim_keys
from mailgov.store.dkim_keys import DkimKeyView


@dataclass(frozen=True, slots=True)
class Look:
    """A key and what the DNS has of it now."""

    key: DkimKeyView
    found: Published
    over: bool = False
    """The last mail that it signed has arrived: it need not be there any more."""

    @property
    def wanted(self) -> bool:
        """Whether the DNS is as the key's state asks for; what is not known now is no fault."""
        return self.over or not self.found.bad


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a call came to: keys made to be published, keys that sign from now on, keys that wait."""

    made: tuple[DkimKeyView, ...] = ()
    begun: tuple[DkimKeyView, ...] = ()
    waiting: tuple[Look, ...] = ()


async def look(ctx: AdminContext, actor: Actor, domain: str | None = None) -> list[Look]:
    """Ask the DNS for each key of a domain, or of all, that is to be there; changes nothing."""
    found = await keys.list_keys(ctx, actor, domain)
    resolver = Resolver(ctx.settings.dns)
    return [
        Look(key, await look_up(resolver, key), over=is_over(key, ctx.now_ms()))
        for key in found
        if key.state != "withdrawn"
    ]


async def begin_key(
    ctx: AdminContext, actor: Actor, domain: str, selector: str, *, unchecked: bool = False
) -> DkimKeyView:
    """A pending key signs from now on, in the place of the one of its algorithm, if the DNS has it.

    `unchecked` does without the DNS. Raises AdminError `conflict` for a key that is not pending, not
    published, or whose private side cannot be used here.
    """
    require(actor, Act.DKIM_BEGIN)
    key = await keys.show_key(ctx, actor, domain, selector)
    if key.state != "pending":
        raise conflict(f"{key.record_name} is {key.state}, not pending")
    found = Published("unknown") if unchecked else await look_up(Resolver(ctx.settings.dns), key)
    if not unchecked and not found.good:
        raise conflict(
            f"{key.record_name} is {found.standing}: {found.detail}; mailgov dns print has the record"
        )
    problem = await asyncio.to_thread(private_problem, signer_of(ctx.settings), key)
    if problem is None and not unchecked:
        problem = _elsewhere(ctx, key)
    if problem is not None:
        raise conflict(problem)
    async with change(ctx, actor, Act.DKIM_BEGIN, key.domain) as step:
        until_ms = withdraw_ms(ctx.settings, step.now_ms)
        retired = await dkim_keys.begin(step.session, key, step.now_ms, until_ms)
        if retired is None:
            raise conflict(f"{key.record_name} is not pending any more")
        if not unchecked:
            seen_ms = key.seen_ms or step.now_ms
            await dkim_keys.note_standing(
                step.session, key, found.standing, found.detail, seen_ms, step.now_ms
            )
        step.content.update(selector=key.selector, algorithm=key.algorithm, retired=retired)
        if unchecked:
            step.content.update(unchecked=True)
    return await keys.show_key(ctx, actor, domain, selector)


def _elsewhere(ctx: AdminContext, key: DkimKeyView) -> str | None:
    """That another machine of ours said last that it cannot sign with the key: it would refuse all mail."""
    detail = key.detail or ""
    if key.standing != "no_private_key" or detail.startswith(f"{ctx.settings.hostname}: "):
        return None
    return f"{detail}: copy the key file there, or take --unchecked"


async def rotate(
    ctx: AdminContext,
    actor: Actor,
    domain: str,
    *,
    algorithm: str | None = None,
    unchecked: bool = False,
) -> Rotation:
    """Make new keys for a domain where none waits, of each algorithm that signs; else begin what waits.

    `algorithm` narrows it to one. A key that waits and is not published yet goes on waiting.
    """
    there = await keys.list_keys(ctx, actor, domain)
    if algorithm is not None:
        there = [key for key in there if key.algorithm == algorithm]
    waiting = [key for key in there if key.state == "pending"]
    if not waiting:
        signing = sorted({key.algorithm for key in there if key.state == "active"}, reverse=True)
        wanted = [algorithm] if algorithm is not None else signing or ["rsa"]
        made = [await keys.generate_key(ctx, actor, domain, algorithm=one) for one in wanted]
        return Rotation(made=tuple(made))
    begun, left = [], []
    for key in waiting:
        found = Published("unknown") if unchecked else await look_up(Resolver(ctx.settings.dns), key)
        if not unchecked and not found.good:
            left.append(Look(key, found))
            continue
        try:
            begun.append(await begin_key(ctx, actor, key.domain, key.selector, unchecked=unchecked))
        except AdminError as error:
            if error.code != "conflict":
                raise
            left.append(Look(key, Published("no_private_key", error.detail)))
    return Rotation(begun=tuple(begun), waiting=tuple(left))


async def retire_key(ctx: AdminContext, actor: Actor, domain: str, selector: str) -> DkimKeyView:
    """A key that signs does so no more; one that waits, or whose mail has arrived, is done with.

    Raises AdminError `conflict` for the last one that signs for its domain.
    """
    require(actor, Act.DKIM_RETIRE)
    key = await keys.show_key(ctx, actor, rules.domain_name(domain), selector)
    if key.state == "withdrawn":
        raise conflict(f"{key.record_name} is withdrawn already")
    async with change(ctx, actor, Act.DKIM_RETIRE, key.domain) as step:
        if key.state == "active":
            until_ms = withdraw_ms(ctx.settings, step.now_ms)
            if not await dkim_keys.retire(step.session, key, step.now_ms, until_ms):
                raise _last(key)
        elif key.state == "retired" and not is_over(key, step.now_ms):
            raise conflict(f"{key.record_name} is retired already; mail that it signed may be on its way")
        elif not await dkim_keys.withdraw(step.session, key):
            raise conflict(f"{key.record_name} was changed by someone else meanwhile")
        step.content.update(selector=key.selector, was=key.state)
    return await keys.show_key(ctx, actor, key.domain, key.selector)


def _last(key: DkimKeyView) -> AdminError:
    return conflict(
        f"{key.record_name} is the only key that signs for {key.domain}:"
        f" make another one first (mailgov dkim rotate {key.domain})"
    )


def advice(key: DkimKeyView, now_ms: int) -> str:
    """What an administrator is to do about the key as it was last seen; "" for nothing."""
    if key.state == "pending":
        if key.standing == "published":
            return "in the DNS; signs soon by itself, or now: mailgov dkim rotate"
        return "publish it; it signs once it is seen in the DNS"
    if key.state == "active":
        return "publish it: others take its signatures for broken" if _missing(key) else ""
    if key.state == "retired":
        if is_over(key, now_ms):
            return "take it out of the DNS: the last mail that it signed has arrived"
        return "leave it in the DNS" + (": it is missing there" if _missing(key) else "")
    return "its private key may be deleted"


def is_over(key: DkimKeyView, now_ms: int) -> bool:
    """Whether all mail that a retired key signed has arrived, or gone back."""
    return key.state == "retired" and now_ms >= (key.withdraw_ms or 0)


def _missing(key: DkimKeyView) -> bool:
    return key.standing not in {None, "published", "unknown"}
