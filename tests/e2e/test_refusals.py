"""What is refused: by policy, with a record and a reason; at the door, with a code and a counter."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import pytest

from tests.support import messages, swaks
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, BINH, PASSWORD, Province, queue_id_of

GMAIL = "ai.do@gmail.com"


def decision_of(text: str) -> str:
    return text.rpartition("decision ")[2].rstrip("]")


def record_with(province: Province, decision: str) -> dict[str, Any]:
    def look() -> list[dict[str, Any]]:
        return [
            m for m in province.messages(verdict="rejected") if decision in [d["id"] for d in m["decisions"]]
        ]

    return wait_until(look, what=f"the record of decision {decision}")[0]


# By policy


@needs("swaks", "Net::SSLeay")
def test_cold_mail_to_a_free_service_is_rejected_with_rule_article_and_decision(province: Province) -> None:
    seen = province.submit(messages.plain(AN, GMAIL), to=GMAIL)
    refusal = seen.refusal
    assert refusal.code == 550
    assert refusal.text.startswith("5.7.1 ")
    assert refusal.text.isascii()
    assert "[rule cold-free-mail; " in refusal.text
    assert "1b; decision " in refusal.text
    decision = decision_of(refusal.text)
    assert f"/why/{decision}" in refusal.text
    record = record_with(province, decision)
    (recipient,) = record["recipients"]
    assert (recipient["address"], recipient["state"], recipient["mx_provider"]) == (GMAIL, "rejected", "free")
    why = province.service.get(f"/why/{decision}")
    assert why.status == 200
    assert "1b" in why.text
    assert GMAIL not in why.text


@needs("swaks", "Net::SSLeay")
def test_only_the_recipient_on_the_free_service_is_refused(province: Province) -> None:
    seen = province.submit(messages.plain(AN, BINH), to=[GMAIL, BINH])
    assert [r.code for r in seen.refusals] == [550]
    assert seen.kept.code == 250


@needs("swaks", "Net::SSLeay")
def test_a_citizen_who_wrote_is_answered(province: Province) -> None:
    citizen = "chi.hoa@gmail.com"
    swaks.send(province.service.mx, reverse_path=citizen, to=AN, data=messages.plain(citizen, AN))

    def answered() -> bool:
        return not province.submit(
            messages.plain(AN, citizen), to=citizen, options=["--quit-after", "RCPT"]
        ).refusals

    wait_until(answered, what="the answer to the citizen")


@needs("swaks", "Net::SSLeay")
def test_ones_own_free_mailbox_is_refused_even_for_who_wrote(province: Province) -> None:
    own = "an.rieng@gmail.com"
    province.service.cli("account", "register", AN, own, as_json=False).expect()
    swaks.send(province.service.mx, reverse_path=own, to=AN, data=messages.plain(own, AN))

    def refused_by() -> str:
        seen = province.submit(messages.plain(AN, own), to=own, options=["--quit-after", "RCPT"])
        return " ".join(refusal.text for refusal in seen.refusals)

    wait_until(lambda: "rule own-free-mail" in refused_by(), what="the directory's change at the relay")


@needs("swaks", "Net::SSLeay")
def test_a_consumer_mailbox_behind_another_domain_is_known_by_its_mx(province: Province) -> None:
    province.dns.mx("vanity.vn", "vanity-vn.olc.protection.outlook.com")
    province.dns.mx("congty.vn", "aspmx.l.google.com")
    refused = province.submit(messages.plain(AN, "x@vanity.vn"), to="x@vanity.vn").refusal
    assert "rule cold-free-mail" in refused.text
    paid = province.submit(
        messages.plain(AN, "x@congty.vn"), to="x@congty.vn", options=["--quit-after", "RCPT"]
    )
    assert not paid.refusals


@needs("swaks", "Net::SSLeay")
@pytest.mark.parametrize("mark", ["MẬT", "TỐI MẬT", "TUYỆT MẬT"])
def test_a_state_secret_leaves_nothing_but_the_fact(province: Province, mark: str) -> None:
    subject = f"{mark} - Phương án phòng thủ đồi 418"
    seen = province.submit(messages.plain(AN, BINH, subject=subject), to=[BINH, "x@example.org"])
    assert "rule state-secret-subject" in seen.refusal.text
    assert "117/2025/QH15" in seen.refusal.text
    record = record_with(province, decision_of(seen.refusal.text))
    assert record["account"] == AN
    assert record["secrecy"] == mark
    kept = {name for name, value in record.items() if value not in (None, [], False, "", 0)}
    allowed = {"queue_id", "time", "account", "verdict", "secrecy", "decision", "decisions", "policy_hash"}
    assert kept <= allowed, record
    for place in province.service.data_dir.rglob("*"):
        if place.is_file():
            assert "đồi 418".encode() not in place.read_bytes(), place


@needs("swaks", "Net::SSLeay")
def test_a_mark_in_an_attachments_name_stops_a_large_message_and_its_file_goes(province: Province) -> None:
    data = messages.with_attachment(AN, BINH, name="Mật_phuong-an.pdf", size_bytes=3_000_000)
    seen = province.submit(data, to=BINH)
    assert "rule state-secret-attachment" in seen.refusal.text
    left = [p for p in province.service.data_dir.glob("spool/*/*/*") if p.stat().st_size > 1_000_000]
    assert left == []


@needs("swaks")
def test_a_secret_from_outside_is_stopped_too(province: Province) -> None:
    data = messages.plain("x@bo.example.org", AN, subject="TỐI MẬT: danh sách")
    seen = swaks.send(province.service.mx, reverse_path="x@bo.example.org", to=AN, data=data)
    record = record_with(province, decision_of(seen.refusal.text))
    assert (record["account"], record["reverse_path"]) == (None, "bo.example.org")


@needs("swaks", "Net::SSLeay")
def test_an_account_writes_only_as_itself(province: Province) -> None:
    as_another = province.submit(messages.plain(BINH, AN), to=AN, reverse_path=BINH).refusal
    assert (as_another.code, "[rule account-writes-as-itself;" in as_another.text) == (550, True)
    from_another = province.submit(messages.plain(BINH, AN), to=AN).refusal
    assert (from_another.code, "[rule account-writes-as-itself-from;" in from_another.text) == (550, True)
    second_from = f"From: <{BINH}>\r\n".encode() + messages.plain(AN, BINH)
    assert "account-writes-as-itself-from" in province.submit(second_from, to=BINH).refusal.text


def test_a_client_that_asked_for_smtputf8_reads_vietnamese(province: Province) -> None:
    with signed_in(province) as session:
        session.docmd("MAIL", f"FROM:<{AN}> SMTPUTF8")
        code, text = session.docmd("RCPT", f"TO:<{GMAIL}>")
    assert code == 550
    assert "thư" in text.decode()


# At the door


@contextmanager
def encrypted(province: Province) -> Iterator[smtplib.SMTP]:
    with closing(province.service.smtp(province.service.submission)) as session:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        session.starttls(context=context)
        session.ehlo()
        yield session


@contextmanager
def signed_in(province: Province, account: str = AN, password: str = PASSWORD) -> Iterator[smtplib.SMTP]:
    with encrypted(province) as session:
        session.login(account, password)
        yield session


def dialogue(port: int, *commands: str) -> list[str]:
    """The reply to each command of a plain session, greeting left out."""
    replies = []
    with socket.create_connection(("127.0.0.1", port), 10) as sock, sock.makefile("rb") as lines:
        assert lines.readline().startswith(b"220 ")
        for command in commands:
            sock.sendall(command.encode() + b"\r\n")
            while True:
                line = lines.readline().decode()
                if line[3:4] != "-":
                    break
            replies.append(line.rstrip())
    return replies


def test_an_unknown_recipient_is_550_5_1_1(province: Province) -> None:
    *_, reply = dialogue(
        province.service.mx, "EHLO x", "MAIL FROM:<a@b.vn>", "RCPT TO:<nobody@caobang.gov.vn>"
    )
    assert reply.startswith("550 5.1.1 ")


@pytest.mark.parametrize(
    "recipient",
    [
        "x@example.org",
        "x%example.org@127.0.0.1",
        "@caobang.gov.vn:x@example.org",
        '"x@example.org"@relay.test',
        "x@[127.0.0.1]",
        "x@caobang.gov.vn.example.org",
    ],
)
def test_the_relay_is_open_to_nobody(province: Province, recipient: str) -> None:
    *_, reply = dialogue(province.service.mx, "EHLO x", "MAIL FROM:<a@b.vn>", f"RCPT TO:<{recipient}>")
    assert reply.startswith("554 5.7.1 ")


def test_our_own_name_opens_nothing(province: Province) -> None:
    *_, reply = dialogue(province.service.mx, "EHLO x", f"MAIL FROM:<{AN}>")
    assert reply.startswith("550 5.7.1 ")
    assert "rule own-address-from-outside;" in reply


def test_no_tls_no_auth(province: Province) -> None:
    ehlo = []
    with province.service.smtp(province.service.submission) as session:
        session.ehlo()
        ehlo = list(session.esmtp_features)
        blob = base64.b64encode(f"\0{AN}\0{PASSWORD}".encode()).decode()
        assert session.docmd("AUTH", f"PLAIN {blob}")[0] == 538
        code, text = session.docmd("MAIL", f"FROM:<{AN}>")
    assert "auth" not in ehlo
    assert (code, text.startswith(b"5.7.0 ")) == (530, True)


def test_no_auth_no_mail_on_submission(province: Province) -> None:
    with encrypted(province) as session:
        assert session.docmd("MAIL", f"FROM:<{AN}>")[0] == 530


@pytest.mark.parametrize("account", [AN, "nobody@caobang.gov.vn"])
def test_a_wrong_password_is_535_5_7_8_for_everyone(province: Province, account: str) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught, signed_in(province, account, "wrong"):
        pass
    assert caught.value.smtp_code == 535
    assert caught.value.smtp_error == b"5.7.8 Authentication credentials invalid"


def test_too_big_is_552_5_3_4_by_announcement(province: Province) -> None:
    *_, reply = dialogue(province.service.mx, "EHLO x", "MAIL FROM:<a@b.vn> SIZE=99999999")
    assert reply.startswith("552 5.3.4 ")


def test_too_big_is_552_5_3_4_while_reading_and_nothing_stays(province: Province) -> None:
    with province.service.smtp(province.service.mx) as session:
        session.ehlo()
        session.mail("a@b.vn")
        session.rcpt(AN)
        session.putcmd("DATA")
        assert session.getreply()[0] == 354
        assert session.sock is not None
        session.sock.sendall(b"Subject: big\r\n\r\n")
        line = b"x" * 998 + b"\r\n"
        for _ in range(54):
            session.sock.sendall(line * 1024)
        session.sock.sendall(b".\r\n")
        code, text = session.getreply()
        assert (code, text[:6]) == (552, b"5.3.4 ")
        assert session.noop()[0] == 250
    assert list(province.service.data_dir.glob("spool/*/incoming/*")) == []


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r.\r\n"])
def test_only_crlf_dot_crlf_ends_data_and_bare_ends_are_refused(province: Province, end: bytes) -> None:
    with province.service.smtp(province.service.mx) as session:
        session.ehlo()
        session.mail("a@b.vn")
        session.rcpt(AN)
        session.putcmd("DATA")
        session.getreply()
        assert session.sock is not None
        session.sock.sendall(b"Subject: x\r\n\r\nsmuggled" + end + b"MAIL FROM:<evil@b.vn>\r\n.\r\n")
        code, text = session.getreply()
        assert (code, text[:5]) == (554, b"5.6.0")
        assert session.noop()[0] == 250


def test_a_loop_is_cut(province: Province) -> None:
    data = b"Received: from x by y; now\r\n" * 51 + messages.plain("a@b.vn", AN)
    with (
        province.service.smtp(province.service.mx) as session,
        pytest.raises(smtplib.SMTPDataError) as caught,
    ):
        session.sendmail("a@b.vn", [AN], data)
    assert caught.value.smtp_code == 554
    assert b"5.4.6 " in cast(bytes, caught.value.smtp_error)


def test_a_suspended_account_is_out_within_seconds(province: Province) -> None:
    gone = "nghi.viec@caobang.gov.vn"
    province.person(gone, "Người Nghỉ Việc", "SNV")

    def signs_in() -> bool:
        try:
            with signed_in(province, gone):
                return True
        except smtplib.SMTPAuthenticationError:
            return False

    def known() -> bool:
        with smtplib.SMTP("127.0.0.1", province.service.mx, timeout=30) as session:
            session.ehlo()
            session.mail("a@example.org")
            return bool(session.rcpt(gone)[0] == 250)

    # Asked of the door, not by signing in: five failures in a row would have to wait.
    wait_until(known, what="the new account at the relay")
    with signed_in(province, gone) as session:
        province.service.cli("account", "disable", gone, as_json=False).expect()
        wait_until(lambda: not signs_in(), what="the suspension at the relay")
        assert session.docmd("MAIL", f"FROM:<{gone}>")[0] == 535


def test_refusals_at_the_door_are_counters_not_records(province: Province) -> None:
    before = len(province.messages(verdict="rejected"))
    dialogue(province.service.mx, "EHLO x", "MAIL FROM:<a@b.vn>", "RCPT TO:<nobody2@caobang.gov.vn>")

    def counted() -> bool:
        return 'reason="unknown_recipient"' in province.service.get("/metrics").text

    wait_until(counted, what="the counter")
    assert len(province.messages(verdict="rejected")) == before


@needs("swaks", "Net::SSLeay")
def test_the_author_hears_of_a_list_member_that_may_not_be_written_to(province: Province) -> None:
    members = ["--to", BINH, "--to", "thanh.vien@gmail.com", "--kind", "list"]
    province.service.cli("alias", "add", "ban-tin@caobang.gov.vn", *members).expect()
    data = messages.plain(AN, "ban-tin@caobang.gov.vn")

    def sent() -> str:
        seen = province.submit(data, to="ban-tin@caobang.gov.vn")
        return queue_id_of(seen) if seen.accepted else ""

    queue_id = wait_until(sent, what="the list at the relay")
    record = province.settled(queue_id, "delivered", "rejected")
    assert sorted((r["address"], r["state"]) for r in record["recipients"]) == [
        (BINH, "delivered"),
        ("thanh.vien@gmail.com", "rejected"),
    ]

    def bounced() -> list[bytes]:
        return [m for m in province.inbox(AN, 0) if b"multipart/report" in m and queue_id.encode() in m]

    (bounce,) = wait_until(bounced, what="the bounce")
    assert b"thanh.vien@gmail.com" in bounce
    assert b"own-free-mail" in bounce
