"""Signers and keys for tests of signatures: dkimpy signs, so that our own code does not check itself."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.dns import Records
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.dkim import DkimResult, candidates, verify

NOW_S = 1_800_000_000


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def rsa_record(key: rsa.RSAPrivateKey, extra: str = "") -> str:
    """A key record as a zone has it."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; {extra}p={base64.b64encode(public).decode()}"


def ed25519_record() -> str:
    public = ed25519_key().public_key().public_bytes_raw()
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"


def signed(message: bytes, domain: str, *, key: rsa.RSAPrivateKey | None = None, **more: Any) -> bytes:
    """The message with a signature by dkimpy in front; selector s."""
    signature: bytes = dkim.sign(message, b"s", domain.encode(), pem(key or rsa_key()), **more)
    return signature + message


def signed_ed25519(message: bytes, domain: str) -> bytes:
    seed = base64.b64encode(ed25519_key().private_bytes_raw())
    signature: bytes = dkim.sign(message, b"e", domain.encode(), seed, signature_algorithm=b"ed25519-sha256")
    return signature + message


def checked(message: bytes, zone: dict[str, str], author: str = "", now_s: int = NOW_S) -> list[DkimResult]:
    """What becomes of each signature; names that the zone lacks do not exist."""
    header = HeaderBlock.scan(message)
    fields = Fields(header)
    bodies = Bodies(message, header.size)
    found = candidates(fields, [author] if author else [])
    names = [c.signature.key_name for c in found if c.signature is not None]
    keys = {name: Records("ok", (zone[name],)) if name in zone else Records("nxdomain") for name in names}
    return [verify(candidate, keys, fields, bodies, now_s) for candidate in found]
