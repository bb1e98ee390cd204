"""DANE for SMTP: TLSA records held against the certificates that a host shows (RFC 7672 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

TRUST_ANCHOR, END_ENTITY = 2, 3
"""The usages that mean something here; 0 and 1 do not (RFC 7672 3.1.3)."""
_DIGESTS = {1: (hashlib.sha256, 32), 2: (hashlib.sha512, 64)}
CHAIN_LIMIT = 10
"""Certificates of one host that are looked at."""


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A usable record."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def fits(self, der: bytes) -> bool:
        """Whether it speaks of this certificate."""
        try:
            part = der if self.selector == 0 else _public_key(der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False  # a certificate that cannot be read, or a key of a kind unknown here
        if self.matching == 0:
            return part == self.data
        digest, _ = _DIGESTS[self.matching]
        return digest(part).digest() == self.data


def usable(records: Sequence[tuple[int, int, int, bytes]]) -> tuple[Tlsa, ...]:
    """The records that a client of SMTP can go by (RFC 7672 3.1); others are passed over."""
    return tuple(Tlsa(*record) for record in records if _usable(*record))


def _usable(usage: int, selector: int, matching: int, data: bytes) -> bool:
    if usage not in (TRUST_ANCHOR, END_ENTITY) or selector not in (0, 1):
        return False
    return bool(data) if matching == 0 else matching in _DIGESTS and len(data) == _DIGESTS[matching][1]


def proven(
    records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: datetime
) -> str | None:
    """None where the chain, the host's own certificate first, is what the records speak of; else why not,
    as RFC 8460 4.3 calls it.

    A usage of 3 asks for no name and no date (RFC 7672 3.1.1); one of 2 for both, up to a certificate of
    the chain that the record speaks of.
    """
    if not chain:
        return "validation-failure"
    if any(r.usage == END_ENTITY and r.fits(chain[0]) for r in records):
        return None
    chain = chain[:CHAIN_LIMIT]
    anchors = [der for der in chain[1:] if any(r.usage == TRUST_ANCHOR and r.fits(der) for r in records)]
    anchors += [r.data for r in records if r.usage == TRUST_ANCHOR and (r.selector, r.matching) == (0, 0)]
    if not anchors:
        return "validation-failure"
    return _leads_to(anchors, chain, names, now)


def _leads_to(
    anchors: Sequence[bytes], chain: Sequence[bytes], names: Sequence[str], now: datetime
) -> str | None:
    try:
        store = Store([x509.load_der_x509_certificate(der) for der in anchors])
        leaf, *others = (x509.load_der_x509_certificate(der) for der in chain)
        issuers = ExtensionPolicy.permit_all().require_present(
            x509.BasicConstraints, Criticality.AGNOSTIC, None
        )
        hosts = ExtensionPolicy.webpki_defaults_ee()
        builder = PolicyBuilder().store(store).time(now)
        builder = builder.extension_policies(ca_policy=issuers, ee_policy=hosts)
        end = leaf.not_valid_after_utc.replace(tzinfo=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "validation-failure"
    for name in names:
        try:
            builder.build_server_verifier(x509.DNSName(name)).verify(leaf, others)
        except (VerificationError, ValueError, UnsupportedAlgorithm):
            continue
        return None
    return "certificate-expired" if end < now else "validation-failure"


def _public_key(der: bytes) -> bytes:
    key = x509.load_der_x509_certificate(der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
