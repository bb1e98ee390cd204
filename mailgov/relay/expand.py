"""Who a local address stands for: accounts, aliases, lists, forwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from mailgov.mail.address import Address, AddressError
from mailgov.store.entries import AccountEntry, Snapshot

DEPTH_LIMIT = 10
TARGET_LIMIT = 5000
"""Recipients that one address may stand for: more than the officials of a province's largest list."""


class UnknownRecipient(Exception):
    """No account and no alias has this address."""


class TooManyTargets(Exception):
    """The address stands for more recipients than one message may have."""


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Target:
    """One final recipient. `via` is the kind of the last alias on the way: alias, list, forward."""

    address: Address
    original: str
    account: AccountEntry | None = None
    via: str | None = None

    @property
    def local(self) -> bool:
        return self.account is not None


def resolve(
    snapshot: Snapshot, address: Address, renamed: Mapping[str, str] = MappingProxyType({})
) -> tuple[Target, ...]:
    """The final recipients of a local `address`, each once.

    `renamed` says of a domain of ours what it is called now: an address that it does not have itself
    is looked for there (a province that was merged, a commune with another name).
    `user+detail` falls back to `user` (RFC 5233). Raises UnknownRecipient when nothing has
    the address, TooManyTargets past the bound. An alias that leads to itself ends there.
    """
    found: dict[str, Target] = {}
    seen: set[str] = set()
    _walk(_Directory(snapshot, renamed), address, str(address), None, DEPTH_LIMIT, found, seen)
    if not found:
        raise UnknownRecipient(str(address))
    return tuple(found.values())


class _Directory(NamedTuple):
    """Where addresses are looked for."""

    snapshot: Snapshot
    renamed: Mapping[str, str]


def _walk(
    directory: _Directory,
    address: Address,
    original: str,
    via: str | None,
    depth: int,
    found: dict[str, Target],
    seen: set[str],
) -> None:
    if len(found) > TARGET_LIMIT:
        raise TooManyTargets(original)
    snapshot = directory.snapshot
    if address.domain in snapshot.disabled_domains:
        return  # once ours, now nobody's: never to be looked for outside
    if not snapshot.is_local(address.domain):
        found.setdefault(address.key, Target(address, original, None, via))
        return
    key = _known_key(snapshot, address)
    if key is None:
        now = directory.renamed.get(address.domain)
        if now is not None and depth > 0:
            moved = Address.parse(f"{address.local}@{now}")
            _walk(directory, moved, original, via or "alias", depth - 1, found, seen)
        return
    if key in seen:
        return
    seen.add(key)
    account = snapshot.account(key)
    if account is not None:
        found.setdefault(key, Target(Address.parse(account.address), original, account, via))
        return
    alias = snapshot.alias(key)
    if alias is None or depth <= 0:
        return
    for target in alias.targets:
        try:
            next_address = Address.parse(target)
        except AddressError:
            continue
        _walk(directory, next_address, original, alias.kind, depth - 1, found, seen)


def _known_key(snapshot: Snapshot, address: Address) -> str | None:
    for key in (address.key, _without_detail(address)):
        if key is not None and (snapshot.account(key) is not None or snapshot.alias(key) is not None):
            return key
    return None


def _without_detail(address: Address) -> str | None:
    local, plus, _ = address.local.partition("+")
    return f"{local.lower()}@{address.domain}" if plus and local else None
