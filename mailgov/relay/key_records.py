"""Whether a DKIM key of ours is in the DNS as verifiers need it (RFC 6376 3.6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mailgov.relay.dns import Records, Resolver
from mailgov.relay.senders.signature import Fault, Tags, read_key, read_tags
from mailgov.relay.sign import Signer, SigningError
from mailgov.store.dkim_keys import DkimKeyView
from mailgov.store.snapshot import SigningKey

Standing = Literal[
    "published", "missing", "different", "revoked", "unusable", "several", "testing", "unknown",
    "no_private_key",
]  # fmt: skip
"""`unknown`: the DNS does not answer now, and nothing may be concluded from that."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the DNS has, in a word and for people."""

    standing: Standing
    detail: str = ""

    @property
    def good(self) -> bool:
        """Whether verifiers find the key."""
        return self.standing == "published"

    @property
    def bad(self) -> bool:
        """Whether it is known that they do not."""
        return self.standing not in {"published", "unknown"}


async def look_up(resolver: Resolver, key: DkimKeyView) -> Published:
    """Ask for the record of `key`; never raises."""
    asked = await resolver.texts(key.record_name)
    found = judged(asked, key.algorithm, key.public_key)
    if asked.alias_of:
        told = f"by CNAME to {asked.alias_of}"
        return Published(found.standing, f"{found.detail}, {told}" if found.detail else told)
    return found


def judged(records: Records, algorithm: str, public_key: str) -> Published:
    """What verifiers make of these records: hostile data, nothing of which is repeated but tags' words."""
    if records.status == "temporary":
        return Published("unknown", "the DNS does not answer")
    if not records.values:
        return Published("missing", "no TXT record is there")
    if len(records.values) > 1:
        told = f"{len(records.values)} TXT records: a verifier may take any of them (RFC 6376 3.6.2.2)"
        return Published("several", told)
    try:
        tags = read_tags(records.values[0].encode("latin-1"))
    except Fault:
        return Published("unusable", "not a list of tags such as v=DKIM1; k=rsa; p=…")
    return _unfit(tags, algorithm) or _compared(tags, public_key)


def _unfit(tags: Tags, algorithm: str) -> Published | None:
    if b"v" in tags and (tags[b"v"] != b"DKIM1" or next(iter(tags)) != b"v"):
        return Published("unusable", "v= must be DKIM1 and stand first")
    if b"p" not in tags:
        return Published("unusable", "p= is missing")
    if not tags[b"p"].strip():
        return Published("revoked", "p= is empty: the key is revoked")
    if tags.get(b"k", b"rsa").lower() != algorithm.encode():
        return Published("unusable", f"k= must be {algorithm}")
    if b"h" in tags and b"sha256" not in _words(tags[b"h"]):
        return Published("unusable", "h= leaves out sha256, which signatures are made with")
    if b"s" in tags and not {b"*", b"email"} & _words(tags[b"s"]):
        return Published("unusable", "s= leaves out email")
    return None


def _compared(tags: Tags, public_key: str) -> Published:
    shown = b"".join(tags[b"p"].split()).decode("latin-1")
    if shown != public_key:
        if public_key.startswith(shown):
            told = f"p= is cut short: {len(shown)} of {len(public_key)} characters; give all of its strings"
            return Published("different", told)
        return Published("different", "p= is another key's")
    if b"y" in _words(tags.get(b"t", b"")):
        return Published("testing", "t=y: verifiers treat the mail as if it were not signed")
    return Published("published")


def _words(value: bytes) -> set[bytes]:
    return {word.strip().lower() for word in value.split(b":")}


def private_problem(signer: Signer, key: DkimKeyView) -> str | None:
    """Why this machine cannot sign with the key so that its public side verifies; reads from the disk."""
    probe = b"probe"
    try:
        private = signer.load(SigningKey(key.domain, key.selector, key.algorithm, key.key_file))
        read_key(Records("ok", (key.record,))).verify(private.sign(probe), probe)
    except SigningError as error:
        return str(error)
    except Fault:
        return f"DKIM key {key.key_file}: not the key whose public side is published"
    return None
