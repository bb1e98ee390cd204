"""What listens for mail, and on which terms. Every limit names its unit, its default and its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mailgov.settings.values import HostPort, LineLimit, Listen, Network, Room


class TrustedListener(Room):
    """A listener whose peers send without AUTH, as one account: scanners, document systems."""

    listen: HostPort
    """Where it listens."""
    networks: list[Network] = Field(min_length=1)
    """Who may connect; others are turned away."""
    account: str
    """The address of the account that its mail is by."""


class SmtpSettings(Room):
    mx: HostPort | None = Listen("127.0.0.1", 2525)
    """Where mail from outside comes in; in service port 25."""
    submission: HostPort | None = Listen("127.0.0.1", 2587)
    """Where people send, STARTTLS first; in service port 587."""
    submissions: HostPort | None = Listen("127.0.0.1", 2465)
    """Where people send, TLS from the start; in service port 465."""
    trusted: list[TrustedListener] = []
    """See `[[smtp.trusted]]`."""
    size_limit_bytes: int = Field(52_428_800, ge=65_536)
    """The largest message; a 30 MB attachment is 41 MB in base64."""
    recipient_limit: int = Field(1000, ge=100)
    """Recipients of one message; RFC 5321 4.5.3.1.8 asks for 100 at least."""
    header_limit_bytes: int = Field(262_144, ge=16_384)
    """The largest header: it is held in memory to be judged; Postfix allows 100 KB, large lists need more."""
    hop_limit: int = Field(50, ge=10)
    """Received fields after which a message loops (RFC 5321 6.3 asks for 100 at most, 50 is common)."""
    session_limit: int = Field(500, ge=1)
    """Sessions on one listener in one worker, TLS handshakes under way included. Each has its own room, so
    that strangers on MX cannot shut submission; a session takes 1 MB at the worst."""
    client_session_limit: int = Field(50, ge=1)
    """Of these, sessions of one client (an address, or a /64 of IPv6), and once signed in of one account:
    ten clients are needed to fill a listener. Postfix's smtpd_client_connection_count_limit is 50 too."""
    unlimited_networks: list[Network] = []
    """Networks without a limit for each client: a gateway in front, through which everybody comes."""
    gateway_networks: tuple[Network, ...] = ()
    """Filter gateways that the world's mail comes through (a ministry's, a cloud's): checks of the connection
    ask about the client that their Received field names. Without a limit for each client too."""
    tls_handshake_timeout_s: float = Field(30.0, gt=0)
    """For the handshake on submissions; a slow mobile network needs a few seconds."""
    junk_command_limit: int = Field(100, ge=1)
    """Commands of a session that bring no message nearer (NOOP, RSET, EHLO, a recipient named again), after
    which it is closed; a message taken in starts anew. Postfix's smtpd_junk_command_limit is 100 too."""
    session_message_limit: int = Field(1000, ge=1)
    """MAIL commands of a session, refused ones too (RFC 9422's MAILMAX); the next one hears 421."""
    line_limit_octets: LineLimit = 0
    """Octets of a line, CRLF included, in a message from outside or from a trusted system; 0: no limit."""
    submitted_line_limit_octets: LineLimit = 1000
    """The same for a person's mail (RFC 5321 4.5.3.1.6): some next hop would break or refuse longer ones."""
    bare_line_ends: Literal["refuse", "normalize"] = "refuse"
    """What becomes of a CR or LF that is not part of CRLF in a message."""
    idle_timeout_s: float = Field(300.0, gt=0)
    """How long a command is waited for; RFC 5321 4.5.3.2.7: at least 5 minutes."""
    data_timeout_s: float = Field(180.0, gt=0)
    """How long each piece of a message is waited for, by DATA or BDAT; RFC 5321 4.5.3.2.5: 3 minutes."""
    greeting_delay_s: float = Field(0.0, ge=0, le=60)
    """How long a stranger on MX waits for the greeting; who talks before it (RFC 5321 4.3.1) hears 554."""
    proxy_networks: list[Network] = []
    """Load balancers: from these every connection must begin with a PROXY header (version 1 or 2), whose
    address is the client's everywhere; from others it is an unknown command."""
    error_limit: int = Field(20, ge=1)
    """Refused commands after which a session is closed with 421."""
    unknown_recipient_limit: int = Field(100, ge=0)
    """Recipients that do not exist, named by one client on MX in an hour and a worker, after which each one
    that it names is put off until the hour is over: who tries names learns no more. Not while more of its
    messages were taken. 0: no limit."""
    memory_body_bytes: int = Field(131_072, ge=4096)
    """Bodies up to this size stay in memory and become a row; larger ones go to a file as they come."""
    stopped_data_timeout_s: float = Field(600.0, gt=0)
    """How long a refused message's remaining data is still read before the session is closed."""
    stopped_data_sizes: int = Field(2, ge=1)
    """How large a refused message may get, in `size_limit_bytes`, before that: few clients listen before they
    have sent all of it, and what is twice too large would be refused anyway."""


class TlsSettings(Room):
    certificate: Path | None = None
    """PEM, the chain included; without one nobody can sign in by mail."""
    key: Path | None = None
    """PEM, without a password."""

    @model_validator(mode="after")
    def _both(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: name both, or neither")
        return self
