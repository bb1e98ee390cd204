"""What mail programs ask for to set themselves up, as each of them wants it written.

Mozilla's autoconfig, Outlook's autodiscover ([MS-OXDSCLI], POX) and Apple's configuration profile
say the same: where to read and where to send, always over TLS, the address as the name to sign
in with. Nothing in them tells whether an account exists.
"""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.parsers import expat

from mailgov.settings import Settings

ANSWER_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
OUTER_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
TEXT_CHARACTERS = 1000
"""An address has 254 at most, a schema's name 80."""
DEPTH = 20


@dataclass(frozen=True, slots=True)
class Server:
    """One way in: `kind` imap or smtp; `implicit` TLS from the start, or else STARTTLS."""

    kind: str
    host: str
    port: int
    implicit: bool


def servers(settings: Settings) -> tuple[Server, ...]:
    """The ways in, best first (RFC 8314: TLS from the start before STARTTLS)."""
    ways = (
        ("imap", settings.imap.imaps, True),
        ("imap", settings.imap.listen, False),
        ("smtp", settings.smtp.submissions, True),
        ("smtp", settings.smtp.submission, False),
    )
    return tuple(
        Server(kind, settings.hostname, place.port, implicit)
        for kind, place, implicit in ways
        if place is not None
    )


def autoconfig(province: str, domains: Sequence[str], ways: Sequence[Server]) -> bytes:
    """Thunderbird's config-v1.1.xml; it puts the address in where %EMAILADDRESS% stands."""
    root = ET.Element("clientConfig", version="1.1")
    provider = ET.SubElement(root, "emailProvider", id=ways[0].host)
    for domain in domains:
        _text(provider, "domain", domain)
    _text(provider, "displayName", f"Thư công vụ {province}")
    _text(provider, "displayShortName", province)
    for way in ways:
        name = "incomingServer" if way.kind == "imap" else "outgoingServer"
        server = ET.SubElement(provider, name, type=way.kind)
        _text(server, "hostname", way.host)
        _text(server, "port", str(way.port))
        _text(server, "socketType", "SSL" if way.implicit else "STARTTLS")
        _text(server, "authentication", "password-cleartext")
        _text(server, "username", "%EMAILADDRESS%")
    return _written(root)


@dataclass(frozen=True, slots=True)
class Asked:
    """What Outlook wants to know: of which address, in which form."""

    address: str
    answer_schema: str


class MalformedError(Exception):
    """The request is no autodiscover request."""


def read_autodiscover(body: bytes) -> Asked:
    """Read Outlook's request. Raises MalformedError.

    A document type, and with it every entity of its own, ends the reading: neither files nor
    other hosts are ever looked at, and nothing grows.
    """
    found: dict[str, str] = {}
    path: list[str] = []

    def start(name: str, _attributes: dict[str, str]) -> None:
        path.append(name)
        if len(path) > DEPTH:
            raise MalformedError

    def end(_name: str) -> None:
        path.pop()

    def text(data: str) -> None:
        if path:
            whole = found.get(path[-1], "") + data
            if len(whole) > TEXT_CHARACTERS:
                raise MalformedError
            found[path[-1]] = whole

    def refuse(*_: object) -> None:
        raise MalformedError

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise MalformedError from None
    address, schema = found.get("EMailAddress", "").strip(), found.get("AcceptableResponseSchema", "").strip()
    if not address:
        raise MalformedError
    return Asked(address, schema)


def autodiscover(address: str, ways: Sequence[Server]) -> bytes:
    """Outlook's answer for an address of ours."""
    root, response = _outlook(ANSWER_SCHEMA)
    _text(ET.SubElement(response, "User"), "DisplayName", address)
    account = ET.SubElement(response, "Account")
    _text(account, "AccountType", "email")
    _text(account, "Action", "settings")
    for way in ways:
        protocol = ET.SubElement(account, "Protocol")
        for name, value in (
            ("Type", way.kind.upper()),
            ("Server", way.host),
            ("Port", str(way.port)),
            ("LoginName", address),
            ("DomainRequired", "off"),
            ("SPA", "off"),
            ("SSL", "on" if way.implicit else "off"),
            ("Encryption", "SSL" if way.implicit else "TLS"),
            ("AuthRequired", "on"),
        ):
            _text(protocol, name, value)
    return _written(root)


def autodiscover_error(code: int, message: str) -> bytes:
    """Outlook's form of an error: 600 no valid request, 601 no such form, 500 no such address."""
    root, response = _outlook(None)
    error = ET.SubElement(response, "Error")
    _text(error, "ErrorCode", str(code))
    _text(error, "Message", message)
    ET.SubElement(error, "DebugData")
    return _written(root)


def mobileconfig(province: str, address: str, ways: Sequence[Server]) -> bytes:
    """Apple's profile for iPhone, iPad and Mac; it asks for the password."""
    name = f"Thư công vụ {province}"
    identifier = ".".join(reversed(ways[0].host.split(".")))
    read, send = (next(way for way in ways if way.kind == kind) for kind in ("imap", "smtp"))
    mail = {
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": name,
        "EmailAddress": address,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": read.host,
        "IncomingMailServerPortNumber": read.port,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerUsername": address,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": send.host,
        "OutgoingMailServerPortNumber": send.port,
        "OutgoingMailServerUseSSL": True,
        "OutgoingMailServerUsername": address,
        "OutgoingPasswordSameAsIncomingPassword": True,
        **_payload("com.apple.mail.managed", f"{identifier}.mail", name, address),
    }
    profile = {"PayloadContent": [mail], **_payload("Configuration", identifier, name, address)}
    return plistlib.dumps(profile)


def _payload(kind: str, identifier: str, name: str, address: str) -> dict[str, str | int]:
    """The same profile of the same address has the same ids: installing it again replaces it."""
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.{address.replace('@', '.at.')}",
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}:{identifier}:{address}")).upper(),
        "PayloadDisplayName": name,
    }


def _outlook(schema: str | None) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("Autodiscover", xmlns=OUTER_SCHEMA)
    response = ET.SubElement(root, "Response")
    if schema is not None:
        response.set("xmlns", schema)
    return root, response


def _text(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = value


def _written(root: ET.Element) -> bytes:
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
