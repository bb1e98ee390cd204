"""The settings file as types. Every limit names its unit, its default and its reason."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from mailgov.mail.address import Address


class Listen(NamedTuple):
    """A host and a port to listen on or to reach."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> Listen:
    """`host:port` or `[v6]:port`; raises ValueError that says what was expected."""
    if isinstance(value, (Listen, tuple)):
        return Listen(*value)
    text = str(value)
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not host:port")
    return Listen(host.strip("[]"), int(port))


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value, strict=False))


HostPort = Annotated[Listen, BeforeValidator(parse_listen), PlainSerializer(str)]
Network = Annotated[str, AfterValidator(_network)]


def _service_address(value: str) -> str:
    return value if not value or value.startswith("/") else str(parse_listen(value))


def _service_url(value: str) -> str:
    if value and (not value.startswith(("http://", "https://")) or not value.partition("://")[2].strip("/")):
        raise ValueError(f"{value!r} is not http://host:port")
    return value.rstrip("/")


def _host_name(value: str) -> str:
    if len(value) > 253 or not _HOST.fullmatch(value):
        raise ValueError(
            f"{value!r} is no host name: letters, digits and hyphens between dots (RFC 1123 2.1)"
        )
    return value


def _line_limit(value: int) -> int:
    if 0 < value < LINE_OCTETS:
        raise ValueError(f"less than the {LINE_OCTETS} octets of a line that mail may have; 0 is no limit")
    return value


HostName = Annotated[str, AfterValidator(_host_name)]
"""What we call ourselves in the greeting, in EHLO and in Received."""
LINE_OCTETS = 1000
"""RFC 5321 4.5.3.1.6, CRLF included."""
LineLimit = Annotated[int, Field(ge=0), AfterValidator(_line_limit)]
ServiceAddress = Annotated[str, AfterValidator(_service_address)]
"""`host:port`, or the path of a Unix socket; "" for a service that is not there."""
ServiceUrl = Annotated[str, AfterValidator(_service_url)]
Failure = Literal["accept", "defer"]
"""What becomes of a message that a service cannot check: taken unchecked, or put off with 451."""
Scanned = Literal["mx", "submission", "trusted"]
Action = Literal["no action", "greylist", "add header", "rewrite subject", "soft reject", "reject"]
"""What rspamd says is to be done with a message."""

_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_ZONE = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){1,8}")
PRIVATE_NETWORKS = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip


class Room(BaseModel):
    """A section of the settings file: unknown keys are an error, not a silent typo; numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DatabaseSettings(Room):
    """The ledger: SQLite by default, PostgreSQL for more than one machine."""

    url: str = "sqlite:///var/ledger.sqlite"
    pool_size: int = Field(5, ge=1, le=100)
    """Connections a process may hold; a worker needs two."""
    timeout_s: float = Field(5.0, gt=0)
    """How long a statement may wait for a connection or a lock before the caller goes on without."""


class TrustedListener(Room):
    """A listener whose peers send without AUTH, as one account: scanners, document systems."""

    listen: HostPort
    networks: list[Network] = Field(min_length=1)
    account: str


class SmtpSettings(Room):
    mx: HostPort | None = Listen("127.0.0.1", 2525)
    submission: HostPort | None = Listen("127.0.0.1", 2587)
    submissions: HostPort | None = Listen("127.0.0.1", 2465)
    trusted: list[TrustedListener] = []
    size_limit_bytes: int = Field(52_428_800, ge=65_536)
    """A 30 MB attachment is 41 MB in base64."""
    recipient_limit: int = Field(1000, ge=100)
    """Recipients of one message; RFC 5321 4.5.3.1.8 asks for 100 at least."""
    header_limit_bytes: int = Field(262_144, ge=16_384)
    """A header block is held in memory to be judged; Postfix allows 100 KB, large lists need more."""
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
    """RFC 5321 4.5.3.2.7: at least 5 minutes for a command."""
    data_timeout_s: float = Field(180.0, gt=0)
    """RFC 5321 4.5.3.2.5: 3 minutes for each piece of a message, by DATA or BDAT."""
    greeting_delay_s: float = Field(0.0, ge=0, le=60)
    """How long a stranger on MX waits for the greeting; who talks before it (RFC 5321 4.3.1) hears 554."""
    proxy_networks: list[Network] = []
    """Load balancers: from these every connection must begin with a PROXY header (version 1 or 2), whose
    address is the client's everywhere; from others it is an unknown command."""
    error_limit: int = Field(20, ge=1)
    """Refused commands after which a session is closed with 421."""
    memory_body_bytes: int = Field(131_072, ge=4096)
    """Bodies up to this size stay in memory and become a row; larger ones go to a file as they come."""
    stopped_data_timeout_s: float = Field(600.0, gt=0)
    """How long a refused message's remaining data is still read before the session is closed."""
    stopped_data_sizes: int = Field(2, ge=1)
    """How large a refused message may get, in `size_limit_bytes`, before that: few clients listen before they
    have sent all of it, and what is twice too large would be refused anyway."""


class TlsSettings(Room):
    certificate: Path | None = None
    key: Path | None = None


class HttpSettings(Room):
    listen: HostPort = Listen("127.0.0.1", 8025)
    public_url: str = "http://127.0.0.1:8025"
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
    """By hand nobody writes one in 36 s for an hour; who does mail merges has a shared mailbox."""
    messages_per_day: int = Field(500, ge=0)
    """One a minute for a working day. Google's and Microsoft's for one user are 2000 and 10000."""
    recipients_per_day: int = Field(1000, ge=0)
    """As the client names them: a list of ours is one."""
    new_recipients_per_day: int = Field(200, ge=0)
    """Addresses outside the province that neither wrote to us nor were written to by the agency: a stolen
    password writes to nobody else, an official rarely meets twenty in a day."""
    shared_factor: int = Field(4, ge=1)
    """A shared or functional mailbox stands for a desk of several people, or for a program."""
    agency_factor: int = Field(20, ge=1)
    """An agency as a whole: more than that takes several stolen passwords."""
    burst_factor: int = Field(3, ge=2)
    """From this many times a limit on, 550 in the place of 452."""


class DnsblSettings(Room):
    """Block lists in the DNS (RFC 5782) that clients from outside are looked up in; none as shipped."""

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


class GreylistingSettings(Room):
    """Strangers are asked to come back: network (/24, /64), reverse-path and recipient together."""

    enabled: bool = False
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


class DnsSettings(Room):
    nameservers: list[HostPort] = []
    """Default: the system's."""
    timeout_s: float = Field(5.0, gt=0)
    """One question's whole time, retries included."""
    cache_size: int = Field(10_000, ge=100)
    """Answers kept, each for its TTL; about 1 KB each."""


class DeliverySettings(Room):
    smarthost: str = ""
    mx_port: int = Field(25, ge=1, le=65535)
    allow_networks: list[Network] = []
    routes: dict[str, str] = {}
    concurrency: int = Field(100, ge=1)
    """Deliveries at once in one worker, not counting mailboxes here and those that wait for a slow peer."""
    connection_limit: int = Field(400, ge=1)
    """Connections out of one worker, those that wait included: each is a file descriptor."""
    destination_concurrency: int = Field(20, ge=1)
    """Deliveries at once to one next hop (Postfix's default too)."""
    retry_schedule_s: list[float] = Field([120, 300, 900, 1800, 3600, 7200, 14400, 28800], min_length=1)
    """Waits between attempts; the last one repeats. RFC 5321 4.5.4.1 asks for 30 minutes in the mean."""
    expire_s: float = Field(432_000.0, gt=0)
    """RFC 5321 4.5.4.1: give up after 4 to 5 days."""
    connect_timeout_s: float = Field(30.0, gt=0)
    command_timeout_s: float = Field(300.0, gt=0)
    """RFC 5321 4.5.3.2: 5 minutes for MAIL and RCPT."""
    data_timeout_s: float = Field(600.0, gt=0)
    """RFC 5321 4.5.3.2.6: 10 minutes for the reply to the end of data."""
    memory_bytes: int = Field(67_108_864, ge=1_048_576)
    """Messages kept in memory for a first attempt; past it they are read back from the spool."""


class SpoolSettings(Room):
    group_window_s: float = Field(0.003, ge=0)
    """A commit waits this long for company, but only when the one before it had some."""
    group_limit: int = Field(256, ge=1)
    """Operations in one transaction: bounds how long it takes."""
    reserve_bytes: int = Field(33_554_432, ge=65_536)
    """Room kept on the spool's disk, an eighth of it at most, so that on a full disk mail can still leave."""
    queue_limit: int = Field(4096, ge=1)
    """Operations that wait for the writer; past it a session hears 451."""


class PolicySettings(Room):
    directory: Path = Path("policy")


class ProvinceSettings(Room):
    name: str = "Cao Bằng"
    directives: list[str] = ["cao-bang"]
    carry_forward: list[str] = []
    directive_numbers: dict[str, str] = {}
    """Numbers of documents whose text does not carry one, such as {"cao-bang": "…/CT-UBND"}."""
    timezone: str = "Asia/Ho_Chi_Minh"
    committee: str = "ubnd"
    """The code of UBND tỉnh's own agency: documents ask some things of it alone."""
    cut_off_day: int = Field(15, ge=2, le=28)
    """First day of the next administrative month: 15 closes November on 14/11 (see `usage.periods`)."""

    @property
    def adopted(self) -> dict[str, list[str]]:
        """Documents' keys by the setting that names them."""
        return {"province.directives": self.directives, "province.carry_forward": self.carry_forward}


class ClamdSettings(Room):
    """Malware, found by ClamAV's clamd; off while there is no address. All limits are of one worker."""

    address: ServiceAddress = ""
    """`host:port` or the path of its Unix socket, which spares the network: `/run/clamav/clamd.ctl`."""
    sources: list[Scanned] = ["mx", "submission", "trusted"]
    """All: an infected office must not send either."""
    timeout_s: float = Field(60.0, gt=0)
    """For one message, the wait for a place included: a 25 MB archive takes clamd 10 to 20 s, and the client
    waits 10 minutes (RFC 5321 4.5.3.2.6)."""
    failure: Failure = "defer"
    """Put off: the sender tries again, nothing is lost, and nothing unchecked gets in meanwhile."""
    size_limit_bytes: int = Field(26_214_400, ge=65_536)
    """What is sent of a message: clamd's StreamMaxLength as it is shipped. Of a larger message so much is
    looked at, and without a find it counts as unchecked."""
    concurrency: int = Field(8, ge=1)
    """Messages at once: clamd works on 10 (MaxThreads) as it is shipped."""
    retry_s: float = Field(15.0, gt=0)
    """After three failures in a row it is not asked for this long: each message fails at once instead."""


class RspamdSettings(Room):
    """Spam, told by rspamd over HTTP; off while there is no URL. All limits are of one worker."""

    url: ServiceUrl = ""
    """Of its normal worker, such as `http://127.0.0.1:11333`."""
    password_file: Path | None = None
    """A file that holds the password, where that worker asks for one: a secret stands in no settings file."""
    sources: list[Scanned] = ["mx"]
    """Strangers alone: what our own people send is theirs, and limits of its own bound it."""
    timeout_s: float = Field(20.0, gt=0)
    """For one message, the wait for a place included: rspamd gives its own look-ups 8 s."""
    failure: Failure = "accept"
    """Spam that gets through is a nuisance, and mail that waits for a filter is one too."""
    size_limit_bytes: int = Field(10_485_760, ge=65_536)
    """A larger message is not sent to it and counts as unchecked: spam is small, sent by the million."""
    concurrency: int = Field(16, ge=1)
    """Messages at once, each on a connection of its own."""
    retry_s: float = Field(15.0, gt=0)
    """As for clamd."""
    spam: list[Action] = ["reject"]
    """Actions of rspamd that make a message `spam`: its surest (a score of 15 as it is shipped)."""
    likely: list[Action] = ["add header", "rewrite subject"]
    """Actions that make it `likely`; what stands in neither list is `ham`, with its score."""


class DemoSettings(Room):
    """Set by `init --demo` alone: what stands for the outside world in a rehearsal."""

    sink: HostPort | None = None
    """`serve` runs a mail sink here that keeps what it gets under the data folder."""


class ImapSettings(Room):
    """Reading mail, served by Dovecot with `serve --imap`; TLS by `[tls]`, before any sign-in."""

    listen: HostPort = Listen("127.0.0.1", 2143)
    """STARTTLS."""
    imaps: HostPort | None = Listen("127.0.0.1", 2993)
    """TLS from the start: what clients are told to use (RFC 8314)."""
    connection_limit: int = Field(1000, ge=10)
    """Connections at once; each is a process of about 5 MB."""
    account_connection_limit: int = Field(30, ge=1)
    """Of those, by one account from one address: a client keeps five, and an office shares an address."""


class Settings(Room):
    """The whole file. Relative paths are taken from the folder of the settings file."""

    hostname: HostName = "localhost"
    data_dir: Path = Path("var")
    database: DatabaseSettings = DatabaseSettings()
    smtp: SmtpSettings = SmtpSettings()
    tls: TlsSettings = TlsSettings()
    http: HttpSettings = HttpSettings()
    dns: DnsSettings = DnsSettings()
    delivery: DeliverySettings = DeliverySettings()
    spool: SpoolSettings = SpoolSettings()
    policy: PolicySettings = PolicySettings()
    province: ProvinceSettings = ProvinceSettings()
    imap: ImapSettings = ImapSettings()
    sign_in: SignInSettings = SignInSettings()
    clamd: ClamdSettings = ClamdSettings()
    rspamd: RspamdSettings = RspamdSettings()
    limits: LimitSettings = LimitSettings()
    dnsbl: DnsblSettings = DnsblSettings()
    reports: ReportsSettings = ReportsSettings()
    greylisting: GreylistingSettings = GreylistingSettings()
    demo: DemoSettings = DemoSettings()
