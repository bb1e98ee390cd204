"""An MTA-STS policy over HTTPS (RFC 8461 3.3)."""

from __future__ import annotations

from mailgov.relay.tls_out.https import Https, NoAnswer, NotTrusted, Question
from mailgov.relay.tls_out.sts_text import PolicyInvalid, StsPolicy, read_policy

PATH = "/.well-known/mta-sts.txt"


class FetchFailed(Exception):
    """No policy came. `result` is what RFC 8460 4.3 calls it; the message is one line."""

    def __init__(self, result: str, cause: str) -> None:
        super().__init__(cause)
        self.result = result


class Fetcher:
    """Fetches policies."""

    def __init__(self, https: Https, port: int = 443) -> None:
        self._https, self.port = https, port

    async def fetch(self, domain: str) -> StsPolicy:
        """The policy that `mta-sts.<domain>` serves now, as `https.Https` bounds it. Raises FetchFailed.

        A redirect, another status than 200 or another type than text/plain is no policy.
        """
        host = f"mta-sts.{domain}"
        try:
            answer = await self._https.ask(Question(host, PATH, self.port))
        except NotTrusted as error:
            raise FetchFailed("sts-webpki-invalid", str(error)) from None
        except NoAnswer as error:
            raise FetchFailed("sts-policy-fetch-error", str(error)) from None
        if answer.status != 200 or answer.kind != "text/plain":
            raise FetchFailed("sts-policy-fetch-error", f"{host}: {answer.status} {answer.kind[:80]}")
        try:
            return read_policy(answer.body)
        except PolicyInvalid as error:
            raise FetchFailed("sts-policy-invalid", f"{host}: {error}") from None
