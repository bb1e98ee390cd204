"""Sign-in on submission: AUTH PLAIN (RFC 4616) and LOGIN, in constant work."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.node import Node
from mailgov.store.snapshot import AccountEntry

SIGNED_IN = Reply(235, "2.7.0", "Authentication successful")
WRONG = Reply(535, "5.7.8", "Authentication credentials invalid")
MALFORMED = Reply(501, "5.5.2", "Malformed authentication exchange")
CANCELLED = Reply(501, "5.0.0", "Authentication cancelled")
NO_MECHANISM = Reply(501, "5.5.4", "Syntax: AUTH mechanism")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Unrecognized authentication mechanism")
NOT_NOW = Reply(454, "4.7.0", "Temporary authentication failure, please try again later")
MECHANISMS = ("PLAIN", "LOGIN")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a client claims; never printed."""

    name: str
    password: str


def decode_base64(line: str) -> bytes:
    """One response of the exchange. Raises MailError 501 for `*` or for what is not base64."""
    if line == "*":
        raise MailError(CANCELLED)
    if line == "=":
        return b""
    try:
        return base64.b64decode(line.encode("ascii"), validate=True)
    except (binascii.Error, ValueError, UnicodeEncodeError):
        raise MailError(MALFORMED) from None


def plain_credentials(response: bytes) -> Credentials:
    """RFC 4616: `[authzid] NUL authcid NUL password`; acting for another identity is refused."""
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise MailError(MALFORMED)
    authorization, name, password = (_text(part) for part in parts)
    if authorization and authorization.lower() != name.lower():
        raise MailError(WRONG, "authorization identity differs")
    return Credentials(name, password)


async def read_credentials(argument: str, challenge: Callable[[str], Awaitable[bytes]]) -> Credentials:
    """What AUTH's `argument` and the answers to our challenges claim (RFC 4954 4).

    `challenge` sends a challenge (base64 already) and gives the decoded answer. Raises MailError.
    """
    mechanism, _, initial = argument.partition(" ")
    if not mechanism:
        raise MailError(NO_MECHANISM)
    if mechanism.upper() == "PLAIN":
        return plain_credentials(decode_base64(initial) if initial else await challenge(""))
    if mechanism.upper() == "LOGIN":
        name = decode_base64(initial) if initial else await challenge("VXNlcm5hbWU6")
        return login_credentials(name, await challenge("UGFzc3dvcmQ6"))
    raise MailError(UNKNOWN_MECHANISM)


def login_credentials(name: bytes, password: bytes) -> Credentials:
    return Credentials(_text(name), _text(password))


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise MailError(MALFORMED) from None


async def sign_in(node: Node, credentials: Credentials) -> AccountEntry | None:
    """The account, or None. Unknown, suspended and wrong cost the same (one argon2id).

    Raises MailError 454 when too many sign-ins wait, or when there is no directory to ask yet.
    """
    if not node.directory.snapshot.domains and not node.directory.fresh:
        raise MailError(NOT_NOW, "no directory")
    account = _account(node, credentials.name)
    domain = account.address.rpartition("@")[2] if account is not None else ""
    usable = account is not None and not account.suspended and node.directory.snapshot.is_local(domain)
    stored = account.password_hash if account is not None and usable else None
    verified = await node.passwords.verify(stored, credentials.name.lower(), credentials.password)
    return account if verified and usable else None


def _account(node: Node, name: str) -> AccountEntry | None:
    """By full address; a bare local part is taken where the province has one domain."""
    snapshot = node.directory.snapshot
    key = name.strip().lower()
    if "@" not in key and len(snapshot.domains) == 1:
        key = f"{key}@{next(iter(snapshot.domains))}"
    return snapshot.account(key)
