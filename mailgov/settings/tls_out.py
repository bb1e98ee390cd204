"""Mail to other servers: what of its encryption is asked for, by whom."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from mailgov.mail.address import Address
from mailgov.settings.values import Room


class TlsMinimum(Room):
    """For one next hop: a domain, or the host that a route or the smarthost names. It stands above what
    that domain publishes of itself (MTA-STS, DANE).
    """

    level: Literal["may", "encrypt", "verify"]
    """`encrypt`: never in the clear; `verify`: with a certificate for one of `names`; else mail waits."""
    names: list[str] = []
    """Names that its certificate may have, `.gov.vn` for all below; none: the next hop and all below it."""
    ca_file: Path | None = None
    """Certificates (PEM) of whom it may be issued by, in the place of `tls_out.ca_file`."""

    @model_validator(mode="after")
    def _only_where_it_is_verified(self) -> Self:
        if self.level != "verify" and (self.names or self.ca_file):
            raise ValueError(f'names and ca_file do nothing with level "{self.level}"')
        return self


class TlsOutSettings(Room):
    """TLS to other servers: see docs/tls.md. DANE (RFC 7672) comes with `dns.validating`."""

    minimum: dict[str, TlsMinimum] = {}
    """By next hop what is asked at least, such as `[tls_out.minimum."moha.gov.vn"]` with
    `level = "verify"`; the keys are `level` (`may`, `encrypt`, `verify`), `names` and `ca_file`."""
    mta_sts: bool = True
    """Ask recipients' domains for their MTA-STS policy, and keep to it (RFC 8461)."""
    mta_sts_port: int = Field(443, ge=1, le=65535)
    """Where policies are; another one for tests alone."""
    reports_from: str = ""
    """An address of ours that sends daily reports to the domains that ask for them (`_smtp._tls`, RFC 8460);
    none: none are sent."""
    ca_file: Path | None = None
    """Whom certificates are believed from (PEM); none: the system's authorities."""

    @field_validator("reports_from")
    @classmethod
    def _address(cls, address: str) -> str:
        return Address.parse(address).key if address else ""
