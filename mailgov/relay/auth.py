"""Sign-in to a mailbox: AUTH PLAIN (RFC 4616) and LOGIN, in constant work."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mailgov.identity.gate import Paused, SignInGate, Trial
from mailgov.identity.passwords import PasswordChecker, is_first_hash
from mailgov.identity.protection import Attempt
from mailgov.mail.reply import MailError, Reply
from mailgov.relay.node import DirectoryView
from mailgov.store.entries import AccountEntry, Snapshot

SIGNED_IN = Reply(235, "2.7.0", "Authentication successful")
WRONG = Reply(535, "5.7.8", "Authentication credentials invalid")
MALFORMED = Reply(501, "5.5.2", "Malformed authentication exchange")
CANCELLED = Reply(501, "5.0.0", "Authentication cancelled")
NO_MECHANISM = Reply(501, "5.5.4", "Syntax: AUTH mechanism")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Unrecognized authentication mechanism")
NOT_NOW = Reply(454, "4.7.0", "Temporary authentication failure, please try again later")
MECHANISMS = ("PLAIN", "LOGIN")


STRANGE = Trial(known=False)


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


class Door(Protocol):
    """What a sign-in is judged by: the directory at hand, and the checker of passwords."""

    @property
    def directory(self) -> DirectoryView: ...

    @property
    def passwords(self) -> PasswordChecker: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """The account that signed in, or for the log why nobody did: the client is never told."""

    account: AccountEntry | None
    refusal: str | None = None


async def sign_in(door: Door, credentials: Credentials, client: str = "", trial: Trial = STRANGE) -> Judged:
    """Who signs in, by submission or IMAP. Whatever it is refused for costs the same (one argon2id).

    `client` is whom the sign-in counts for (`Attempt.network`): clients take turns, known ones first.
    A first password opens no mailbox: it leads to the page where it is changed, and nowhere else.
    Raises MailError 454 when too many sign-ins wait, or when there is no directory to ask yet.
    """
    snapshot = door.directory.snapshot
    if not snapshot.domains and not door.directory.fresh:
        raise MailError(NOT_NOW, "no directory")
    account = snapshot.account(_key(snapshot, credentials.name))
    closed = "too many failures" if trial.blind else closed_to(snapshot, account)
    stored = account.password_hash if account is not None and closed is None else None
    verified = await door.passwords.verify(
        stored, credentials.name.lower(), credentials.password, client=client, known=trial.known
    )
    if verified and closed is None:
        return Judged(account)
    return Judged(None, closed or "wrong password")


async def sign_in_from(door: Door, gate: SignInGate, credentials: Credentials, peer: str) -> Judged:
    """`sign_in` of a client at the address `peer`, who may not guess as often as he likes.

    Raises MailError 454 besides while there were too many failures from there: the same for an
    account that there is and one that there is not.
    """
    snapshot = door.directory.snapshot
    key = _key(snapshot, credentials.name)
    account = snapshot.account(key)
    attempt = Attempt.of(key, peer)
    if (
        account is not None
        and door.passwords.remembers(account.password_hash, credentials.name.lower(), credentials.password)
        # Remembering costs nothing: what its owner used a moment ago could be guessed at full speed.
        and await gate.open(attempt)
    ):
        judged = await sign_in(door, credentials)
        if judged.account is not None:
            await gate.remembered(attempt)
        return judged
    judged = Judged(None)

    async def check(trial: Trial) -> bool:
        nonlocal judged
        judged = await sign_in(door, credentials, attempt.network, trial)
        return judged.account is not None

    try:
        await gate.attempt(attempt, check)
    except Paused:
        raise MailError(NOT_NOW, "too many failures") from None
    return judged


def closed_to(snapshot: Snapshot, account: AccountEntry | None) -> str | None:
    """Why no password opens this account's mailbox now, or None."""
    if account is None:
        return "unknown"
    if account.suspended:
        return "suspended"
    if account.must_change or is_first_hash(account.password_hash):
        return "first password"
    if not snapshot.is_local(account.address.rpartition("@")[2]):
        return "domain disabled"
    return None


def _key(snapshot: Snapshot, name: str) -> str:
    """The full address; a bare local part is taken where the province has one domain."""
    key = name.strip().lower()
    if "@" not in key and len(snapshot.domains) == 1:
        key = f"{key}@{next(iter(snapshot.domains))}"
    return key
