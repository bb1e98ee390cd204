"""STARTTLS as a demand asks for it, and what the certificate then proves."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import aiosmtplib

from mailgov.relay.opening import let_go
from mailgov.relay.route import Hop
from mailgov.relay.tls_out.demand import Check, Demand, Security, TlsRefused
from mailgov.relay.tls_out.names import certificate_names, fits
from mailgov.relay.tls_out.tlsa import proven

_RESULTS = {10: "certificate-expired", 62: "certificate-host-mismatch"}
_NOT_TRUSTED = frozenset({2, 18, 19, 20, 21, 24, 27})
"""OpenSSL's codes of a chain that ends with nobody we believe (x509_vfy.h)."""


class Unproven(Exception):
    """The certificate is not what was asked for: `result` by RFC 8460 4.3's name."""

    def __init__(self, result: str) -> None:
        super().__init__(result)
        self.result = result


def permissive() -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with whoever it is; the system's authorities, which take a while, are not read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


_PERMISSIVE = permissive()


@lru_cache(maxsize=64)
def authorities(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with whom these vouch for (None: the system's); names are held against it later.

    Read once. Raises OSError (of it ssl.SSLError) where the file is none.
    """
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@lru_cache(maxsize=64)
def checking(ca_file: Path | None) -> ssl.SSLContext:
    """As `authorities`, and the name that is asked for must be the certificate's: for HTTPS."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def forget_authorities() -> None:
    """The files are read again when they are next asked for."""
    authorities.cache_clear()
    checking.cache_clear()


def context_of(check: Check, demand: Demand) -> ssl.SSLContext:
    """For the handshake: whom it believes."""
    return authorities(demand.ca_file) if check == "pkix" else _PERMISSIVE


def proof(client: aiosmtplib.SMTP, check: Check, demand: Demand) -> Security:
    """What the handshake that went well has proven. Raises Unproven."""
    found = _session(client)
    suite, version = found.cipher()[0], found.version()
    if check == "none":
        return Security(version, suite)
    if check == "pkix":
        if not fits(certificate_names(found.getpeercert()), demand.names):
            raise Unproven("certificate-host-mismatch")
        return Security(version, suite, "sts" if demand.by == "sts" else "ca")
    result = proven(demand.tlsa, _chain(found), demand.names, datetime.now(UTC).replace(tzinfo=None))
    if result is not None:
        raise Unproven(result)
    return Security(version, suite, "dane")


def proof_of_login(client: aiosmtplib.SMTP, demand: Demand, hop: Hop) -> Security:
    """The same where a login has checked the host's name already. Raises TlsRefused, the client closed."""
    found = _session(client)
    if demand.check == "pkix" and not fits(certificate_names(found.getpeercert()), demand.names):
        let_go(client)
        result = "certificate-host-mismatch"
        raise TlsRefused(demand.refusal(hop.host, result), result)
    return Security(found.version(), found.cipher()[0], "ca")


def _session(client: aiosmtplib.SMTP) -> Any:
    assert client.transport is not None  # it is connected
    return client.transport.get_extra_info("ssl_object")


def result_of(error: BaseException) -> str:
    """What RFC 8460 4.3 calls this."""
    if isinstance(error, Unproven):
        return error.result
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = "certificate-not-trusted" if error.verify_code in _NOT_TRUSTED else "validation-failure"
        return _RESULTS.get(error.verify_code, trusted)
    return "validation-failure"


def _chain(found: Any) -> list[bytes]:
    """The certificates as the host showed them, its own first."""
    if hasattr(found, "get_unverified_chain"):  # from Python 3.13 on
        return list(found.get_unverified_chain())
    shown = found._sslobj.get_unverified_chain() or ()
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in shown]
