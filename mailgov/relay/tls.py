"""TLS for our listeners: versions 1.2 and 1.3, Mozilla's intermediate suites."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from mailgov.settings import TlsSettings

INTERMEDIATE = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)


class CertificateError(Exception):
    """The certificate or its key cannot be used; the message is one line."""


def server_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """The listeners' context; None when no certificate is configured. Raises CertificateError."""
    if settings.certificate is None or settings.key is None:
        return None
    context = _context()
    reload_certificate(context, settings)
    return context


def reload_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    """Put the certificate as it is on disk now into use for new sessions. Raises CertificateError.

    A context keeps the certificates of all key types that it was ever given, and shows the one that
    the client likes best; so the new one gets a context of its own, and each handshake is led to it.
    """
    if settings.certificate is None or settings.key is None:
        return
    try:
        pair = settings.certificate.read_bytes() + b"\n" + settings.key.read_bytes()
        fresh = _context()
        with _in_memory(pair) as path:
            fresh.load_cert_chain(path)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"tls.certificate {settings.certificate}: {error}") from None

    def lead(session: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        session.context = fresh

    context.sni_callback = lead  # called for clients that name no host too


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(INTERMEDIATE)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def handshake_trouble(error: BaseException | None) -> str:
    """Why a handshake came to nothing, for the administrator: `no shared cipher` and the like.

    `… alert …` is what the client said, `alert unknown ca` that it does not trust our certificate.
    """
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, EOFError | ConnectionResetError):
        return "the client went away"
    return str(error) if error is not None and str(error) else type(error).__name__


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A path to these bytes, which touch no disk: what is checked is what is used."""
    descriptor = os.memfd_create("certificate")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
