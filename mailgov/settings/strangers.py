"""How mail from strangers is met: block lists, greylisting, and what others report of mail in our name."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from mailgov.mail.address import Address
from mailgov.settings.values import Network, Room, SwitchedRoom

_ZONE = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){1,8}")
PRIVATE_NETWORKS = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip


class DnsblSettings(SwitchedRoom):
    """Block lists in the DNS (RFC 5782) that clients from outside are looked up in; none as shipped."""

    switch: ClassVar[str] = "zones"

    zones: list[str] = Field([], max_length=8)
    """Such as "zen.spamhaus.org": read a list's terms first, and ask it through a resolver of your own."""
    exempt_networks: tuple[Network, ...] = PRIVATE_NETWORKS
    """Never looked up: no list knows them, and nobody else is to."""

    @field_validator("zones")
    @classmethod
    def _domains(cls, zones: list[str]) -> list[str]:
        named = [zone.strip(".").lower() for zone in zones]
        for zone in named:
            if not _ZONE.fullmatch(zone):
                raise ValueError(f"{zone!r} is no domain")
        return named


class GreylistingSettings(SwitchedRoom):
    """Strangers are asked to come back: network (/24, /64), reverse-path and recipient together."""

    switch: ClassVar[str] = "enabled"

    enabled: bool = False
    """Whether strangers are put off."""
    delay_s: float = Field(300.0, gt=0)
    """Servers try again after 5 to 15 minutes; what sprays has gone on by then."""
    back_within_s: float = Field(172_800.0, gt=0)
    """A try after this long is a first one again: servers give up after some days (RFC 5321 4.5.4.1)."""
    remember_days: int = Field(36, ge=1)
    """Who came back is let through for this long, anew with each message: a monthly letter never waits."""
    exempt_networks: tuple[Network, ...] = ()
    """Beside `smtp.unlimited_networks`: partners' mail servers."""

    @model_validator(mode="after")
    def _there_is_time(self) -> GreylistingSettings:
        if self.back_within_s <= self.delay_s:
            raise ValueError("back_within_s must be more than delay_s, or nobody would ever be let through")
        return self


class ReportsSettings(Room):
    """Other providers' reports about mail in our name (RFC 9990, RFC 8460)."""

    mailbox: str = ""
    """An account or alias here that `rua=` in the DNS names; what reaches it is summed up too."""

    @field_validator("mailbox")
    @classmethod
    def _address(cls, mailbox: str) -> str:
        return Address.parse(mailbox).key if mailbox else ""
