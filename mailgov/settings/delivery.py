"""How mail lies and leaves: the spool, the DNS, and others' servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from mailgov.settings.values import HostPort, Network, Room, RouteName


class DnsSettings(Room):
    nameservers: list[HostPort] = []
    """Whom to ask; none: the system's."""
    validating: bool = False
    """The `nameservers` check DNSSEC and the way to them is safe (the same machine): what they call
    authenticated (AD) is believed, which DANE rests on."""
    timeout_s: float = Field(5.0, gt=0)
    """One question's whole time, retries included."""
    cache_size: int = Field(10_000, ge=100)
    """Answers kept, each for its TTL; about 1 KB each."""

    @model_validator(mode="after")
    def _validating_are_named(self) -> Self:
        if self.validating and not self.nameservers:
            raise ValueError("validating needs nameservers: the system's may be anybody's")
        return self


class DeliveryLogin(Room):
    """A next hop that asks who we are: AUTH PLAIN or LOGIN (RFC 4954), over TLS with a certificate that is
    checked and never otherwise. Where it cannot be, mail waits.
    """

    at: HostPort
    """The smarthost or the route that it is for, as it is written there."""
    user: str = Field(min_length=1)
    """The name of our account there."""
    password_file: Path
    """A file that holds the password: a secret stands in no settings file. Read anew for each session."""
    ca_file: Path | None = None
    """The authorities, in PEM, that its certificate must be of; none: the system's."""


class DeliverySettings(Room):
    smarthost: str = ""
    """`host:port` that takes all mail to outside, in the place of the recipients' own exchangers;
    `smtps:host:port` where TLS comes first. For AUTH see `[[delivery.logins]]`."""
    logins: list[DeliveryLogin] = []
    """See `[[delivery.logins]]`."""
    mx_port: int = Field(25, ge=1, le=65535)
    """The port of exchangers; another one for tests alone."""
    allow_networks: list[Network] = []
    """Private networks that a domain's exchangers may lie in, which are refused otherwise."""
    routes: dict[RouteName, str] = {}
    """By domain, in the place of its exchangers: `smtp:host:port`, `smtps:host:port` (TLS first),
    `lmtp:host:port` or `lmtp:/path` (a Unix socket); `"*"` for all domains outside. A domain of ours
    may be named too: its mailboxes are then kept there, and not in Maildirs here."""
    mailbox_limit_bytes: int = Field(0, ge=0)
    """What a Maildir here may hold, its folders together; what would go past it waits (452 4.2.2) and
    goes back when its time is over. 0 is no limit. Counted anew for each message, file by file."""
    mailbox_limits: dict[str, Annotated[int, Field(ge=0)]] = {}
    """The same, in octets, for one account by its address, or for each account of an agency by its code; an
    account's stands above its agency's, and both above `mailbox_limit_bytes`."""
    concurrency: int = Field(100, ge=1)
    """Deliveries at once in one worker, not counting mailboxes here and those that wait for a slow peer."""
    connection_limit: int = Field(400, ge=1)
    """Connections out of one worker, those that wait included: each is a file descriptor. No more than a
    quarter of the descriptors that the worker may have."""
    destination_concurrency: int = Field(20, ge=1)
    """Deliveries at once to one next hop (Postfix's default too)."""
    retry_schedule_s: list[float] = Field([120, 300, 900, 1800, 3600, 7200, 14400, 28800], min_length=1)
    """Waits between attempts; the last one repeats. RFC 5321 4.5.4.1 asks for 30 minutes in the mean."""
    expire_s: float = Field(432_000.0, gt=0)
    """When mail goes back to its sender; RFC 5321 4.5.4.1: give up after 4 to 5 days."""
    delay_report_s: float = Field(14_400.0, ge=0)
    """How old mail is when its sender hears, once, that it still waits; 0: never."""
    return_limit_bytes: int = Field(262_144, ge=0)
    """A report brings a larger message's header back, although its sender asked for the whole (RET=FULL)."""
    stranger_report_limit: int = Field(20, ge=0)
    """Reports an hour to one reverse-path about mail that came over MX, in one worker."""
    stranger_report_total: int = Field(500, ge=0)
    """The same to all reverse-paths for which SPF did not pass: they may be victims of a forger. And to all
    together of what is no failure, which a stranger has to ask for."""
    connect_timeout_s: float = Field(30.0, gt=0)
    """For a connection to an address of the next hop."""
    command_timeout_s: float = Field(300.0, gt=0)
    """For the reply to a command; RFC 5321 4.5.3.2: 5 minutes for MAIL and RCPT."""
    data_timeout_s: float = Field(600.0, gt=0)
    """For the reply to the end of data; RFC 5321 4.5.3.2.6: 10 minutes."""
    memory_bytes: int = Field(67_108_864, ge=1_048_576)
    """Messages kept in memory for a first attempt; past it they are read back from the spool."""

    @field_validator("retry_schedule_s")
    @classmethod
    def _no_wait_is_nothing(cls, waits: list[float]) -> list[float]:
        if min(waits) <= 0:
            raise ValueError("each wait is more than 0 s, or mail would be tried without a pause")
        return waits


class SpoolSettings(Room):
    group_window_s: float = Field(0.003, ge=0)
    """A commit waits this long for company, and anew after each that came, four times at most, when the one
    before it had some or more mail is on its way."""
    group_limit: int = Field(256, ge=1)
    """Operations in one transaction: bounds how long it takes."""
    reserve_bytes: int = Field(33_554_432, ge=65_536)
    """Room kept on the spool's disk, an eighth of it at most, so that on a full disk mail can still leave."""
    set_aside_after: int = Field(5, ge=2)
    """Attempts that broke inside, or in which the worker died, before a recipient is held for a person."""
    queue_limit: int = Field(4096, ge=1)
    """Operations that wait for the writer; past it a session hears 451."""
