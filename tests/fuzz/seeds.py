"""Makes the seed corpus: `python -m tests.fuzz.seeds`. Small, in Vietnamese, and the same each time."""

from __future__ import annotations

import base64
import io
import random
import zipfile
from pathlib import Path

from tests.fuzz.run import CORPUS
from tests.support import messages
from tests.support.relay_node import AN, BINH, SCANNER
from tests.wire.client import stuffed

SENDER, TO = "citizen@example.org", BINH
TIME = (2026, 11, 2, 8, 15, 0)


def _zip(names: dict[str, bytes]) -> bytes:
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), data, zipfile.ZIP_DEFLATED)
    return octets.getvalue()


def _attached(name: str, data: bytes, kind: str = "application/octet-stream") -> bytes:
    head = messages.headers(
        SENDER, TO, messages.encoded_word("Tờ trình"), "Content-Type: multipart/mixed; boundary=b"
    )
    fields = f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename*=utf-8''{name}\r\n"
    body = base64.encodebytes(data).replace(b"\n", b"\r\n")
    return (
        head
        + b"\r\n--b\r\n"
        + fields.encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + body
        + b"--b--\r\n"
    )


def mails() -> dict[str, bytes]:
    """What people, programs and attackers write."""
    document = _zip(
        {"word/document.xml": b"<w/>", "word/vbaProject.bin": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}
    )
    outer = messages.headers(SENDER, TO, "Fwd", "Content-Type: message/rfc822")
    signature = (
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; s=c;\r\n"
        b"\th=from:to:subject; bh=YQ==; b=YWJj\r\n"
        b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.org; s=c; b=YQ==\r\n"
        b"ARC-Message-Signature: i=1; a=rsa-sha256; d=example.org; s=c; h=from; bh=YQ==; b=YQ==\r\n"
        b"ARC-Authentication-Results: i=1; example.org; spf=pass\r\n"
    )
    return {
        "plain": messages.plain(SENDER, TO),
        "html-nfc": messages.html(SENDER, TO),
        "html-nfd-q": messages.html(SENDER, TO, form="NFD", encoding="Q"),
        "raw-utf8": messages.raw_eight_bit(SENDER, TO),
        "signed": messages.signed(SENDER, TO),
        "pdf": messages.with_attachment(SENDER, TO, size_bytes=300),
        "secret": messages.plain(SENDER, TO, subject="TỐI MẬT: 12/QĐ-UBND"),
        "document": _attached("C%C3%B4ng%20v%C4%83n%2012.docm", document),
        "zip-in-zip": _attached("h%E1%BB%93%20s%C6%A1.zip", _zip({"a.zip": _zip({"b.pdf.exe": b"MZ"})})),
        "message-in-message": outer + b"\r\n" + messages.html(AN, TO),
        "dkim-arc": signature + messages.plain(SENDER, TO),
        "names": b'From: "a\\"b" (x(y)) <A@b.vn>, =?viscii?q?=D0?= <c@d.vn>, g: e@f.vn;\r\n'
        b"Content-Type: a/b; name*0*=utf-8''%C4%91; name*1=c\r\n\r\n",
        "path": b'<"a b"@xn--bcher-kva.example> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=a+2B NOTIFY=SUCCESS',
        "spf": b"v=spf1 ip4:192.0.2.0/24 a:%{d2}.example.org/24//64 include:_spf.example.org exp=%{i}.a -all",
        "dmarc": b"v=DMARC1; p=quarantine; sp=none; np=reject; psd=u; adkim=s; t=y; rua=mailto:a@b.vn!10m",
    }  # fmt: skip


def sessions() -> dict[str, bytes]:
    """An octet for the kind of input, one for its pieces, and the input (`session_target`)."""
    talk = (
        b"EHLO client.test\r\nMAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME RET=FULL ENVID=x\r\n"
        b"RCPT TO:<%s> NOTIFY=FAILURE\r\nRCPT TO:<nobody@caobang.gov.vn>\r\n" % TO.encode()
    )
    good = messages.plain(SENDER, TO)
    found = {
        "talk-data": b"\0\xff" + talk + b"DATA\r\n" + stuffed(good) + b"QUIT\r\n",
        "talk-bdat": b"\0\x07" + talk + b"BDAT %d LAST\r\n" % len(good) + good + b"NOOP\r\nQUIT\r\n",
        "talk-small": b"\0\0HELO a\r\nNOOP\r\nRSET\r\nVRFY a\r\nEXPN a\r\nHELP\r\nSTARTTLS\r\n"
        b"AUTH PLAIN YQ==\r\nQUIT\r\n",
        "bare-lf": b"\1\x05" + good.replace(b"\r\n", b"\n") + b"\n.\n\r\n.\r\n",
        "smuggled": b"\1\x02" + good + b"\n.\r\nMAIL FROM:<b@example.org>\r\n\r\n.\r\n",
        "long-line": b"\1\xff" + good + b"x" * 2000 + b"\r\n.\r\n",
    }
    for name in ("plain", "html-nfc", "raw-utf8", "signed", "document", "dkim-arc"):
        found[f"data-{name}"] = b"\1\x3f" + stuffed(mails()[name])
        found[f"trusted-bdat-{name}"] = b"\5\x09" + mails()[name].replace(SENDER.encode(), SCANNER.encode())
    return found


def main() -> None:
    random.seed(20261102)  # messages choose their Message-IDs at random
    for name, made in (("mail", mails()), ("session", sessions())):
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, octets in made.items():
            Path(folder, file).write_bytes(octets)


if __name__ == "__main__":
    main()
