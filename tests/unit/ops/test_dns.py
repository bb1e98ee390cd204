from __future__ import annotations

import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgov.ops.dkim_files import generate, public_text
from mailgov.ops.dns import client_records, pages_host, records, text_value
from mailgov.store.dkim_keys import DkimKeyView

DOMAIN = "caobang.gov.vn"


def key(selector: str, algorithm: str, state: str) -> DkimKeyView:
    return DkimKeyView(DOMAIN, selector, algorithm, public_text(generate(algorithm)), "file", state, 0)


def test_a_name_server_reads_what_we_print() -> None:
    keys = [
        key("r1", "rsa", "active"),
        key("e1", "ed25519", "pending"),
        key("old", "ed25519", "retired"),
        key("gone", "ed25519", "withdrawn"),
    ]
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
    for there in keys[:3]:
        assert text(f"{there.selector}._domainkey") == there.record.encode()
    assert zone.get_rdataset("gone._domainkey", dns.rdatatype.TXT) is None
    assert text("_dmarc").startswith(b"v=DMARC1; p=")


def test_reports_go_where_they_are_summed_up() -> None:
    home, other = "reports@caobang.gov.vn", "snv.caobang.gov.vn"
    found = {one.name: one.value for one in records(other, f"mail.{DOMAIN}", [], reports=home)}
    assert f"rua=mailto:{home}" in found[f"_dmarc.{other}"]
    assert found[f"_smtp._tls.{other}"] == f'"v=TLSRPTv1; rua=mailto:{home}"'
    assert found[f"{other}._report._dmarc.caobang.gov.vn"] == '"v=DMARC1"'
    assert not [name for name in (one.name for one in records(DOMAIN, "m", [])) if "_tls" in name]


def test_mail_programs_find_the_service_by_its_names() -> None:
    pages = pages_host("https://thu.caobang.gov.vn/")
    lines = [
        one.line() for one in client_records(DOMAIN, f"mail.{DOMAIN}", pages, imaps=993, submissions=465)
    ]
    soa = f"{DOMAIN}. 3600 IN SOA ns.{DOMAIN}. root.{DOMAIN}. 1 1 1 1 1\n{DOMAIN}. 3600 IN NS ns.example.\n"
    zone = dns.zone.from_text(soa + "\n".join(lines), origin=DOMAIN, check_origin=True)
    for name in ("autoconfig", "autodiscover"):
        (alias,) = zone.find_rdataset(name, dns.rdatatype.CNAME)
        assert str(alias.target) == "thu"
    for name, port, host in (
        ("_imaps._tcp", 993, "mail"),
        ("_submissions._tcp", 465, "mail"),
        ("_autodiscover._tcp", 443, "thu"),
    ):
        (service,) = zone.find_rdataset(name, dns.rdatatype.SRV)
        assert (service.port, str(service.target)) == (port, host)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8025", "http://localhost", "https://[::1]:443/", "http://10.0.0.1"]
)
def test_what_is_no_name_to_ask_under(url: str) -> None:
    assert pages_host(url) is None
    assert client_records(DOMAIN, f"mail.{DOMAIN}", None, imaps=None, submissions=None) == []


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=700))
def test_any_text_survives_its_quoting(text: str) -> None:
    zone = dns.zone.from_text(
        f"@ 60 IN SOA a. b. 1 1 1 1 1\n@ 60 IN NS a.\nx 60 IN TXT {text_value(text)}", origin="example."
    )
    (record,) = zone.find_rdataset("x", dns.rdatatype.TXT)
    assert b"".join(record.strings) == text.encode()
    assert all(len(part) <= 255 for part in record.strings)
