"""What the record of a message needs so that its document counts once: issuer and attachments' hash."""

from __future__ import annotations

from collections.abc import Sequence

from mailgov.mail.address import Address, AddressError
from mailgov.mail.attachments import attachments_hash
from mailgov.mail.document import Document
from mailgov.mail.document_key import PARTS
from mailgov.mail.mime import Data, MimeLook
from mailgov.relay.expand import TooManyTargets, UnknownRecipient, resolve
from mailgov.relay.incoming import Incoming
from mailgov.store.entries import AccountEntry, Snapshot


def issuer_of(
    snapshot: Snapshot, account: AccountEntry | None, authors: Sequence[str], path: str
) -> str | None:
    """Who issues what a message carries; None when nobody can be named.

    From one of our accounts: the agency whose mailbox the From address is (the account's own, an
    alias, or a shared one that it holds a grant for), otherwise the account's own agency. An
    address that the account may not write as names nobody. From outside, or from an account of
    no agency: "@" and the domain of the author, else of the reverse-path `path`.
    """
    if account is not None:
        for author in authors:
            agency = _agency_at(snapshot, author) if author in account.addresses else None
            if agency is not None:
                return agency
        if account.agency is not None:
            return account.agency
    domain = (authors[0] if authors else path).rpartition("@")[2].lower()
    return f"@{domain}" if domain else None


def _agency_at(snapshot: Snapshot, key: str) -> str | None:
    """The agency of the one mailbox that an address is or stands for."""
    try:
        targets = resolve(snapshot, Address.parse(key))
    except (AddressError, UnknownRecipient, TooManyTargets):
        return None
    if len(targets) != 1 or targets[0].via not in (None, "alias") or targets[0].account is None:
        return None
    return targets[0].account.agency


def hash_of_attachments(
    incoming: Incoming, document: Document, family: str | None, data: Data, seen: MimeLook
) -> str | None:
    """The attachments' hash where a document is known by it, otherwise None.

    That is what an account of ours sends with a class but no symbol, and neither as a reply nor
    as a forward nor as a part. Costs CPU in proportion to the message: not on the event loop.
    """
    numbered = document.document_class is None or document.symbol is not None
    if incoming.account is None or numbered or document.reply or document.forward:
        return None
    return None if (family or "").startswith(PARTS) else attachments_hash(data, seen)
