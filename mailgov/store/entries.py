"""What a snapshot of the directory is made of: values, no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LIMITS = ("messages_per_hour", "messages_per_day", "recipients_per_day", "new_recipients_per_day")
"""What an account may send, by the names of settings and of what an administrator sets."""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as it stands today."""

    id: int
    address: str
    kind: str
    """personal, shared or functional"""
    display_name: str
    agency: str | None
    """Code of the agency of the post that is valid on the snapshot's day."""
    person_class: str | None
    password_hash: str | None = field(repr=False)
    suspended: bool
    must_change: bool
    citizen_desk: bool
    addresses: frozenset[str]
    """Its own address, those granted to it, and the aliases that lead to it alone."""
    registered: frozenset[str]
    """Outside addresses registered for its holder or for its agency."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """What an administrator lets it send, of `LIMITS`; 0 is no limit. The settings tell the rest."""


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """An address that stands for others; `kind` is alias, list or forward."""

    address: str
    kind: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An active DKIM key; `key_file` is relative to the data folder."""

    domain: str
    selector: str
    algorithm: str
    key_file: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The directory at one revision. Addresses and domains are in look-up form (`Address.key`)."""

    revision: int
    policy_revision: int
    loaded_ms: int
    domains: frozenset[str]
    accounts: dict[str, AccountEntry]
    aliases: dict[str, AliasEntry]
    signing_keys: dict[str, tuple[SigningKey, ...]]
    registered: frozenset[str]
    """All registered addresses."""
    disabled_domains: frozenset[str] = frozenset()
    """Domains that were ours and are disabled: nobody signs in there, nothing is relayed there."""
    overseers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Accounts to be told of trouble: the operators' under "", an agency's administrators' under its code."""

    def is_local(self, domain: str) -> bool:
        """True for a domain of the province that is not disabled."""
        return domain.lower() in self.domains

    def account(self, key: str) -> AccountEntry | None:
        """The account whose own address this is, suspended ones included."""
        return self.accounts.get(key)

    def alias(self, key: str) -> AliasEntry | None:
        """The alias, list or forward of this address."""
        return self.aliases.get(key)
