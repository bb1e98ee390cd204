"""What Thunderbird, Outlook and Apple's devices are told, and what hostile requests get."""

from __future__ import annotations

import plistlib
from xml.etree import ElementTree as ET

import httpx2
import pytest

from mailgov.store import directory
from tests.unit.api.conftest import Api
from tests.unit.api.world import NOW_MS

DOMAIN, OTHER, OLD = "caobang.gov.vn", "so.caobang.gov.vn", "cu.gov.vn"
AN = f"annv@{DOMAIN}"
ANSWER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
OUTER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
AUTOCONFIG = "/.well-known/autoconfig/mail/config-v1.1.xml"


@pytest.fixture
async def ask(api: Api) -> httpx2.AsyncClient:
    """A client of a province with two domains in use and one that is not."""
    async with api.services.db.write() as session:
        for name in (DOMAIN, OTHER, OLD):
            await directory.add_domain(session, name, NOW_MS)
        await directory.set_domain_disabled(session, OLD, NOW_MS)
    return api.ask


def outlook(address: str, schema: str = ANSWER) -> bytes:
    """What Outlook sends."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">'
        f"<Request><EMailAddress>{address}</EMailAddress>"
        f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    ).encode()


def parsed(content: bytes) -> ET.Element:
    return ET.fromstring(content)  # noqa: S314 - our own answer


def error_of(answer: httpx2.Response) -> str | None:
    """The code in Outlook's form of an error."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return parsed(answer.content).findtext(f"{{{OUTER}}}Response/{{{OUTER}}}Error/{{{OUTER}}}ErrorCode")


@pytest.mark.parametrize("path", [AUTOCONFIG, "/mail/config-v1.1.xml"])
async def test_thunderbird(ask: httpx2.AsyncClient, path: str) -> None:
    answer = await ask.get(path, params={"emailaddress": AN})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    (provider,) = parsed(answer.content)
    assert [domain.text for domain in provider.findall("domain")] == [DOMAIN]
    told = [
        (
            server.tag,
            server.get("type"),
            *(server.findtext(name) for name in ("hostname", "port", "socketType")),
        )
        for server in provider
        if server.tag.endswith("Server")
    ]
    assert told == [
        ("incomingServer", "imap", "localhost", "2993", "SSL"),
        ("incomingServer", "imap", "localhost", "2143", "STARTTLS"),
        ("outgoingServer", "smtp", "localhost", "2465", "SSL"),
        ("outgoingServer", "smtp", "localhost", "2587", "STARTTLS"),
    ]
    assert {server.findtext("username") for server in provider if server.tag.endswith("Server")} == {
        "%EMAILADDRESS%"
    }


async def test_without_an_address_every_domain_in_use_is_named(ask: httpx2.AsyncClient) -> None:
    (provider,) = parsed((await ask.get(AUTOCONFIG)).content)
    assert [domain.text for domain in provider.findall("domain")] == [DOMAIN, OTHER]


@pytest.mark.parametrize(
    "address", ["an@example.org", f"an@{OLD}", "an", "<x>@y", f"đặng@{DOMAIN}", "@", "a" * 400]
)
async def test_other_peoples_addresses_are_not_found(ask: httpx2.AsyncClient, address: str) -> None:
    for path, name in ((AUTOCONFIG, "emailaddress"), ("/mobileconfig", "email")):
        answer = await ask.get(path, params={name: address})
        assert answer.status_code in {404, 422}
    assert (
        error_of(await ask.post("/autodiscover/autodiscover.xml", content=outlook("an@example.org"))) == "500"
    )


async def test_nothing_tells_an_account_from_a_name_that_nobody_has(ask: httpx2.AsyncClient) -> None:
    path = "/autodiscover/autodiscover.xml"
    there, not_there = [
        await ask.post(path, content=outlook(f"{name}@{DOMAIN}")) for name in ("annv", "niemand")
    ]
    assert there.content.replace(b"annv", b"niemand") == not_there.content


@pytest.mark.parametrize(
    "path",
    ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"],
)
async def test_outlook(ask: httpx2.AsyncClient, path: str) -> None:
    answer = await ask.post(path, content=outlook(AN.upper()), headers={"Content-Type": "text/xml"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = parsed(answer.content)
    assert root.tag == f"{{{OUTER}}}Autodiscover"
    account = root.find(f"{{{ANSWER}}}Response/{{{ANSWER}}}Account")
    assert account is not None
    assert account.findtext(f"{{{ANSWER}}}Action") == "settings"
    told = [
        tuple(
            protocol.findtext(f"{{{ANSWER}}}{name}")
            for name in ("Type", "Server", "Port", "LoginName", "Encryption")
        )
        for protocol in account.findall(f"{{{ANSWER}}}Protocol")
    ]
    assert told == [
        ("IMAP", "localhost", "2993", AN, "SSL"),
        ("IMAP", "localhost", "2143", AN, "TLS"),
        ("SMTP", "localhost", "2465", AN, "SSL"),
        ("SMTP", "localhost", "2587", AN, "TLS"),
    ]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"EMailAddress=an",
        b"<Autodiscover>",
        b"<a><b></a></b>",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
        outlook(""),
        outlook("x" * 2000),
        f'<!DOCTYPE a [<!ENTITY l0 "x">{LAUGHS}]><EMailAddress>&l9;</EMailAddress>'.encode(),
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><EMailAddress>&f;</EMailAddress>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><EMailAddress>a</EMailAddress>',
        b"<a>" * 100 + b"</a>" * 100,
    ],
    ids=lambda body: body[:24],
)
async def test_what_is_no_request_of_outlooks(ask: httpx2.AsyncClient, body: bytes) -> None:
    assert error_of(await ask.post("/autodiscover/autodiscover.xml", content=body)) == "600"


async def test_a_form_that_is_not_ours_and_a_body_without_end(ask: httpx2.AsyncClient) -> None:
    path = "/autodiscover/autodiscover.xml"
    assert (
        error_of(await ask.post(path, content=outlook(AN, ANSWER.replace("outlook", "mobilesync")))) == "601"
    )
    assert (await ask.post(path, content=b"<a>" + b" " * 20_000)).status_code == 413
    assert (await ask.get(path)).status_code == 405


async def test_apple(ask: httpx2.AsyncClient) -> None:
    answer = await ask.get("/mobileconfig", params={"email": AN})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-apple-aspen-config")
    profile = plistlib.loads(answer.content)
    (mail,) = profile["PayloadContent"]
    assert profile["PayloadType"] == "Configuration"
    assert (mail["EmailAddress"], mail["IncomingMailServerUsername"], mail["EmailAccountType"]) == (
        AN, AN, "EmailTypeIMAP",
    )  # fmt: skip
    ways = {name: value for name, value in mail.items() if "Server" in name and not name.endswith("Username")}
    assert ways == {
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": "localhost",
        "IncomingMailServerPortNumber": 2993,
        "IncomingMailServerUseSSL": True,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": "localhost",
        "OutgoingMailServerPortNumber": 2465,
        "OutgoingMailServerUseSSL": True,
    }
    assert not any("Password" in name for name in mail if name != "OutgoingPasswordSameAsIncomingPassword")
    again = plistlib.loads((await ask.get("/mobileconfig", params={"email": AN})).content)
    assert again == profile, "installing it again replaces it"


async def test_no_ledger_no_guess(api_away: httpx2.AsyncClient) -> None:
    assert (await api_away.get(AUTOCONFIG)).status_code == 503
