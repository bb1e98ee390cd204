"""What people come in by, and how much each may: pages, IMAP, sign-in, sending."""

from __future__ import annotations

from pydantic import Field

from mailgov.settings.values import HostPort, Listen, Network, Room


class HttpSettings(Room):
    listen: HostPort = Listen("127.0.0.1", 8025)
    """Where pages and API listen; TLS is the work of a web server in front."""
    public_url: str = "http://127.0.0.1:8025"
    """As people reach the pages: it stands in refusals, notices and what mail programs are told."""
    trusted_proxies: list[Network] = []
    """Reverse proxies whose X-Forwarded-For is believed; without them the peer itself is the client."""
    connection_limit: int = Field(200, ge=2)
    """Connections at once; beyond them a new one takes the place of one that says nothing."""
    client_connection_limit: int = Field(100, ge=1)
    """Of these, connections of one client other than a trusted proxy: one alone shuts out nobody."""
    request_timeout_s: float = Field(20.0, gt=0)
    """From a connection's first moment to the end of a request, and for each part of an answer to be taken:
    a body of 1 MB over a slow mobile network."""
    session_idle_s: float = Field(1800.0, gt=0)
    """A browser's session ends after this long without a request: an office desk is left open for tea."""
    session_lifetime_s: float = Field(43_200.0, gt=0)
    """And after this long in any case: a working day and its overtime."""


class ImapSettings(Room):
    """Reading mail, served by Dovecot with `serve --imap`; TLS by `[tls]`, before any sign-in."""

    listen: HostPort = Listen("127.0.0.1", 2143)
    """Where people read mail, STARTTLS first; in service port 143."""
    imaps: HostPort | None = Listen("127.0.0.1", 2993)
    """The same, TLS from the start; in service port 993: what clients are told to use (RFC 8314)."""
    connection_limit: int = Field(1000, ge=10)
    """Connections at once; each is a process of about 5 MB."""
    account_connection_limit: int = Field(30, ge=1)
    """Of those, by one account from one address: a client keeps five, and an office shares an address."""


class SignInSettings(Room):
    """Failed sign-ins that are borne, on SMTP, IMAP and HTTP together, before a wait is asked for."""

    failure_window_s: float = Field(900.0, gt=0)
    """Failures are forgotten after this long without another one; refused attempts are none."""
    first_wait_s: float = Field(30.0, gt=0)
    """Asked for once a limit is reached, and twice as much after each further failure, up to
    `failure_window_s`: who mistypes loses half a minute, who guesses has about ten tries in half an hour."""
    pair_limit: int = Field(5, ge=1)
    """By one account from one network: the practice for level-3 systems bears five."""
    network_limit: int = Field(100, ge=1)
    """From one IPv4 address or IPv6 /64, which a whole office may share."""
    account_limit: int = Field(50, ge=1)
    """By one account from everywhere; networks that it signed in from lately are let through. The pages alone
    wait for it: by mail it is a warning in the log, for whoever guesses could else shut a telephone out."""
    password_characters_min: int = Field(14, ge=8)
    """What people choose for themselves: the practice for level-3 systems without a second factor."""
    known_days: int = Field(30, ge=1)
    """How long a network counts as one that the account signs in from."""
    waiting_limit: int = Field(250, ge=1)
    """Sign-ins that wait for their turn in one process, from known networks and others each: 4 s of work."""


class LimitSettings(Room):
    """What one account sends on one node; 0 is no limit. An administrator may set others for an account."""

    messages_per_hour: int = Field(100, ge=0)
    """Messages of an account; by hand nobody writes one in 36 s for an hour; who does mail merges has a
    shared mailbox."""
    messages_per_day: int = Field(500, ge=0)
    """The same in a day: one a minute for a working day. Google's and Microsoft's for one user are 2000 and
    10000."""
    recipients_per_day: int = Field(1000, ge=0)
    """Recipients, as the client names them: a list of ours is one."""
    new_recipients_per_day: int = Field(200, ge=0)
    """Addresses outside the province that neither wrote to us nor were written to by the agency: a stolen
    password writes to nobody else, an official rarely meets twenty in a day."""
    shared_factor: int = Field(4, ge=1)
    """A shared or functional mailbox stands for a desk of several people, or for a program."""
    agency_factor: int = Field(20, ge=1)
    """An agency as a whole: more than that takes several stolen passwords."""
    burst_factor: int = Field(3, ge=2)
    """From this many times a limit on, 550 in the place of 452."""
