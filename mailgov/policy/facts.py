"""The facts that a policy may ask about: their names, types, and where they are known.

A fact is known (its value; None says "known to be absent"), unknown with a reason, or not
gathered yet (its key is missing from the mapping). The registry is the only list: a rule
that names another fact does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mailgov.mail.events import ATTACHMENT_RISKS, MALWARE_WORDS, RESULT_WORDS, SPAM_WORDS


class Stage(StrEnum):
    """Where in a message's journey a decision is asked for, in this order."""

    CONNECT = "connect"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Asked for and not found out; `reason` in a few words, such as `DNS timeout`."""

    reason: str


FactValue = str | bool | int | None | tuple[str, ...]
Facts = Mapping[str, FactValue | Unknown]

Kind = Literal["text", "word", "flag", "number", "list", "date"]
Source = Literal["session", "directory", "guard", "dns", "header", "body", "clock"]

ALL = frozenset(Stage)
FROM_MAIL = ALL - {Stage.CONNECT}
PER_RECIPIENT = frozenset({Stage.RCPT, Stage.ROUTE})
WHOLE_MESSAGE = frozenset({Stage.DATA, Stage.ROUTE})
ROUTE_ONLY = frozenset({Stage.ROUTE})

LISTENERS = ("mx", "submission", "submissions", "trusted", "own")
PROVIDER_CLASSES = ("free", "paid-foreign", "domestic", "gateway", "unknown")
SECRECY_MARKS = ("MẬT", "TỐI MẬT", "TUYỆT MẬT")


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact. `text` compares exactly; with `folded` its values come in lower case.

    `word` is a text out of `values`; `list` a tuple of texts, out of `values` where there are any;
    `date` an ISO text such as `2026-11-21`. `read_at_route` names the fact that takes this one's
    place at stage route.
    """

    name: str
    kind: Kind
    stages: frozenset[Stage]
    source: Source
    meaning: str
    values: tuple[str, ...] = ()
    folded: bool = False
    read_at_route: str | None = None


def _registry() -> dict[str, FactSpec]:
    specs = (
        FactSpec("session.listener", "word", ALL, "session", "where the message came in", LISTENERS),
        FactSpec("session.authenticated", "flag", ALL, "session", "the client signed in"),
        FactSpec("session.tls", "flag", ALL, "session", "the connection is encrypted"),
        FactSpec("session.client_address", "text", ALL, "session", "the client's IP address"),
        FactSpec("clock.local_date", "date", ALL, "clock", "the province's date when the message came"),
        FactSpec("account.address", "text", FROM_MAIL, "session", "the account that sends", folded=True),
        FactSpec(
            "account.addresses",
            "list",
            FROM_MAIL,
            "directory",
            "its own address, those granted to it, and aliases that lead to it alone",
        ),
        FactSpec("account.kind", "text", FROM_MAIL, "directory", "personal, shared, …"),
        FactSpec("account.agency", "text", FROM_MAIL, "directory", "the code of the account's agency"),
        FactSpec(
            "account.citizen_desk", "flag", FROM_MAIL, "directory", "a one-stop or reception desk's account"
        ),
        FactSpec(
            "account.registered_addresses",
            "list",
            FROM_MAIL,
            "directory",
            "outside addresses registered for the person or the agency",
        ),
        FactSpec(
            "mail.reverse_path",
            "text",
            FROM_MAIL,
            "session",
            "MAIL FROM; empty is the null reverse-path",
            folded=True,
        ),
        FactSpec(
            "mail.writes_as_itself",
            "flag",
            FROM_MAIL,
            "directory",
            "the reverse-path is one of the account's addresses; true for mail of our own",
        ),
        FactSpec(
            "mail.reverse_path_ours",
            "flag",
            FROM_MAIL,
            "directory",
            "the reverse-path's domain is one of ours, in use or not",
        ),
        *_recipient_facts(),
        *_message_facts(),
        *_sender_facts(),
        *_content_facts(),
    )
    return {spec.name: spec for spec in specs}


def _recipient_facts() -> tuple[FactSpec, ...]:
    return (
        FactSpec("recipient.address", "text", PER_RECIPIENT, "session", "after expansion", folded=True),
        FactSpec("recipient.domain", "text", PER_RECIPIENT, "session", "of that address", folded=True),
        FactSpec("recipient.local", "flag", PER_RECIPIENT, "directory", "the domain is one of ours"),
        FactSpec(
            "recipient.via",
            "word",
            PER_RECIPIENT,
            "directory",
            "what an address of ours was expanded through; absent when none was",
            ("alias", "list", "forward"),
        ),
        FactSpec(
            "recipient.registered",
            "flag",
            PER_RECIPIENT,
            "directory",
            "the address is registered for a person or an agency of the province",
        ),
        FactSpec(
            "recipient.mx_provider",
            "word",
            PER_RECIPIENT,
            "dns",
            "who hosts the recipient's mail, by domain and MX",
            PROVIDER_CLASSES,
            read_at_route="route.mx_provider",
        ),
        FactSpec(
            "recipient.wrote_in_days",
            "number",
            PER_RECIPIENT,
            "guard",
            "days since the recipient last wrote to an address of ours; absent when never",
        ),
        FactSpec(
            "route.mx_provider",
            "word",
            ROUTE_ONLY,
            "dns",
            "the same by the MX really used; behind a configured route, as found at RCPT",
            PROVIDER_CLASSES,
        ),
    )


def _sender_facts() -> tuple[FactSpec, ...]:
    """What was found of who writes in from outside; all absent for mail of our own."""
    results = (
        ("spf", "SPF of the reverse-path, or of HELO for the null one (RFC 7208)"),
        ("dkim", "the best DKIM signature (RFC 6376)"),
        ("dmarc", "DMARC of the author's domain (RFC 9989); `permerror` only where no author can be read"),
        ("arc", "the chain of those who forwarded it (RFC 8617)"),
    )
    return (
        FactSpec("session.helo", "text", ALL, "session", "the name that the client gave itself", folded=True),
        *(
            FactSpec(f"sender.{name}", "word", WHOLE_MESSAGE, "body", meaning, RESULT_WORDS)
            for name, meaning in results
        ),
        FactSpec(
            "sender.dmarc_policy",
            "word",
            WHOLE_MESSAGE,
            "body",
            "what the author's domain asks for where DMARC fails; absent without a record",
            ("none", "quarantine", "reject"),
        ),
        FactSpec(
            "sender.arc_sealer",
            "text",
            WHOLE_MESSAGE,
            "body",
            "the domain that sealed that chain last; absent unless the chain holds",
            folded=True,
        ),
        FactSpec("sender.listed", "list", FROM_MAIL, "dns", "the block lists that name the client's address"),
    )


def _content_facts() -> tuple[FactSpec, ...]:
    return (
        FactSpec(
            "content.malware",
            "word",
            WHOLE_MESSAGE,
            "body",
            "what the scanner for malware says",
            MALWARE_WORDS,
        ),
        FactSpec("content.malware_name", "text", WHOLE_MESSAGE, "body", "what was found"),
        FactSpec("content.spam", "word", WHOLE_MESSAGE, "body", "what the spam filter says", SPAM_WORDS),
        FactSpec("content.spam_score", "number", WHOLE_MESSAGE, "body", "its score, in hundredths"),
        FactSpec(
            "content.risks",
            "list",
            WHOLE_MESSAGE,
            "body",
            "what its attachments are by what they really hold, each kind once",
            ATTACHMENT_RISKS,
        ),
    )


def _message_facts() -> tuple[FactSpec, ...]:
    return (
        FactSpec("message.author", "list", WHOLE_MESSAGE, "header", "the addresses in From"),
        FactSpec(
            "message.author_is_account",
            "flag",
            WHOLE_MESSAGE,
            "header",
            "there is an author, and each, each that a name or comment shows, and in a person's mail"
            " each that Sender names, is the account's",
        ),
        FactSpec(
            "message.author_ours",
            "flag",
            WHOLE_MESSAGE,
            "directory",
            "the domain of one of the authors is one of ours, in use or not",
        ),
        FactSpec("message.subject", "text", WHOLE_MESSAGE, "header", "decoded, NFC, one line"),
        FactSpec(
            "message.secrecy",
            "word",
            WHOLE_MESSAGE,
            "header",
            "the mark that the subject bears",
            SECRECY_MARKS,
        ),
        FactSpec(
            "message.attachment_secrecy",
            "word",
            WHOLE_MESSAGE,
            "body",
            "the highest mark that an attachment's name bears",
            SECRECY_MARKS,
        ),
        FactSpec("message.hops", "number", WHOLE_MESSAGE, "header", "Received fields"),
        FactSpec(
            "message.document_class", "text", WHOLE_MESSAGE, "body", "by subject and attachments' names"
        ),
        FactSpec("message.size_bytes", "number", WHOLE_MESSAGE, "body", "header and body, as received"),
    )


FACTS: dict[str, FactSpec] = _registry()

BODY_FACTS = frozenset(name for name, spec in FACTS.items() if spec.source == "body")
"""Known only once the whole body was read. `wanted()` that names one of these when the header
ends says: nothing speaks against the message so far, read on and ask again."""

CONTENT_FACTS = frozenset(name for name in FACTS if name.startswith("content."))
"""Found by services and by a dear look of our own: asked for once nothing else speaks against a message."""

SECRECY_FACTS = frozenset({"message.secrecy", "message.attachment_secrecy"})
"""All that the record of a stop for secrecy keeps of a message."""
