"""DKIM key pairs: the private key as a file that its owner alone reads, the public one as text."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mailgov.ops.files import write_new

RSA_BITS = 2048
"""RFC 8301 3.2: at least 1024, better 2048, which we ask for; larger ones no longer fit one UDP answer."""
ALGORITHMS = ("rsa", "ed25519")

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


def generate(algorithm: str) -> PrivateKey:
    """A new key pair; `algorithm` is rsa (some 100 ms of work) or ed25519."""
    if algorithm == "ed25519":
        return Ed25519PrivateKey.generate()
    return generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def public_text(key: PrivateKey) -> str:
    """The `p=` value: base64 of the SubjectPublicKeyInfo (RSA) or of the bare key (RFC 8463 4.2)."""
    if isinstance(key, Ed25519PrivateKey):
        octets = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(octets).decode()


def file_of(domain: str, selector: str, algorithm: str) -> str:
    """Where a private key lies, relative to the data folder."""
    return f"keys/dkim/{domain}/{selector}.{algorithm}.pem"


def keep(data_dir: Path, key_file: str, key: PrivateKey) -> PrivateKey:
    """Write the private key (PKCS #8, PEM, 0600, synced); the key that lies there afterwards.

    A file of that name which nobody knew of, left by an interrupted run, is kept and used:
    a private key is never overwritten. Raises ValueError when it cannot be read.
    """
    path = data_dir / key_file
    try:
        write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return key
    except FileExistsError:
        there = load(path)
    if type(there) is not type(key):
        raise ValueError(f"{path} holds a key of another algorithm")
    return there


def load(path: Path) -> PrivateKey:
    """The private key in a file. Raises OSError, and ValueError for what is no such key."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
        raise ValueError(f"{path} holds a key of another algorithm")
    if isinstance(key, RSAPrivateKey) and key.key_size < RSA_BITS:
        raise ValueError(f"{path} holds an RSA key of {key.key_size} bits, {RSA_BITS} at least are needed")
    return key
