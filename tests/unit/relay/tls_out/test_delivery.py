"""What mail to a destination asks of its hosts, and what becomes of it where they do not have it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest

from mailgov.relay.route import Lane
from mailgov.relay.tls_out import https
from mailgov.relay.tls_out.sts import LOOK_AGAIN_MS
from tests.support.certificates import Issued, make_certificate
from tests.support.sink import Sink
from tests.unit.relay.tls_out.conftest import DOMAIN, ENFORCE, MX, There, digest

DAY_MS = 86_400_000


def self_signed(there: There, name: str = MX, *, days: int = 30) -> None:
    folder = there.folder / f"self-{name}"
    folder.mkdir()
    certificate, key = make_certificate(folder, name, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    there.sink.tls = context


async def counted(there: There) -> dict[tuple[str, str], int]:
    """Sessions by policy type and result of one delivery."""
    with there.relay() as relay:
        await relay.send()
        return {(key.kind, key.result): n.sessions for key, n in relay.node.tls.tally.take().items()}


# What the traffic record tells


async def test_the_record_tells_how_a_delivery_was_encrypted(there: There, issued: Issued) -> None:
    with there.relay() as relay:
        assert (await relay.send()).tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified=no"
    there.publish(ENFORCE)
    with there.relay() as relay:
        assert (await relay.send()).tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified=sts"
    there.dane(f"3 1 1 {digest(issued.public_key())}")
    with there.relay() as relay:
        assert (await relay.send()).tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified=dane"
    there.dns.forget(f"_{there.sink.port}._tcp.{MX}")
    there.settings["tls_out"] = {"minimum": {DOMAIN: {"level": "verify"}}}
    with there.relay() as relay:
        assert (await relay.send()).tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified=ca"


async def test_the_record_tells_of_no_tls_in_the_clear(there: There) -> None:
    there.sink.tls = None
    with there.relay() as relay:
        told = await relay.send()
    assert (told.state, told.tls) == ("delivered", None)


# Without a policy (RFC 7435)


async def test_a_bad_certificate_stops_no_mail_where_nobody_asks_for_more(there: There) -> None:
    self_signed(there, "other.example", days=-1)
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"
    assert there.sink.messages[0].tls


async def test_mail_goes_in_the_clear_where_there_is_no_tls(there: There) -> None:
    there.sink.tls = None
    assert await counted(there) == {("no-policy-found", "starttls-not-supported"): 1}
    assert not there.sink.messages[0].tls


# MTA-STS (RFC 8461)


async def test_enforce_takes_the_right_certificate(there: There) -> None:
    there.publish(ENFORCE)
    assert await counted(there) == {("sts", "success"): 1}
    assert there.sink.messages[0].tls
    host = f"mta-sts.{DOMAIN}:{there.web.port}"
    assert there.web.asked == [("GET", host, "/.well-known/mta-sts.txt", b"")]


@pytest.mark.parametrize(
    ("name", "days", "result"),
    [
        (MX, 30, "certificate-not-trusted"),
        (MX, -1, "certificate-not-trusted"),
        ("other.example", 30, "certificate-not-trusted"),
    ],
)
async def test_enforce_defers_before_a_stranger(there: There, name: str, days: int, result: str) -> None:
    there.publish(ENFORCE)
    self_signed(there, name, days=days)
    with there.relay() as relay:
        told = await relay.send()
        assert (told.state, told.reply) == (
            "deferred",
            f"451 4.7.5 No trusted TLS with {MX} ({result}): required by its domain's MTA-STS policy",
        )
        assert [key.result for key in relay.node.tls.tally.take()] == [result]
    assert there.sink.messages == []


@pytest.mark.parametrize(
    ("name", "days", "result"),
    [("mx.example.com", 30, "certificate-host-mismatch"), (MX, -1, "certificate-expired")],
)
async def test_enforce_defers_before_a_wrong_certificate(
    there: There, name: str, days: int, result: str
) -> None:
    there.publish(ENFORCE)
    there.show(there.authority.issue(there.folder, name, days=days))
    assert await counted(there) == {("sts", result): 1}
    assert there.sink.messages == []


async def test_enforce_defers_where_starttls_was_taken_out(there: There) -> None:
    there.publish(ENFORCE)
    there.sink.tls = None
    with there.relay() as relay:
        told = await relay.send()
    assert told.reply == f"451 4.7.4 {MX} offers no TLS: required by its domain's MTA-STS policy"
    assert there.sink.messages == []


async def test_enforce_uses_no_host_that_the_policy_does_not_name(there: There) -> None:
    """Whoever forges the MX gets nothing, and the host that is named gets it."""
    there.publish(ENFORCE)
    there.dns.mx(DOMAIN, "mx.attacker.example", MX)
    there.dns.a("mx.attacker.example", there.sink.host)
    with there.relay() as relay:
        assert (await relay.send()).mx_host == MX
        there.dns.mx("other.example", "mx.attacker.example")
    there.dns.mx(DOMAIN, "mx.attacker.example")
    with there.relay() as relay:
        told = await relay.send()
    assert told.reply is not None
    assert told.reply.startswith("451 4.7.5 mx.attacker.example is not among the mail hosts")


async def test_testing_delivers_and_tells(there: There) -> None:
    there.publish(ENFORCE.replace("enforce", "testing"))
    self_signed(there)
    assert await counted(there) == {("sts", "certificate-not-trusted"): 1}
    assert there.sink.messages[0].tls


async def test_mode_none_asks_for_nothing(there: There) -> None:
    there.publish("version: STSv1\nmode: none\nmax_age: 1000\n")
    self_signed(there)
    assert await counted(there) == {("no-policy-found", "success"): 1}


async def test_a_policy_is_kept_over_a_restart_and_for_its_time(there: There) -> None:
    """Who can silence the DNS and the policy host cannot make the policy go (RFC 8461 3.3)."""
    there.publish(ENFORCE)
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"
    self_signed(there)
    there.dns.forget(f"_mta-sts.{DOMAIN}")
    there.web.status = 404
    there.time.ms += 6 * DAY_MS
    with there.relay() as relay:
        assert (await relay.send()).state == "deferred"
    there.time.ms += 2 * DAY_MS
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"


async def test_a_policy_of_a_short_time_is_fetched_again_before_it_goes(there: There) -> None:
    there.publish(ENFORCE.replace("604800", "400"))
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"
        there.time.ms += LOOK_AGAIN_MS
        assert (await relay.send()).state == "delivered"
        self_signed(there)
        there.time.ms += 150_000  # 450 s, and the last look was 150 s ago
        assert (await relay.send()).state == "deferred"
    assert len(there.web.asked) == 2


async def test_a_policy_is_fetched_once_and_again_when_its_id_changes(there: There) -> None:
    there.publish(ENFORCE)
    with there.relay() as relay:
        for _ in range(3):
            await relay.send()
        assert len(there.web.asked) == 1
        there.time.ms += LOOK_AGAIN_MS
        await relay.send()
        assert len(there.web.asked) == 1
        there.publish(ENFORCE.replace(MX, "mx2.example.org"), id="2")
        there.time.ms += LOOK_AGAIN_MS
        assert (await relay.send()).state == "deferred"
        there.time.ms += DAY_MS
        await relay.send()
    assert len(there.web.asked) == 3


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ("redirect", "sts-policy-fetch-error"),
        ("html", "sts-policy-fetch-error"),
        ("flood", "sts-policy-fetch-error"),
        ("nonsense", "sts-policy-invalid"),
        ("certificate", "sts-webpki-invalid"),
        ("name", "sts-webpki-invalid"),
        ("private", "sts-policy-fetch-error"),
        ("hang", "sts-policy-fetch-error"),
        ("drip", "sts-policy-fetch-error"),
    ],
)
async def test_a_policy_that_does_not_come_stops_no_mail_and_is_told(
    there: There, fault: str, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.publish(ENFORCE)
    if fault == "redirect":
        there.web.status, there.web.fields = 301, {"Location": "https://elsewhere.example/"}
    elif fault == "html":
        there.web.kind = "text/html"
    elif fault == "flood":
        there.web.body += b"# more\n" * 20_000
    elif fault == "nonsense":
        there.web.body = b"what?"
    elif fault == "certificate":
        there.dns.cname(f"mta-sts.{DOMAIN}", "policies.example")
        there.settings["tls_out"] = {"ca_file": None}
    elif fault == "name":
        there.show_web(there.authority.issue(there.folder, "mta-sts.example.com"))
    elif fault == "private":
        there.dns.a(f"mta-sts.{DOMAIN}", "10.0.0.1", "192.168.1.1", "fd00::1")
    elif fault == "hang":
        there.web.hang = True
        monkeypatch.setattr(https, "ASK_S", 0.5)
    elif fault == "drip":
        there.web.drip = True
        monkeypatch.setattr(https, "ASK_S", 0.5)
    assert await counted(there) == {("no-policy-found", result): 1}
    assert len(there.sink.messages) == 1
    if fault in {"certificate", "name", "private"}:
        assert there.web.asked == []
    if fault == "drip":  # or its thread would be gone for good, of four
        assert there.web.let_go.wait(5)


async def test_many_that_wait_for_a_policy_ask_for_it_once(there: There) -> None:
    there.publish(ENFORCE)
    with there.relay() as relay:
        policies = relay.node.tls
        ways = await asyncio.gather(*(policies.way(Lane("mx", DOMAIN), None, None) for _ in range(20)))
    assert all(way.sts is not None for way in ways)
    assert len(there.web.asked) == 1


# DANE (RFC 7672)


async def test_dane_takes_a_key_that_nobody_else_vouches_for(there: There, issued: Issued) -> None:
    there.dane(f"3 1 1 {digest(issued.public_key())}")
    there.settings["tls_out"] = {"ca_file": None}
    assert await counted(there) == {("tlsa", "success"): 1}
    assert there.sink.messages[0].tls


async def test_dane_takes_an_authority_of_the_domains_own(there: There, issued: Issued) -> None:
    there.dane(f"2 0 1 {digest(there.authority.der)}")
    assert await counted(there) == {("tlsa", "success"): 1}


async def test_dane_defers_before_another_key_and_stands_above_mta_sts(there: There) -> None:
    there.publish(ENFORCE)
    there.dane(f"3 1 1 {'00' * 32}")
    with there.relay() as relay:
        told = await relay.send()
    assert (
        told.reply == f"451 4.7.5 No trusted TLS with {MX} (validation-failure): required by its DANE records"
    )
    assert there.sink.messages == []


async def test_dane_defers_where_starttls_was_taken_out(there: There) -> None:
    there.dane(f"3 1 1 {'00' * 32}")
    there.sink.tls = None
    assert await counted(there) == {("tlsa", "starttls-not-supported"): 1}
    assert there.sink.messages == []


async def test_records_that_cannot_be_gone_by_still_ask_for_tls(there: There) -> None:
    there.dane(f"1 1 1 {'00' * 32}")
    assert await counted(there) == {("tlsa", "success"): 1}
    there.sink.tls = None
    with there.relay() as relay:
        assert (await relay.send()).state == "deferred"
    assert len(there.sink.messages) == 1


@pytest.mark.parametrize("lacking", ["setting", "mx", "address", "tlsa"])
async def test_what_no_validating_resolver_vouches_for_binds_nobody(there: There, lacking: str) -> None:
    there.dane(f"3 1 1 {'00' * 32}")
    if lacking == "setting":
        there.settings["dns"] = {}
    else:
        names = {"mx": f"tlsa-less.{DOMAIN}", "address": "", "tlsa": ""}
        there.dns.vouch(*{"mx": [MX], "address": [f"_tcp.{MX}"], "tlsa": [names["tlsa"] or "none"]}[lacking])
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"


async def test_records_that_the_dns_keeps_back_make_mail_wait(there: There) -> None:
    """SERVFAIL is what a forged answer looks like behind a validating resolver (RFC 7672 2.1.2)."""
    there.dane(f"3 1 1 {'00' * 32}")
    there.dns.servfail(f"_{there.sink.port}._tcp.{MX}")
    assert await counted(there) == {("tlsa", "dnssec-invalid"): 1}
    assert there.sink.messages == []


# A minimum of ours


async def test_encrypt_never_goes_in_the_clear(there: There) -> None:
    there.settings["tls_out"] = {"minimum": {DOMAIN: {"level": "encrypt"}}}
    self_signed(there)
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"
        there.sink.tls = None
        told = await relay.send()
    assert told.reply == f"451 4.7.4 {MX} offers no TLS: required by our settings"


@pytest.mark.parametrize(
    ("names", "state"),
    [([], "delivered"), ([MX], "delivered"), ([".org"], "delivered"), (["mail.gov.vn"], "deferred")],
)
async def test_verify_asks_for_a_name(there: There, names: list[str], state: str) -> None:
    there.settings["tls_out"] = {"minimum": {DOMAIN: {"level": "verify", "names": names}}}
    with there.relay() as relay:
        assert (await relay.send()).state == state


async def test_verify_by_an_authority_of_the_ministrys_own(there: There) -> None:
    self_signed(there)
    minimum = {"level": "verify", "ca_file": there.folder / f"self-{MX}" / "cert.pem"}
    there.settings["tls_out"] = {"minimum": {DOMAIN: minimum}}
    with there.relay() as relay:
        assert (await relay.send()).state == "delivered"
    there.settings["tls_out"] = {"minimum": {DOMAIN: {"level": "verify"}}}
    with there.relay() as relay:
        assert (await relay.send()).state == "deferred"


async def test_a_minimum_holds_by_way_of_a_route_too(there: There) -> None:
    there.sink.tls = None
    there.settings["tls_out"] = {"minimum": {DOMAIN: {"level": "encrypt"}}}
    with there.relay() as relay:
        assert (await relay.send(lane=Lane("smtp", there.sink.address))).state == "deferred"


# What a sender asks for (RFC 8689)


async def test_requiretls_reaches_a_host_that_takes_it(there: There, issued: Issued) -> None:
    there.sink.extensions += ("REQUIRETLS",)
    there.publish(ENFORCE)
    with there.relay() as relay:
        assert (await relay.send("required")).state == "delivered"
    assert "REQUIRETLS" in there.sink.messages[0].mail_parameters


async def test_requiretls_is_refused_for_good_where_the_host_does_not_know_it(there: There) -> None:
    there.publish(ENFORCE)
    with there.relay() as relay:
        told = await relay.send("required")
    assert (told.state, told.reply) == (
        "bounced",
        f"550 5.7.30 {MX} does not support REQUIRETLS, which is needed",
    )


@pytest.mark.parametrize("fault", ["no tls", "certificate", "mx"])
async def test_requiretls_is_refused_where_nothing_proves_the_host(there: There, fault: str) -> None:
    there.sink.extensions += ("REQUIRETLS",)
    if fault != "mx":
        there.publish(ENFORCE)
    if fault == "no tls":
        there.sink.tls = None
    if fault == "certificate":
        self_signed(there)
    with there.relay() as relay:
        told = await relay.send("required")
        assert told.state == "bounced"
        assert told.reply is not None
        assert told.reply.startswith("550 5.7.10 ")
    assert there.sink.messages == []


async def test_requiretls_by_dane(there: There, issued: Issued) -> None:
    there.sink.extensions += ("REQUIRETLS",)
    there.dane(f"3 1 1 {digest(issued.public_key())}")
    with there.relay() as relay:
        assert (await relay.send("required")).state == "delivered"


async def test_a_kept_session_serves_those_that_ask_for_no_more(there: There) -> None:
    there.sink.extensions += ("REQUIRETLS",)
    there.publish(ENFORCE)
    with there.relay() as relay:
        await relay.send(keep=True)
        await relay.send(keep=True)
        await relay.send("waived", keep=True)
        assert there.sink.connections == 1
        await relay.send("required", keep=True)
        assert there.sink.connections == 2
        await relay.send(keep=True)
        assert there.sink.connections == 2
        await relay.session.close()
        await relay.send("waived", keep=True)
        assert there.sink.connections == 3
        assert (await relay.send()).state == "delivered"
        assert there.sink.connections == 4


async def test_tls_required_no_sets_the_domains_policy_aside_and_not_ours(there: There) -> None:
    there.publish(ENFORCE)
    self_signed(there)
    with there.relay() as relay:
        assert (await relay.send("waived")).state == "delivered"
    there.sink.tls = None
    there.settings["tls_out"] = {"minimum": {DOMAIN: {"level": "encrypt"}}}
    with there.relay() as relay:
        assert (await relay.send("waived")).state == "deferred"


async def test_another_host_may_have_what_the_first_has_not(there: There, issued: Issued) -> None:
    there.publish(ENFORCE.replace(f"mx: {MX}", f"mx: {MX}\nmx: mx2.{DOMAIN}"))
    there.sink.tls = None
    second = there.authority.issue(there.folder, f"mx2.{DOMAIN}")
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Sink(host="127.0.0.2", port=there.sink.port, tls=second.server_context()))
        there.dns.mx(DOMAIN, MX, f"mx2.{DOMAIN}")
        there.dns.a(f"mx2.{DOMAIN}", other.host)
        with there.relay() as relay:
            assert (await relay.send()).mx_host == f"mx2.{DOMAIN}"


async def test_a_minimum_holds_beside_a_login(there: There) -> None:
    """A login checks the host's name already; the settings may ask for another one on top."""
    there.sink.extensions += ("AUTH PLAIN LOGIN",)
    secret = there.folder / "secret"
    secret.write_text("Pác-Bó 1941\n", encoding="utf-8")
    at = f"{MX}:{there.sink.port}"
    login = {"at": at, "user": "relay", "password_file": secret, "ca_file": there.authority.file}
    there.settings["delivery"] = {"smarthost": at, "logins": [login]}
    lane = Lane("smtp", at)
    for names, state in ((["mail.gov.vn"], "deferred"), ([MX], "delivered")):
        there.time.ms += 1
        there.settings["tls_out"] = {"minimum": {MX: {"level": "verify", "names": names}}}
        with there.relay() as relay:
            told = await relay.send(lane=lane)
            assert told.state == state, told
    assert told.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified=ca"
    assert len(there.sink.messages) == 1
