"""ARC sealing (RFC 8617 5.1): what we found of a message goes with it where an address of ours leads out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import dkim

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.senders.arc import SETS_LIMIT, Chain, read_chain
from mailgov.relay.senders.canonical import Fields, Form, relaxed_field, without_signature
from mailgov.relay.sign import SIGNED_FIELDS, PrivateKey, times_named
from mailgov.store.entries import SigningKey

_RESULTS, _MESSAGE, _SEAL = b"ARC-Authentication-Results", b"ARC-Message-Signature", b"ARC-Seal"
_NO_VALUE = (b"b", b"0" * 60)  # on a line of its own, so that folding again moves nothing before it


@dataclass(frozen=True, slots=True)
class Seal:
    """What a set says: `results` is the body of our Authentication-Results behind the `authserv_id`."""

    authserv_id: str
    results: str
    now_s: int


def key_for(keys: Sequence[SigningKey]) -> SigningKey | None:
    """The key to seal with: RSA, the only one that RFC 8617 knows, or whatever there is."""
    return next((key for key in keys if key.algorithm == "rsa"), keys[0] if keys else None)


def arc_set(
    seal: Seal, key: SigningKey, private: PrivateKey, header: bytes, digest: bytes, body_form: Form = "simple"
) -> bytes:
    """The three fields of the next set, to be put before `header`; b"" where there is nothing to go on.

    `header` is the header as it leaves, `digest` the body's in `body_form`. A chain that is not whole is
    not gone on with: another set would repair nothing. Its seals and signature must have been validated.
    """
    fields = Fields(HeaderBlock.scan(header))
    chain = read_chain(fields)
    number = len(chain.sets) + 1
    if chain.fault is not None or number > SETS_LIMIT:
        return b""
    instance = (b"i", b"%d" % number)
    results = b" i=%d; %s;\r\n\t%s\r\n" % (
        number,
        seal.authserv_id.encode(),
        seal.results.encode("ascii", "replace"),
    )
    names = [b"dkim-signature"] * fields.names.count(b"dkim-signature")  # the next host may add its own
    for name in SIGNED_FIELDS:
        names += [name] * times_named(name, fields.names.count(name))
    common = [(b"a", private.algorithm), (b"d", key.domain.encode()), (b"s", key.selector.encode())]
    stamp = (b"t", b"%d" % seal.now_s)
    covered = b"".join(fields.whole(at, "relaxed") for at in fields.selected(names))
    message = _signed(
        _MESSAGE,
        [
            instance,
            common[0],
            (b"c", b"relaxed/" + body_form.encode()),
            *common[1:],
            stamp,
            (b"h", b" : ".join(names)),
            (b"bh", base64.b64encode(digest)),
        ],
        covered,
        private,
    )
    own = relaxed_field(_RESULTS, results) + relaxed_field(_MESSAGE, message)
    tags = [instance, common[0], *common[1:], stamp, (b"cv", b"none" if number == 1 else b"pass")]
    sealed = _signed(_SEAL, tags, _earlier(chain, fields) + own, private)
    return b"".join([_SEAL, b":", sealed, _MESSAGE, b":", message, _RESULTS, b":", results])


def _earlier(chain: Chain, fields: Fields) -> bytes:
    places = [at for one in chain.sets for at in (one.results, one.message.at, one.seal.at)]
    return b"".join(fields.whole(at, "relaxed") for at in places)


def _signed(name: bytes, tags: list[tuple[bytes, bytes]], covered: bytes, private: PrivateKey) -> bytes:
    """The value of a signing field, with its CRLF, over what it covers and itself."""
    unsigned = b" " + without_signature(_folded([*tags, _NO_VALUE], name))
    signature = private.sign(covered + relaxed_field(name, unsigned).removesuffix(b"\r\n"))
    return b" " + _folded([*tags, (b"b", base64.b64encode(signature))], name) + b"\r\n"


def _folded(tags: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    """A tag list as the value of the field `name`, in lines of 72 characters."""
    text: bytes = dkim.fold(b"; ".join(b"=".join(tag) for tag in tags), namelen=len(name))
    return text
