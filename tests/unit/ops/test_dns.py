from __future__ import annotations

import dns.rdataclass
import dns.rdatatype
import dns.zone
from hypothesis import given
from hypothesis import strategies as st

from mailgov.ops.dkim_files import generate, public_text
from mailgov.ops.dns import pending_records, records, text_value
from mailgov.store.dkim_keys import DkimKeyView

DOMAIN = "caobang.gov.vn"


def key(selector: str, algorithm: str, state: str) -> DkimKeyView:
    return DkimKeyView(DOMAIN, selector, algorithm, public_text(generate(algorithm)), "file", state, 0)


def test_a_name_server_reads_what_we_print() -> None:
    keys = [key("r1", "rsa", "active"), key("e1", "ed25519", "pending"), key("old", "ed25519", "retired")]
    lines = [record.line() for record in records(DOMAIN, f"mail.{DOMAIN}", keys)]
    soa = f"{DOMAIN}. 3600 IN SOA ns.{DOMAIN}. root.{DOMAIN}. 1 1 1 1 1\n{DOMAIN}. 3600 IN NS ns.example.\n"
    zone = dns.zone.from_text(soa + "\n".join(lines), origin=DOMAIN, check_origin=True)

    def text(name: str) -> bytes:
        (record,) = zone.find_rdataset(name, dns.rdatatype.TXT)
        return b"".join(record.strings)

    (mx,) = zone.find_rdataset("@", dns.rdatatype.MX)
    assert (mx.preference, str(mx.exchange)) == (10, "mail")
    assert text("@") == b"v=spf1 mx -all"
    assert text("r1._domainkey") == f"v=DKIM1; k=rsa; p={keys[0].public_key}".encode()
    for resting in ("e1", "old"):
        assert zone.get_rdataset(f"{resting}._domainkey", dns.rdatatype.TXT) is None
    (pending,) = pending_records(keys)
    assert pending.name == f"e1._domainkey.{DOMAIN}"
    assert pending.value == f'"v=DKIM1; k=ed25519; p={keys[1].public_key}"'
    assert text("_dmarc").startswith(b"v=DMARC1; p=")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=700))
def test_any_text_survives_its_quoting(text: str) -> None:
    zone = dns.zone.from_text(
        f"@ 60 IN SOA a. b. 1 1 1 1 1\n@ 60 IN NS a.\nx 60 IN TXT {text_value(text)}", origin="example."
    )
    (record,) = zone.find_rdataset("x", dns.rdatatype.TXT)
    assert b"".join(record.strings) == text.encode()
    assert all(len(part) <= 255 for part in record.strings)
