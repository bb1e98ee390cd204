"""The gate: answers Dovecot, and nobody else, who may sign in and where their mailbox is.

An HTTP server on a loopback port that the supervisor holds. Dovecot proves itself by a secret
that is new at each start. Sign-ins are judged as on submission, with the same directory.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailgov.identity.passwords import PasswordChecker
from mailgov.mail.reply import MailError
from mailgov.relay import auth
from mailgov.relay.mailbox import maildir_of
from mailgov.relay.node import Counters, DirectoryView
from mailgov.store.sign_ins import SignInTally

log = structlog.get_logger()

BODY_LIMIT_BYTES = 16_384
"""A name of 320 octets and a password of 1024, each octet as three characters, are far below."""
FIELD_LIMIT = 16
SECRET_HEADER = "x-mailgov-gate"  # noqa: S105 - a header's name

_PASS, _STRANGER = JSONResponse({"status": 0, "msg": ""}), Response(status_code=401)
_REFUSED = JSONResponse({"error": "invalid_grant"}, 400)
_NOT_NOW = JSONResponse({"error": "temporarily_unavailable"}, 503)


class Gate:
    """`directory` and `passwords` make it a `relay.auth.Door`; `secret` is what Dovecot shows."""

    def __init__(
        self,
        directory: DirectoryView,
        passwords: PasswordChecker,
        counters: Counters,
        sign_ins: SignInTally,
        *,
        data_dir: Path,
        secret: str,
        now_ms: Callable[[], int],
    ) -> None:
        self.directory, self.passwords = directory, passwords
        self._counters, self._sign_ins = counters, sign_ins
        self._data_dir, self._secret, self._now_ms = data_dir, secret.encode(), now_ms
        self.app = Starlette(
            routes=[
                Route("/grant", self._grant, methods=["POST"]),
                Route("/policy", self._policy, methods=["POST"]),
            ]
        )

    def _known(self, shown: str | None) -> bool:
        return hmac.compare_digest((shown or "").encode(errors="replace"), self._secret)

    async def _grant(self, request: Request) -> Response:
        """RFC 6749 4.3: who this name and password are. 400 invalid_grant says: nobody."""
        fields = _form(await _body(request))
        if not self._known(fields.get("client_secret")):
            return _STRANGER
        name = fields.get("username", "")
        try:
            judged = await auth.sign_in(self, auth.Credentials(name, fields.get("password", "")))
        except MailError as error:
            log.warning("sign-in not judged", protocol="imap", cause=error.cause)
            return _NOT_NOW
        if judged.account is None:
            log.warning("sign-in refused", protocol="imap", name=name, reason=judged.refusal)
            return _REFUSED
        account = judged.account.address
        self._counters.add("sign_ins")
        self._sign_ins.note(account, "imap", self._now_ms())
        mailbox = maildir_of(self._data_dir, account)
        told = {"access_token": "-", "username": name, "account": account, "mailbox": str(mailbox)}
        return JSONResponse(told)  # the token opens nothing; a grant without one is none

    async def _policy(self, request: Request) -> Response:
        """Dovecot's auth policy protocol: before a try (`allow`), and what came of it (`report`)."""
        if not self._known(request.headers.get(SECRET_HEADER)):
            return _STRANGER
        told = _json(await _body(request))
        if request.query_params.get("command") == "report" and told.get("success") is False:
            remote = str(told.get("remote") or "unknown")
            self._counters.refuse(self._now_ms(), "imap", remote, "bad_sign_in")
        return _PASS


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


def _json(body: bytes) -> dict[str, object]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
