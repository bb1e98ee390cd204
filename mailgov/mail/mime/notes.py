"""What is noted of each part: signatures, attachments with their names, and whatever may be a file."""

from __future__ import annotations

import re

from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime.found import LEAF_FIELD_OCTETS, Attached, Leaf
from mailgov.mail.mime.readings import NAME_CHARACTERS, base_name, encodings_of
from mailgov.mail.parameters import Parameters, main_value, parameters, text, token

SIGNATURE_TYPES = {
    b"application/pkcs7-signature": "smime",
    b"application/x-pkcs7-signature": "smime",
    b"application/pgp-signature": "pgp",
}
SIGNATURE_ORDER = ("dkim", "smime", "pgp")
_NAMED = re.compile(rb"name|attachment", re.IGNORECASE)


class Notes:
    """Collects them; `name_limit` names at most."""

    def __init__(self, name_limit: int) -> None:
        self._name_limit = name_limit
        self.names: dict[str, None] = {}
        self.signatures: set[str] = set()
        self.attachments = 0
        self.contents: list[Attached] = []
        self.leaves: list[Leaf] = []

    def signature(self, kind: bytes, type_parameters: Parameters) -> None:
        if kind == b"multipart/signed":
            protocol = token(type_parameters, b"protocol").lower()
            if signature := SIGNATURE_TYPES.get(protocol):
                self.signatures.add(signature)
        elif (
            kind in {b"application/pkcs7-mime", b"application/x-pkcs7-mime"}
            # Anything but signed-data may as well be encryption (RFC 8551 3.2.2).
            and token(type_parameters, b"smime-type").lower() == b"signed-data"
        ):
            self.signatures.add("smime")

    def leaf(
        self,
        header: HeaderBlock,
        kind: bytes,
        content_types: list[bytes],
        start: int,
        end: int,
        inside: bytearray | None,
    ) -> None:
        """A part at start:end of the message, or of the decoded content that it is `inside`."""
        fields = tuple(
            value[:LEAF_FIELD_OCTETS]
            for value in (*header.all(b"content-disposition")[:4], *content_types[:4])
        )
        text = kind.startswith(b"text/") and not any(_NAMED.search(value) for value in fields)
        if kind.startswith(b"multipart/") or text:
            return
        encodings, clear = encodings_of(header)
        for encoding in encodings:
            self.leaves.append(Leaf(start, end, encoding, kind, fields, inside, clear))

    def content(self, header: HeaderBlock, start: int, end: int) -> None:
        """Once for what is attached; not inside content that was decoded, where offsets are others."""
        if self.contents and start < self.contents[-1].end:
            return  # inside an attached message
        encoding = main_value(header.first(b"content-transfer-encoding") or b"")
        self.contents.append(Attached(start, end, encoding))

    def attachment(self, header: HeaderBlock, type_parameters: Parameters, message: bool) -> bool:
        """Note the names; True when this is an attachment."""
        disposition = header.first(b"content-disposition") or b""
        if not disposition and not message and b"name" not in type_parameters:
            return False
        names = [
            text(parameters(disposition), b"filename", NAME_CHARACTERS * 4),
            text(type_parameters, b"name", NAME_CHARACTERS * 4),
        ]
        # A mail program may show either name, so both are kept where they differ.
        clean = [name for name in map(base_name, names) if name]
        attached = bool(clean) or message or main_value(disposition) == b"attachment"
        self.attachments += attached
        for name in clean:
            if len(self.names) < self._name_limit:
                self.names[name] = None
        return attached
