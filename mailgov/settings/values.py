"""What a single setting may be: addresses, networks, names. Each raises ValueError in one plain line."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, ClassVar, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)


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


def _domain_name(value: str) -> str:
    return _host_name(value).lower()


def _route_name(value: str) -> str:
    return value if value == "*" else _domain_name(value)


RouteName = Annotated[str, AfterValidator(_route_name)]
"""A domain, or "*" for all outside."""
DomainName = Annotated[str, AfterValidator(_domain_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
"""What we call ourselves in the greeting, in EHLO and in Received."""
LINE_OCTETS = 1000
"""RFC 5321 4.5.3.1.6, CRLF included."""
LineLimit = Annotated[int, Field(ge=0), AfterValidator(_line_limit)]
ServiceAddress = Annotated[str, AfterValidator(_service_address)]
"""`host:port`, or the path of a Unix socket; "" for a service that is not there."""
ServiceUrl = Annotated[str, AfterValidator(_service_url)]

_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


class Room(BaseModel):
    """A section of the settings file: unknown keys are an error, not a silent typo; numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SwitchedRoom(Room):
    """A section that does nothing until one of its keys, `switch`, says so.

    Other keys without it are an error: who wrote them believes that the section is in use. Who has
    turned it off for a while writes the switch with its off value.
    """

    switch: ClassVar[str]

    @model_validator(mode="after")
    def _switch_is_named(self) -> Self:
        if self.model_fields_set and self.switch not in self.model_fields_set:
            given = min(self.model_fields_set)
            raise ValueError(f"{given} does nothing without {self.switch}, which is missing")
        return self
