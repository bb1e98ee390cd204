"""DKIM signatures (RFC 6376, RFC 8463) over what leaves.

dkimpy folds; the RSA step is `cryptography`'s, which is 25 times faster than the pure Python one. The
canonical form is the one that signatures are verified by, made once for all keys. Keys are parsed once.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailgov.relay.senders.canonical import Bodies, Form, relaxed_field, without_signature
from mailgov.settings import Settings
from mailgov.store.entries import SigningKey

SIGNED_FIELDS = (
    b"from", b"sender", b"reply-to", b"subject", b"date", b"message-id", b"to", b"cc", b"mime-version",
    b"content-type", b"content-transfer-encoding", b"in-reply-to", b"references", b"auto-submitted",
)  # fmt: skip
"""Signed where present (RFC 6376 5.4.1)."""
OVERSIGNED_FIELDS = (b"from", b"subject", b"to", b"date")
"""Signed once more than present: nobody can add a second one that a reader would show."""


RSA_BITS = 2048
"""RFC 8301 3.2: signers should use 2048 at least; a receiver may take less for no signature at all."""


class SigningError(Exception):
    """The key cannot be used; the message is not signed and must not leave as if it were."""


class PrivateKey(Protocol):
    """Signs canonical data; `algorithm` as a= has it."""

    @property
    def algorithm(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes: ...


class _RsaKey:
    algorithm = b"rsa-sha256"

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class _Ed25519Key:
    algorithm = b"ed25519-sha256"

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, data: bytes) -> bytes:
        # RFC 8463 3: PureEdDSA over the SHA-256 of the canonical data.
        return self._key.sign(hashlib.sha256(data).digest())


def body_hash(data: bytes | mmap.mmap, start: int, form: Form = "simple") -> bytes:
    """SHA-256 of the body from `start` in its canonical form (RFC 6376 3.4.3, 3.4.4).

    Trailing empty lines are ignored; an empty body counts as one CRLF, or as nothing where it is relaxed.
    """
    return Bodies(data, start).digest(form)[0]


class Signer:
    """Signs with the keys of a domain; key files lie under `data_dir`, digests are of `body_form`."""

    def __init__(self, data_dir: Path, body_form: Form = "simple") -> None:
        self._data_dir = data_dir
        self.body_form: Form = body_form
        self._keys: dict[str, _RsaKey | _Ed25519Key] = {}
        self._reading = threading.Lock()

    def sign(self, keys: Sequence[SigningKey], header: bytes, digest: bytes, now_s: int) -> bytes:
        """DKIM-Signature fields, one per key, to be put before `header`; `digest` is the body's.

        `header` is the header as it leaves, without the empty line; it is signed in relaxed form.
        Raises SigningError when a key cannot be read.
        """
        signed, names = _signed(header)
        return b"".join(self._signature(key, signed, names, digest, now_s) for key in keys)

    def _signature(self, key: SigningKey, signed: bytes, names: bytes, digest: bytes, now_s: int) -> bytes:
        private = self.load(key)
        tags = [
            (b"v", b"1"),
            (b"a", private.algorithm),
            (b"c", b"relaxed/" + self.body_form.encode()),
            (b"d", key.domain.encode()),
            (b"q", b"dns/txt"),
            (b"s", key.selector.encode()),
            (b"t", str(now_s).encode()),
            (b"h", names),
            (b"bh", base64.b64encode(digest)),
            # Sixty zeros put b= on a line of its own, so that folding again moves nothing before it.
            (b"b", b"0" * 60),
        ]
        itself = relaxed_field(b"DKIM-Signature", without_signature(b" " + folded(tags)))
        signature = private.sign(signed + itself.removesuffix(b"\r\n"))
        tags[-1] = (b"b", base64.b64encode(signature))
        return b"DKIM-Signature: " + folded(tags) + b"\r\n"

    def ready(self, keys: Sequence[SigningKey]) -> bool:
        """Whether none of them has to be read first."""
        return all(key.key_file in self._keys for key in keys)

    def load(self, key: SigningKey) -> _RsaKey | _Ed25519Key:
        """The private key. Raises SigningError when it cannot be read."""
        loaded = self._keys.get(key.key_file)
        if loaded is not None:
            return loaded
        with self._reading:  # 33 ms of checks: once, however many messages come at once after a start
            loaded = self._keys.get(key.key_file)
            if loaded is None:
                loaded = self._keys[key.key_file] = _read_key(self._data_dir / key.key_file)
            return loaded


def signer_of(settings: Settings) -> Signer:
    """The signer that the settings ask for."""
    form: Form = "relaxed" if settings.dkim.canonicalization == "relaxed/relaxed" else "simple"
    return Signer(settings.data_dir, form)


def folded(tags: Sequence[tuple[bytes, bytes]], name: bytes = b"DKIM-Signature") -> bytes:
    """A tag list as the value of the field `name`, in lines of 72 characters."""
    text: bytes = dkim.fold(b"; ".join(b"=".join(tag) for tag in tags), namelen=len(name))
    return text


def _signed(header: bytes) -> tuple[bytes, bytes]:
    """The fields that are signed in their relaxed form, from the bottom up (RFC 6376 5.4.2), and h=."""
    found: dict[bytes, list[bytes]] = {name: [] for name in SIGNED_FIELDS}
    for name, value in _fields(header):
        # A blank before the colon is obsolete syntax that readers accept (RFC 5322 4.5.2): it hides nothing.
        if (small := name.rstrip(b" \t").lower()) in found:
            found[small].append(relaxed_field(small, value))
    names = [name for name, values in found.items() for _ in range(len(values) + (name in OVERSIGNED_FIELDS))]
    return b"".join(value for values in found.values() for value in reversed(values)), b" : ".join(names)


def _fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values, folded lines joined; what is no field is left out."""
    fields: list[tuple[bytes, bytes]] = []
    for line in header.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        elif b":" in line:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return fields


def weak_keys(data_dir: Path) -> list[str]:
    """RSA keys among our files that are too short to sign with, a line for each; nothing else is checked."""
    found = []
    for path in sorted((data_dir / "keys" / "dkim").glob("*/*.pem")):
        try:
            key = serialization.load_pem_private_key(
                path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
            )
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
            continue  # who signs with it says so
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS:
            found.append(_weak(path, key.key_size))
    return found


def _weak(path: Path, bits: int) -> str:
    return f"DKIM key {path}: RSA of {bits} bits is too weak to sign with, {RSA_BITS} at least are needed"


def _read_key(path: Path) -> _RsaKey | _Ed25519Key:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise SigningError(f"DKIM key {path}: {error}") from error
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < RSA_BITS:
            raise SigningError(_weak(path, key.key_size))
        return _RsaKey(key)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _Ed25519Key(key)
    raise SigningError(f"DKIM key {path}: neither RSA nor Ed25519")
