"""The gate: answers Dovecot, and nobody else, who may sign in and where their mailbox is.

An HTTP server on a loopback port that the supervisor holds. Dovecot proves itself by a secret
that is new at each start. Sign-ins are judged as on submission, with the same directory.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker
from mailgov.imap.configuration import BESIDE_NAME, OVER_TLS
from mailgov.mail.reply import MailError
from mailgov.relay import auth
from mailgov.relay.mailbox import maildir_of
from mailgov.relay.node import Counters, DirectoryView
from mailgov.store.tallies import SignInTally

log = structlog.get_logger()

BODY_LIMIT_BYTES = 16_384
"""A name of 320 octets and a password of 1024, each octet as three characters, are far below."""
FIELD_LIMIT = 16
REFUSALS_LOGGED = 60
"""In a minute; a flood of guesses must not fill the log: the door's counters have them all."""

_STRANGER = Response(status_code=401)
_REFUSED = JSONResponse({"error": "invalid_grant"}, 400)
_NOT_NOW = JSONResponse({"error": "temporarily_unavailable"}, 503)


class Gate:
    """`directory` and `passwords` make it a `relay.auth.Door`; `secret` is what Dovecot shows.

    `guesses` makes those wait who guess, here and on submission together.
    """

    def __init__(
        self,
        directory: DirectoryView,
        passwords: PasswordChecker,
        guesses: SignInGate,
        counters: Counters,
        sign_ins: SignInTally,
        *,
        data_dir: Path,
        secret: str,
        now_ms: Callable[[], int],
    ) -> None:
        self.directory, self.passwords = directory, passwords
        self._guesses, self._counters, self._sign_ins = guesses, counters, sign_ins
        self._data_dir, self._secret, self._now_ms = data_dir, secret.encode(), now_ms
        self.app = Starlette(routes=[Route("/grant", self._grant, methods=["POST"])])

    async def _grant(self, request: Request) -> Response:
        """RFC 6749 4.3: who this name and password are. 400 invalid_grant says: nobody."""
        fields = _form(await _body(request))
        shown = fields.get("client_secret", "").encode(errors="replace")
        if not hmac.compare_digest(shown, self._secret):
            return _STRANGER
        claimed = fields.get("username", "")
        parts = claimed.split(BESIDE_NAME)
        if len(parts) != 3:
            return self._refuse("", "unknown", "bad_sign_in", "malformed")
        name, client, line = parts
        if line != OVER_TLS:
            return self._refuse(name, client, "auth_without_tls", "no TLS")
        try:
            credentials = auth.Credentials(name, fields.get("password", ""))
            judged = await auth.sign_in_from(self, self._guesses, credentials, client)
        except MailError as error:
            self._tell("sign-in put off", name, client, error.cause)
            return _NOT_NOW
        if judged.account is None:
            return self._refuse(name, client, "bad_sign_in", judged.refusal)
        account = judged.account.address
        self._counters.add("sign_ins")
        self._sign_ins.note(account, "imap", self._now_ms())
        mailbox = maildir_of(self._data_dir, account)
        # The token opens nothing; a grant without one is none.
        told = {"access_token": "-", "username": claimed, "account": account, "mailbox": str(mailbox)}
        return JSONResponse(told)

    def _refuse(self, name: str, client: str, counted: str, reason: str | None) -> Response:
        self._counters.refuse(self._now_ms(), "imap", client, counted, None)
        self._tell("sign-in refused", name, client, reason)
        return _REFUSED

    def _tell(self, event: str, name: str, client: str, reason: str | None) -> None:
        if self._counters.within(self._now_ms(), event, REFUSALS_LOGGED):
            log.warning(event, protocol="imap", name=name, client=client, reason=reason)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            return b""
    return bytes(body)


def _form(body: bytes) -> dict[str, str]:
    """The fields; none of a body that is no form in UTF-8."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELD_LIMIT
        )
    except ValueError:
        return {}
    return dict(pairs)
