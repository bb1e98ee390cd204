"""What a look into a message finds."""

from __future__ import annotations

from dataclasses import dataclass

LEAF_FIELD_OCTETS = 4096
"""Of a field that may name a part: a name of 255 Vietnamese letters in RFC 2231 takes 2.3 KB."""


@dataclass(frozen=True, slots=True)
class Attached:
    """Where an attachment's content lies in the message, still encoded.

    `encoding` is its Content-Transfer-Encoding (RFC 2045 6.1) in small letters, b"" for none.
    """

    start: int
    end: int
    encoding: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that may be shown as a file, attached or not, inside attached messages too.

    `fields` are its values of Content-Disposition and Content-Type, which may name it, cut to
    `LEAF_FIELD_OCTETS`. `inside` is what it lies in where that was itself encoded, None for the message.
    """

    start: int
    end: int
    encoding: bytes
    kind: bytes
    fields: tuple[bytes, ...]
    inside: bytearray | None = None
    clear: bool = True
    """False where readers differ in how it is encoded, or nobody knows: there is a leaf for each reading."""


@dataclass(frozen=True, slots=True)
class MimeLook:
    """What was seen. Names have no path parts and no control characters, each stands once.

    `attachments` counts leaf parts that have a name or are marked as attachments, and attached
    messages; detached signatures are not among them. `signatures`: "dkim" for a DKIM-Signature
    field, "smime" and "pgp" for RFC 8551 and RFC 3156 types. Nothing is verified.
    """

    attachment_names: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    attachments: int = 0
    complete: bool = True
    """False when a limit ended the look, or no boundary could be told: there may be more."""
    secrecy: str | None = None
    """The highest mark of any name that something attached may be shown under: file names, the
    description, an attached message's subject, each in every reading."""
    contents: tuple[Attached, ...] = ()
    """The attachments themselves, in order; what is attached to an attached message lies inside that."""
    leaves: tuple[Leaf, ...] = ()
    """Every part but multiparts and unnamed text, in every reading of the boundaries."""
