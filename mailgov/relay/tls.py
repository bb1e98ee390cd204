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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(INTERMEDIATE)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    reload_certificate(context, settings)
    return context


def reload_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    """Put the certificate as it is on disk now into use for new sessions. Raises CertificateError."""
    if settings.certificate is None or settings.key is None:
        return
    try:
        pair = settings.certificate.read_bytes() + b"\n" + settings.key.read_bytes()
        with _in_memory(pair) as path:
            # load_cert_chain takes the certificate in before it finds that the key does not fit.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
            context.load_cert_chain(path)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"tls.certificate {settings.certificate}: {error}") from None


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
