from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest

from tests.support.dns_server import DnsServer


def ask(server: DnsServer, name: str, rdtype: str, timeout: float = 5.0) -> dns.message.Message:
    question = dns.message.make_query(name, rdtype)
    reply, _ = dns.query.udp_with_fallback(question, server.host, timeout=timeout, port=server.port)
    return reply


def test_answers_records_as_a_resolver_asks_for_them(dns_server: DnsServer) -> None:
    dns_server.mx("example.vn", "mx1.example.vn", "mx2.example.vn")
    dns_server.a("mx1.example.vn", "192.0.2.1", "2001:db8::1")
    dns_server.cname("alias.example.vn", "mx1.example.vn")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [dns_server.host], dns_server.port
    assert sorted(r.to_text() for r in resolver.resolve("example.vn", "MX")) == [
        "10 mx1.example.vn.",
        "20 mx2.example.vn.",
    ]
    assert [r.to_text() for r in resolver.resolve("alias.example.vn", "AAAA")] == ["2001:db8::1"]
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("mx1.example.vn", "TXT")
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("nowhere.example.org", "MX")
    assert dns_server.asked("EXAMPLE.vn.", "MX") == 1


def test_an_empty_name_above_a_record_exists(dns_server: DnsServer) -> None:
    dns_server.txt("s1._domainkey.example.vn", "v=DKIM1; p=abc")
    assert ask(dns_server, "_domainkey.example.vn", "TXT").rcode() == dns.rcode.NOERROR


def test_null_mx(dns_server: DnsServer) -> None:
    dns_server.mx("closed.example")
    assert ask(dns_server, "closed.example", "MX").answer[0].to_rdataset().to_text().endswith("MX 0 .")


def test_a_long_text_comes_in_strings_and_over_tcp(dns_server: DnsServer) -> None:
    text = 'quoted "p" \\ ' + "x" * 3000
    dns_server.txt("long.example", text)
    reply = ask(dns_server, "long.example", "TXT")
    assert b"".join(reply.answer[0][0].strings).decode() == text
    assert dns_server.asked("long.example", "TXT") == 2


def test_faults(dns_server: DnsServer) -> None:
    dns_server.servfail("broken.example")
    dns_server.a("short.example", "192.0.2.7")
    dns_server.truncate("short.example")
    dns_server.silence("silent.example")
    assert ask(dns_server, "broken.example", "MX").rcode() == dns.rcode.SERVFAIL
    assert ask(dns_server, "short.example", "A").answer[0][0].to_text() == "192.0.2.7"
    with pytest.raises(dns.exception.Timeout):
        ask(dns_server, "silent.example", "A", timeout=0.2)
    dns_server.forget("broken.example")
    assert ask(dns_server, "broken.example", "MX").rcode() == dns.rcode.NXDOMAIN
