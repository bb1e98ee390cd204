"""A look into a message for what policy and records ask: names of attachments, kinds of signature.

Boundaries are found by byte search; no tree is built, nothing is copied but part headers, and
nothing is decoded but a message or multipart that is itself encoded. Everything is bounded, and
`MimeLook.complete` says when a bound was met.

Readers differ in how they take what is malformed, so for secrecy each reading counts: every field
and parameter of one name, every boundary, the content as it stands and decoded. The record keeps
the likeliest reading alone.
"""

from mailgov.mail.mime.found import Attached, Leaf, MimeLook
from mailgov.mail.mime.readings import NAME_CHARACTERS
from mailgov.mail.mime.walk import leaves_of, look
from mailgov.mail.transfer import Data

__all__ = ["NAME_CHARACTERS", "Attached", "Data", "Leaf", "MimeLook", "leaves_of", "look"]
