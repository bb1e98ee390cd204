"""A session with one host as it is demanded: what is tried in turn, and what it came to."""

from __future__ import annotations

from concurrent.futures import Executor

import aiosmtplib
import structlog

from mailgov.relay.login import signed_in
from mailgov.relay.opening import connect, hello, let_go
from mailgov.relay.route import Hop
from mailgov.relay.tls_out.demand import Check, Demand, Opened, Security, TlsRefused
from mailgov.relay.tls_out.handshake import Unproven, context_of, proof, proof_of_login, result_of
from mailgov.settings import DeliverySettings

log = structlog.get_logger()


async def encrypted(
    hop: Hop, settings: DeliverySettings, hostname: str, executor: Executor, demand: Demand
) -> tuple[aiosmtplib.SMTP, Opened]:
    """Connect, greet, encrypt as is demanded, and sign in where we have a login.

    Raises MailError, and of it TlsRefused where what is demanded cannot be.
    """
    if hop.manner.login is not None:  # over TLS with a name that was checked, or not at all
        client = await signed_in(hop, settings, hostname, executor)
        return client, Opened(demand, proof_of_login(client, demand, hop))
    trouble: str | None = None
    for way in demand.ways:
        if way == "clear":
            if hop.manner.tls_first:
                break
            return await connect(hop, settings, hostname), Opened(demand, None, trouble)
        tls = context_of(way, demand) if hop.manner.tls_first else None
        client = await connect(hop, settings, hostname, tls=tls)
        if tls is None and not client.supports_extension("starttls"):
            trouble = trouble or "starttls-not-supported"
            if demand.floor == "clear":
                return client, Opened(demand, None, trouble)
            let_go(client)
            break
        try:
            security = await _upgraded(client, way, hop, settings, hostname, demand)
        except (aiosmtplib.SMTPException, Unproven, OSError, TimeoutError) as error:
            trouble = trouble or result_of(error)
            log.info("TLS failed", host=hop.host, result=trouble, error=str(error))
            let_go(client)
        except BaseException:
            let_go(client)
            raise
        else:
            return client, Opened(demand, security, trouble)
    raise TlsRefused(demand.refusal(hop.host, trouble or "validation-failure"), trouble)


async def _upgraded(
    client: aiosmtplib.SMTP,
    way: Check,
    hop: Hop,
    settings: DeliverySettings,
    hostname: str,
    demand: Demand,
) -> Security:
    if not hop.manner.tls_first:
        await client.starttls(
            server_hostname=demand.server_name(way, hop.host),
            tls_context=context_of(way, demand),
            timeout=settings.connect_timeout_s,
        )
        await hello(client, hop, settings, hostname)
    return proof(client, way, demand)
