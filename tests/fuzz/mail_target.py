"""Any bytes as a message and as an argument: header, MIME look, attachments' types, signatures, addresses."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from mailgov.mail.address import Address, AddressError
from mailgov.mail.attachments import attachments_hash
from mailgov.mail.authors import addresses_shown, names_no_address
from mailgov.mail.document import classify
from mailgov.mail.events import ATTACHMENT_RISKS
from mailgov.mail.family import family
from mailgov.mail.files.risks import attachment_risks
from mailgov.mail.headers import (
    HeaderBlock,
    author_addresses,
    date_ms,
    decode_text,
    is_automatic,
    message_id,
)
from mailgov.mail.mime import NAME_CHARACTERS, look
from mailgov.mail.reply import MailError
from mailgov.mail.secrecy import field_mark
from mailgov.relay.dns import Records
from mailgov.relay.edits import removals
from mailgov.relay.gateway import UNKNOWN, origin_of
from mailgov.relay.notify import RecipientWishes
from mailgov.relay.path import parse_mailbox, parse_path
from mailgov.relay.senders import arc, dkim, dmarc, spf_record
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.signature import Fault, read_key
from mailgov.relay.transaction import MailParameters
from tests.support.relay_node import RSA_SELECTOR, private_keys

TIME_S = 10.0
ARGUMENT_OCTETS = 2048
_DAY = date(2026, 11, 2)
_PUBLIC = (
    private_keys()[RSA_SELECTOR]
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
_KEY = Records("ok", (f"v=DKIM1; p={base64.b64encode(_PUBLIC).decode()}",))
_UNCLEAN = re.compile(r"[\x00-\x1f\x7f]")


class MailTarget:
    """All that reads what a stranger wrote, without a session around it."""

    name = "mail"

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[MailTarget]:  # noqa: ARG003 - as the other target
        yield cls()

    def one(self, data: bytes) -> None:
        """Raises AssertionError, or whatever broke, where the input does what none may."""
        start = time.monotonic()
        _message(data)
        argument = data[:ARGUMENT_OCTETS]
        _argument(argument.decode("utf-8", "surrogateescape"))
        _record(argument)
        assert time.monotonic() - start < TIME_S


def _message(data: bytes) -> None:
    block = HeaderBlock.scan(data)
    assert block.raw == data[: block.size]
    subject = _header(block)
    seen = look(data, header=block)
    for name in seen.attachment_names:
        assert 0 < len(name) <= NAME_CHARACTERS
        assert not _UNCLEAN.search(name)
    assert set(attachment_risks(data, seen)) <= set(ATTACHMENT_RISKS)
    attachments_hash(data, seen)
    classify(subject, seen.attachment_names)
    _signatures(block, data)


def _header(block: HeaderBlock) -> str:
    subject = " ".join(decode_text(value) for value in block.all(b"subject"))
    assert not _UNCLEAN.search(subject)
    authors = [a for value in block.all(b"from")[:8] for a in author_addresses(value)]
    for address in authors:
        assert Address.parse(address).key == address
    for value in [*block.all(b"from")[:8], *block.all(b"subject")[:8]]:
        shown = addresses_shown(value)
        if names_no_address(value):
            assert not shown
            assert not author_addresses(value)
        field_mark(value)
    origin = origin_of(block, ("192.0.2.0/24",))
    assert origin.address or origin == UNKNOWN
    is_automatic(block, None)
    message_id(block)
    date_ms(block)
    family(block, subject, author=authors[0] if authors else "", day=_DAY)
    for submitted in (True, False):
        last = 0
        for start, end, _ in removals(
            block, submitted=submitted, authserv_id="mail.caobang.gov.vn", spam_told=not submitted
        ):
            assert last <= start <= end <= block.size
            last = end
    return subject


def _signatures(block: HeaderBlock, data: bytes) -> None:
    fields = Fields(block)
    signatures, chain = dkim.candidates(fields, ("example.org",)), arc.read_chain(fields)
    bodies = Bodies(data, block.size)
    keys = {c.signature.key_name: _KEY for c in signatures if c.signature is not None}
    keys |= dict.fromkeys(chain.keys, _KEY)
    for candidate in signatures:
        dkim.verify(candidate, keys, fields, bodies, 1_793_000_000)
    arc.validate(chain, keys, fields, bodies)


def _argument(text: str) -> None:
    with suppress(AddressError):
        address = Address.parse(text)
        assert Address.parse(str(address)) == address
    for keyword in ("FROM:", "TO:"):
        with suppress(MailError):
            path, given = parse_path(keyword + text, keyword)
            for read in (MailParameters.read, RecipientWishes.read):
                with suppress(MailError):
                    read(given)
            parse_mailbox(path)


def _record(octets: bytes) -> None:
    """What strangers' DNS may say."""
    text = octets.decode("latin-1")
    with suppress(Fault):
        read_key(Records("ok", (text,)))
    dmarc.parse(text)
    dmarc.parse("v=DMARC1;" + text)
    with suppress(spf_record.PermanentError):
        spf_record.parse("v=spf1 " + text)
