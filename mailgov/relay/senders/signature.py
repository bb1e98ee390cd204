"""One signature and its key (RFC 6376 3.5, 3.6; RFC 8301, RFC 8463): for DKIM and for ARC."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from dkim.util import InvalidTagValueList, parse_tag_value

from mailgov.mail.domains import ascii_domain, normal_domain
from mailgov.relay.dns import Records
from mailgov.relay.senders.canonical import Bodies, Fields, Form

RSA_BITS = (1024, 8192)
"""RFC 8301 3.2 asks for 1024 at least, and for 4096 to be checked; what is larger costs."""
_PRIME = 2**255 - 19
_EIGHTH = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
SMALL_ORDER = frozenset(
    y.to_bytes(32, "little") for y in (0, 1, _EIGHTH, _PRIME - _EIGHTH, _PRIME - 1, _PRIME, _PRIME + 1)
)
"""Ed25519 keys, but for the sign in their last bit, whose signatures anybody makes: points of order 8 or
less. Thirty-two zeros, which somebody may publish where a key is still to be filled in, are one."""
ALGORITHMS = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
_BLANK = re.compile(rb"[ \t\r\n]+")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9_][a-z0-9_-]{0,62}\Z")
_NUMBER = re.compile(rb"[0-9]{1,12}\Z")

Tags = Mapping[bytes, bytes]


class Fault(Exception):
    """Why a signature does not pass: `result` in the words of RFC 8601 2.7.1, the reason in a few words."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result, self.reason = result, reason


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that keeps to the grammar. `at` is its field's place; `body_hash` is None for a seal."""

    at: int
    tags: Tags
    algorithm: bytes
    domain: str
    selector: str
    value: bytes
    header_form: Form = "relaxed"
    body_form: Form = "relaxed"
    signed: tuple[bytes, ...] = ()
    body_hash: bytes | None = None

    @property
    def key_name(self) -> str:
        """Where the DNS has its key (RFC 6376 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


def read_tags(value: bytes) -> Tags:
    """A tag list (RFC 6376 3.2). Raises Fault permerror."""
    try:
        tags: dict[bytes, bytes] = parse_tag_value(value)
    except (InvalidTagValueList, ValueError, IndexError):
        raise Fault("permerror", "malformed tags") from None
    return tags


def number(tags: Tags, name: bytes) -> int | None:
    """A tag's decimal number, None without the tag. Raises Fault permerror."""
    value = tags.get(name)
    if value is None:
        return None
    if not _NUMBER.match(value):
        raise Fault("permerror", f"{name.decode()}= is no number")
    return int(value)


def host(value: bytes) -> str:
    """A domain or selector in the form that the DNS is asked with (RFC 8616). Raises Fault permerror."""
    try:
        name = ascii_domain(normal_domain(value.decode()))
    except ValueError:
        name = ""
    if not _HOST.match(name) or len(name) > 253:
        raise Fault("permerror", "malformed domain or selector")
    return name


def read_signature(at: int, tags: Tags, *, body: bool, default: bytes = b"simple/simple") -> Signature:
    """What DKIM and ARC ask of every signature. `body` False is a seal, which covers neither body nor h=.

    Raises Fault.
    """
    needed = {b"a", b"b", b"d", b"s", *((b"bh", b"h") if body else ())}
    if missing := sorted(needed - tags.keys()):
        raise Fault("permerror", f"{missing[0].decode()}= is missing")
    algorithm = tags[b"a"].lower()
    if algorithm == b"rsa-sha1":
        raise Fault("fail", "rsa-sha1 proves nothing (RFC 8301 3.1)")
    if algorithm not in ALGORITHMS:
        raise Fault("permerror", "unknown algorithm")
    header_form, body_form = _forms(tags.get(b"c", default))
    return Signature(
        at,
        tags,
        algorithm,
        host(tags[b"d"]),
        host(tags[b"s"]),
        _binary(tags[b"b"]),
        header_form if body else "relaxed",
        body_form,
        tuple(name.strip().lower() for name in tags[b"h"].split(b":")) if body else (),
        _binary(tags[b"bh"]) if body else None,
    )


def _forms(value: bytes) -> tuple[Form, Form]:
    names = [name.strip() for name in value.lower().split(b"/")]
    forms: list[Form] = []
    for name in names if len(names) > 1 else [*names, b"simple"]:
        if name not in {b"simple", b"relaxed"}:
            raise Fault("permerror", "unknown canonicalization")
        forms.append("relaxed" if name == b"relaxed" else "simple")
    if len(forms) != 2:
        raise Fault("permerror", "unknown canonicalization")
    return forms[0], forms[1]


def _binary(value: bytes) -> bytes:
    try:
        return base64.b64decode(_BLANK.sub(b"", value), validate=True)
    except (binascii.Error, ValueError):
        raise Fault("permerror", "malformed base64") from None


@dataclass(frozen=True, slots=True)
class Key:
    """A public key as its record has it. `exact`: i= must be at the very domain (t=s)."""

    kind: bytes
    public: rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    exact: bool = False

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raises Fault unless it made the signature over `data`."""
        try:
            if isinstance(self.public, rsa.RSAPublicKey):
                self.public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            else:
                # RFC 8463 3: PureEdDSA over the SHA-256 of the canonical data.
                self.public.verify(signature, hashlib.sha256(data).digest())
        except (InvalidSignature, ValueError):
            raise Fault("fail", "the signature does not verify") from None


def read_key(records: Records | None) -> Key:
    """The key in its record (RFC 6376 3.6.1). Raises Fault: temperror where the DNS did not answer."""
    if records is None or records.status == "temporary":
        raise Fault("temperror", "the DNS did not answer")
    fault = Fault("permerror", "no key")
    for text in records.values:  # more than one is undefined (3.6.2.2): the first that is one
        try:
            return _key(text.encode("latin-1"))
        except Fault as error:
            fault = error
    raise fault


def _key(text: bytes) -> Key:
    tags = read_tags(text)
    kind = tags.get(b"k", b"rsa").lower()
    if tags.get(b"v", b"DKIM1") != b"DKIM1" or b"p" not in tags or kind not in ALGORITHMS.values():
        raise Fault("permerror", "not a key that is understood")
    if not {b"*", b"email"} & _words(tags.get(b"s", b"*")) or b"sha256" not in _words(
        tags.get(b"h", b"sha256")
    ):
        raise Fault("permerror", "the key is for something else")
    data = _binary(tags[b"p"])
    if not data:
        raise Fault("permerror", "the key was revoked")
    exact = b"s" in _words(tags.get(b"t", b""))
    return Key(kind, _ed25519(data) if kind == b"ed25519" else _rsa(data), exact)


def _words(value: bytes) -> set[bytes]:
    return {word.strip().lower() for word in value.split(b":")}


def _ed25519(data: bytes) -> ed25519.Ed25519PublicKey:
    if data[:31] + bytes([data[-1] & 0x7F]) in SMALL_ORDER:
        raise Fault("fail", "an Ed25519 key of small order proves nothing")
    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(data)
    except ValueError:
        raise Fault("permerror", "malformed key") from None


def _rsa(data: bytes) -> rsa.RSAPublicKey:
    """SubjectPublicKeyInfo as everybody writes it, or RSAPublicKey as RFC 6376 has it (erratum 3017)."""
    try:
        key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise Fault("permerror", "malformed key") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise Fault("permerror", "not a key of its kind")
    if key.key_size < RSA_BITS[0]:
        raise Fault("fail", "an RSA key under 1024 bits proves nothing (RFC 8301 3.2)")
    if key.key_size > RSA_BITS[1]:
        raise Fault("permerror", "the key is too large")
    return key


def check(signature: Signature, key: Key, covered: bytes, bodies: Bodies | None) -> None:
    """Raises Fault unless `key` signed `covered`, and the body too where there is one to look at."""
    if ALGORITHMS[signature.algorithm] != key.kind:
        raise Fault("permerror", "the key is of another kind")
    if bodies is not None:
        digest, length = bodies.digest(signature.body_form)
        told = number(signature.tags, b"l")
        if told is not None and told < length:
            raise Fault("policy", "l= leaves a part of the body unsigned")
        if (told is not None and told > length) or digest != signature.body_hash:
            raise Fault("fail", "the body was changed")
    key.verify(signature.value, covered)


def covered_by(signature: Signature, fields: Fields) -> bytes:
    """The header fields that h= names and the signature's own, in canonical form.

    A second From behind the signed one must break it: readers differ in which one they show.
    """
    names = [*signature.signed, *([b"from"] if b"from" in signature.signed else [])]
    form = signature.header_form
    parts = [fields.whole(at, form) for at in fields.selected(names)]
    return b"".join([*parts, fields.unsigned(signature.at, form)])
