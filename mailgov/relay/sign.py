"""DKIM signatures (RFC 6376, RFC 8463) over what leaves.

The RSA step is `cryptography`'s, which is 25 times faster than the pure Python one. The
canonical form is the one that signatures are verified by, made once for all keys. Keys are parsed once.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailgov.relay.senders.canonical import Bodies, Form, relaxed_field
from mailgov.settings import Settings
from mailgov.store.entries import SigningKey

SIGNED_FIELDS = (
    b"from", b"sender", b"reply-to", b"subject", b"date", b"message-id", b"to", b"cc", b"mime-version",
    b"content-type", b"content-transfer-encoding", b"in-reply-to", b"references", b"auto-submitted",
)  # fmt: skip
"""Signed where present (RFC 6376 5.4.1)."""
OVERSIGNED_FIELDS = (b"from", b"subject", b"to", b"cc", b"date", b"reply-to")
"""Signed once more than present though none is: nobody can add one that a reader would show or answer to."""
RSA_BITS = 2048
"""RFC 8301 3.2: signers should use 2048 at least; a receiver may take less for no signature at all."""

_WANTED = frozenset(SIGNED_FIELDS)
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
LINE_CHARACTERS = 72
"""Of a signature's lines, as long as RFC 5322 2.1.1 wants them at most."""


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

    def sign(self, keys: Sequence[SigningKey], header: bytes, digest: bytes, now_s: int | None) -> bytes:
        """DKIM-Signature fields, one per key, to be put before `header`; `digest` is the body's.

        `header` is the header as it leaves, without the empty line; it is signed in relaxed form.
        `now_s` None leaves t= out: verifiers may refuse one that lies ahead (RFC 6376 3.5).
        Raises SigningError when a key cannot be read.
        """
        signed, names = _signed(header)
        return b"".join(self._signature(key, signed, names, digest, now_s) for key in keys)

    def _signature(
        self, key: SigningKey, signed: bytes, names: bytes, digest: bytes, now_s: int | None
    ) -> bytes:
        private = self.load(key)
        value = b"%b%b\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            _first_tags(private.algorithm, self.body_form, key.domain, key.selector),
            b"" if now_s is None else b" t=%d;" % now_s,
            names,
            base64.b64encode(digest),
        )
        # In relaxed form: blanks stand alone in it, and the value of b= is left out (RFC 6376 3.7).
        itself = b"dkim-signature:" + value.replace(b"\r\n", b"")
        return b"DKIM-Signature: %b%b\r\n" % (
            value,
            _in_lines(base64.b64encode(private.sign(signed + itself))),
        )

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


@lru_cache(maxsize=64)
def _first_tags(algorithm: bytes, body_form: Form, domain: str, selector: str) -> bytes:
    """What a key's signatures begin with, up to t=."""
    return (
        f"v=1; a={algorithm.decode()}; c=relaxed/{body_form};\r\n d={domain}; q=dns/txt;\r\n s={selector};"
    ).encode()


def _in_lines(text: bytes) -> bytes:
    """Base64 in lines of 72 characters, the first of which has begun."""
    cuts = range(LINE_CHARACTERS - 3, len(text), LINE_CHARACTERS - 1)
    return b"\r\n ".join(text[start:end] for start, end in pairwise([0, *cuts, len(text)]))


def _signed(header: bytes) -> tuple[bytes, bytes]:
    """The fields that are signed in their relaxed form, from the bottom up (RFC 6376 5.4.2), and h=."""
    found: dict[bytes, list[bytes]] = {}
    for field in _FIELD_END.split(header):
        name, colon, value = field.partition(b":")
        # A blank before the colon is obsolete syntax that readers accept (RFC 5322 4.5.2): it hides nothing.
        small = name.rstrip(b" \t").lower()
        if colon and small in _WANTED:
            found.setdefault(small, []).append(relaxed_field(small, value))
    values = [found.get(name, ()) for name in SIGNED_FIELDS]
    signed = [value for some in values for value in reversed(some)]
    return b"".join(signed), _listed(tuple(map(len, values)))


@lru_cache(maxsize=256)
def _listed(present: tuple[int, ...]) -> bytes:
    """h= in lines, where of each field that is signed so many are present."""
    lines = [b""]
    for name, count in zip(SIGNED_FIELDS, present, strict=True):
        for _ in range(times_named(name, count)):
            if len(lines[-1]) + len(name) > LINE_CHARACTERS - len(" h= :"):
                lines.append(b"")
            lines[-1] += (b" : " if lines[-1] else b"") + name
    return b"\r\n : ".join(lines)


def times_named(name: bytes, present: int) -> int:
    """How often h= names a signed field: once more than it is there, so that nobody adds another.

    Of one that is not there, only where a reader would act on it; a list may well add a Sender.
    """
    return present + (present > 0 or name in OVERSIGNED_FIELDS)


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
