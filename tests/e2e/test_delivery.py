"""Mail out: routes, retries, bounces; each failed recipient in exactly one, and nobody twice."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import smtplib
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support import messages, swaks
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, BINH, PASSWORD, SCANNER, Province, queue_id_of, running_province
from tests.support.sink import Act, Sink
from tests.support.smtp_sink import smtp_sink

pytestmark = needs("swaks", "Net::SSLeay")


@pytest.fixture
def quiet(province: Province) -> Iterator[Province]:
    """The shared province, whose sink behaves again afterwards."""
    yield province
    province.sink.behave()


def bounce_to(province: Province, address: str, queue_id: str) -> email.message.EmailMessage:
    """The DSN in a mailbox that tells of a queue id."""

    def look() -> list[bytes]:
        return [m for m in province.inbox(address, 0) if b"multipart/report" in m and queue_id.encode() in m]

    raw = wait_until(look, what=f"a bounce about {queue_id}")
    assert len(raw) == 1
    return email.message_from_bytes(raw[0], policy=email.policy.default)


def test_what_fails_for_the_moment_is_tried_again(quiet: Province) -> None:
    quiet.sink.on("rcpt", "451 4.3.2 not now", times=2, when=lambda to: to == "spater@example.org")
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, "spater@example.org"), to="spater@example.org"))
    record = quiet.settled(queue_id)
    assert record["recipients"][0]["attempts"] == 3
    quiet.sink.wait_match(lambda m: "spater@example.org" in m.recipients)


def test_what_fails_for_good_bounces_in_both_languages_and_the_rest_is_delivered_once(
    quiet: Province,
) -> None:
    quiet.sink.on("rcpt", "550 5.1.1 no such person", when=lambda to: to.startswith("gone"))
    to = ["gone1@example.org", "here@example.org", "gone2@example.org"]
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, to[0], subject="Kế hoạch 12/KH-SNV"), to=to))
    record = quiet.settled(queue_id, "delivered", "bounced")
    assert [r["state"] for r in record["recipients"]] == ["bounced", "delivered", "bounced"]

    dsn = bounce_to(quiet, AN, queue_id)

    assert dsn["Auto-Submitted"] == "auto-replied"
    assert dsn["Return-Path"] == "<>"
    human, status, returned = dsn.iter_parts()
    text = human.get_content()
    assert "gone1@example.org" in text
    assert "Tiêu đề: Kế hoạch 12/KH-SNV" in text
    assert "mx.example.org trả lời: 550 5.1.1 no such person" in " ".join(text.split())
    assert text.index("Thư") < text.index("message")
    blocks = cast(list[email.message.Message], status.get_payload())
    fields = [block for block in blocks if block["Final-Recipient"]]
    assert [(f["Final-Recipient"], f["Action"], f["Status"]) for f in fields] == [
        ("rfc822; gone1@example.org", "failed", "5.1.1"),
        ("rfc822; gone2@example.org", "failed", "5.1.1"),
    ]
    assert "Message-ID" in returned.get_payload()
    assert sum("here@example.org" in m.recipients for m in quiet.sink.messages) == 1


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "eod"])
def test_a_refusal_for_good_at_any_step_is_one_bounce(quiet: Province, phase: str) -> None:
    quiet.sink.on(phase, "550 5.7.1 not this one", times=1)  # type: ignore[arg-type]  # a Phase
    to = f"no-{phase}@example.org"
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, to), to=to))
    quiet.settled(queue_id, "bounced")
    assert to in bounce_to(quiet, AN, queue_id).as_string()
    assert not any(to in m.recipients for m in quiet.sink.messages)


def test_a_bounce_of_a_bounce_does_not_exist(quiet: Province) -> None:
    quiet.sink.on("rcpt", "550 5.1.1 no such person", when=lambda to: to.startswith("null"))
    quiet.service.cli("alias", "add", "fwd@caobang.gov.vn", "--to", "null@example.org", "--kind", "forward")
    before = quiet.messages(verdict="accepted")

    def forwarded() -> str:
        seen = swaks.send(
            quiet.service.mx, reverse_path="<>", to="fwd@caobang.gov.vn", data=messages.plain("x@b.vn", AN)
        )
        return queue_id_of(seen) if seen.accepted else ""

    queue_id = wait_until(forwarded, what="the forward at the relay")
    quiet.settled(queue_id, "bounced")
    own = [m for m in quiet.messages(verdict="accepted") if m["source"] == "own"]
    assert len(own) == len([m for m in before if m["source"] == "own"])


def test_null_mx_and_no_domain_bounce_at_once_dns_trouble_waits(quiet: Province) -> None:
    quiet.dns.mx("nomail.vn", ".")
    quiet.dns.servfail("trouble.vn")
    to = ["x@nomail.vn", "x@nowhere.invalid", "x@trouble.vn"]
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, to[0]), to=to))
    record = quiet.settled(queue_id, "bounced", "deferred")
    by_address = {r["address"]: (r["state"], r["last_reply"][:10]) for r in record["recipients"]}
    assert by_address == {
        "x@nomail.vn": ("bounced", "556 5.1.10"),
        "x@nowhere.invalid": ("bounced", "550 5.1.2 "),
        "x@trouble.vn": ("deferred", "451 4.4.3 "),
    }
    quiet.dns.forget("trouble.vn")
    quiet.dns.mx("trouble.vn", "mx.example.org")
    quiet.settled(queue_id, "bounced", "delivered")


def test_a_bounce_that_no_server_said_blames_none(quiet: Province) -> None:
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, "x@nowhere.invalid"), to="x@nowhere.invalid"))
    quiet.settled(queue_id, "bounced")
    human, status, _ = bounce_to(quiet, AN, queue_id).iter_parts()
    assert "Hệ thống gửi thư ghi nhận: 550 5.1.2" in human.get_content()
    assert "trả lời" not in human.get_content()
    assert "Diagnostic-Code: x-mailgov; 550 5.1.2 The domain does not exist" in status.as_string()


def test_a_mail_host_at_a_private_address_is_not_reached(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"delivery": {"allow_networks": []}}
    with running_province(tmp_path, settings, small=True) as province:
        queue_id = queue_id_of(province.submit(messages.plain(AN, "x@example.org"), to="x@example.org"))
        record = province.settled(queue_id, "bounced")
        assert "private or reserved" in record["recipients"][0]["last_reply"]
        assert province.sink.connections == 0


@needs("smtp-sink")
def test_a_smarthost_and_a_route_for_one_domain(tmp_path: Path) -> None:
    (tmp_path / "smart").mkdir()
    with smtp_sink(tmp_path / "smart") as smart, Sink() as ministry:
        settings = {
            "delivery": {
                "smarthost": f"127.0.0.1:{smart.port}",
                "routes": {"bo.gov.vn": f"smtp:{ministry.address}"},
            }
        }
        with running_province(tmp_path / "province", settings, small=True) as province:
            to = ["x@example.org", "y@bo.gov.vn", "z@bo.gov.vn"]
            queue_id = queue_id_of(province.submit(messages.plain(AN, to[0]), to=to))
            province.settled(queue_id)
            assert [m.recipients for m in ministry.messages] == [("y@bo.gov.vn", "z@bo.gov.vn")]
            assert smart.count() == 1


def test_a_new_route_needs_no_restart_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    delivery: dict[str, Any] = {"retry_schedule_s": [3600]}
    with (
        Sink() as ministry,
        running_province(tmp_path, {"delivery": delivery}, small=True, workers=2) as there,
    ):
        service = there.service
        text = service.config.read_text(encoding="utf-8")
        there.dns.mx("bo.gov.vn", "mx.example.org")
        there.sink.on("rcpt", "450 4.2.0 later", when=lambda to: to.endswith("@bo.gov.vn"))
        queue_id = queue_id_of(there.submit(messages.plain(AN, "x@bo.gov.vn"), to="x@bo.gov.vn"))
        there.settled(queue_id, "deferred")

        service.config.write_text(f'{text}\n[delivery.routes]\n"bo.gov.vn" = "{ministry.address}"\n')
        refused = service.cli("reload", as_json=False).expect(1)
        assert refused.stderr.count("\n") == 1
        assert f'{service.config}: key delivery.routes."bo.gov.vn": ' in refused.stderr
        os.kill(service.program.pid, signal.SIGHUP)
        wait_until(
            lambda: service.log().count("settings not loaded, the old ones stay") == 2, what="both workers"
        )
        there.settled(queue_id_of(there.submit(messages.plain(AN, "x@example.org"), to="x@example.org")))
        service.kill_workers()
        anew = "settings cannot be used, those before them are"
        wait_until(lambda: service.log().count(anew) == 2, what="both workers anew")
        there.settled(queue_id_of(there.submit(messages.plain(AN, "y@example.org"), to="y@example.org")))

        service.config.write_text(f'{text}\n[delivery.routes]\n"bo.gov.vn" = "smtp:{ministry.address}"\n')
        assert len(service.cli("reload").expect().data["told"]) == 1
        there.settled(queue_id)
        assert [m.recipients for m in ministry.messages] == [("x@bo.gov.vn",)]
    assert "no service runs" in service.cli("reload", as_json=False).expect(1).stderr


@pytest.mark.slow
def test_reloads_under_load_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """A route that turns about, and in between a file that is none, while four clients send."""
    count, turns = 400, 40
    with Sink() as one, Sink() as other:
        delivery = {"routes": {"bo.gov.vn": f"smtp:{one.address}"}}
        with running_province(tmp_path, {"delivery": delivery}, small=True, workers=2) as there:
            service = there.service
            text = service.config.read_text(encoding="utf-8")
            texts = [text.replace(one.address, other.address), text, "broken ["]

            def send(client: int) -> None:
                with service.smtp(service.trusted) as session:
                    for number in range(client, count, 4):
                        to = [f"{name}{number}@bo.gov.vn" for name in "xy"]
                        session.sendmail(SCANNER, to, messages.plain(SCANNER, to[0]))

            def arrived() -> list[str]:
                return [to for sink in (one, other) for message in sink.messages for to in message.recipients]

            with ThreadPoolExecutor(4) as clients:
                sending = [clients.submit(send, client) for client in range(4)]
                for turn in range(turns):
                    service.config.write_text(texts[turn % 3], encoding="utf-8")
                    os.kill(service.program.pid, signal.SIGHUP)
                    wait_until(lambda n=2 * (turn + 1): answered(service.log()) >= n, what="both workers")  # type: ignore[misc]
                for each in sending:
                    each.result()
            wait_until(lambda: len(arrived()) >= 2 * count, timeout_s=60, what="all of it")
            there.settled(queue_id_of(there.submit(messages.plain(AN, "z@bo.gov.vn"), to="z@bo.gov.vn")))
            assert len(arrived()) == len(set(arrived())) == 2 * count + 1
            assert one.messages
            assert other.messages


def answered(log: str) -> int:
    """How often a worker has said what came of a reload."""
    return log.count("settings of delivery loaded") + log.count("settings not loaded, the old ones stay")


@pytest.mark.parametrize("phase", ["connect", "helo", "mail", "rcpt", "data", "eod"])
@pytest.mark.parametrize("fault", ["421 4.3.2 closing", Act.DROP, b"\xff\xfe garbage\r\n"])
def test_whatever_the_next_hop_does_nothing_is_lost(quiet: Province, phase: str, fault: object) -> None:
    quiet.sink.on(phase, fault, times=1)  # type: ignore[arg-type]  # a Phase and a Reaction
    to = f"{phase}-{abs(hash(str(fault)))}@example.org"
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, to), to=to))
    quiet.settled(queue_id)
    assert any(to in m.recipients for m in quiet.sink.messages)


def _check_same_bodies(province: Province, held: str) -> None:
    """The command line's JSON of what waits is what HTTP answers: names, times, acts."""
    cli, token = province.service.cli, province.service.token("operator")

    def asked(path: str) -> Any:
        answer = province.service.get(f"/api/v1/{path}", token)
        assert answer.status == 200
        return answer.data

    listed = cli("queue", "list").expect().data
    assert held in [entry["queue_id"] for entry in listed]
    assert [one for one in listed if one["queue_id"] == held] == asked(f"queue?queue_id={held}")["items"]
    assert cli("queue", "show", held).expect().data == asked(f"queue/{held}")
    assert cli("trace", held).expect().data == asked(f"messages/{held}")


def test_a_queued_message_is_held_released_and_dropped(quiet: Province) -> None:
    quiet.sink.on("rcpt", "450 4.2.0 later", when=lambda to: to.startswith("held"))
    cli = quiet.service.cli
    to = ["held1@example.org", "held2@example.org"]
    first, second = (queue_id_of(quiet.submit(messages.plain(AN, t), to=t)) for t in to)
    quiet.settled(first, "deferred")
    quiet.settled(second, "deferred")

    def act(word: str, queue_id: str, *more: str) -> bool:
        return cli("queue", word, queue_id, *more, as_json=False).status == 0

    wait_until(lambda: act("hold", first), what="the hold")  # refused while an attempt is under way
    quiet.settled(first, "held")
    _check_same_bodies(quiet, first)
    quiet.sink.behave()
    released = cli("queue", "release", first).expect().data
    assert (released["queue_id"], released["act"], released["result"]) == (first, "release", "done")
    assert released["asked_at"] <= released["done_at"]
    quiet.settled(first)

    quiet.sink.on("rcpt", "450 4.2.0 later", when=lambda to: to.startswith("held"))
    wait_until(
        lambda: (
            act("drop", second, "--reason", "gửi nhầm")
            or quiet.record(second)["recipients"][0]["state"] != "deferred"
        ),
        what="the drop",
    )
    record = quiet.settled(second, "dropped", "delivered")
    if record["recipients"][0]["state"] == "dropped":
        assert "gửi nhầm" in record["recipients"][0]["last_reply"]


def test_much_of_the_queue_is_found_shown_and_acted_on_at_once(quiet: Province) -> None:
    quiet.sink.on("rcpt", "451 4.7.1 Greylisted here", when=lambda to: to.startswith("cham"))
    to = ["cham1@example.org", "cham2@example.org"]
    one = queue_id_of(quiet.submit(messages.plain(AN, to[0]), to=to))
    cli = quiet.service.cli
    search = ("--domain", "example.org", "--from", AN, "--reply", "greylisted here")

    def greylisted() -> bool:
        found = cli("queue", "list", *search, "--state", "deferred").expect().data
        return [(entry["queue_id"], entry["address"]) for entry in found] == [(one, name) for name in to]

    wait_until(greylisted, what="two deferred recipients")
    shown = cli("queue", "show", one).expect().data
    assert {entry["reply"] for entry in shown["history"]} == {"451 4.7.1 Greylisted here"}
    assert shown["history"][0]["next_attempt"] > shown["history"][0]["time"]

    assert cli("queue", "drop", *search, "--reason", "thử máy").expect().data["recipients"] == 2
    done: dict[str, int] = {}

    def dropped() -> bool:  # what is being delivered just then is refused
        done.update(cli("queue", "drop", *search, "--reason", "thử máy", "--yes").expect().data)
        return done["recipients"] == 0

    wait_until(dropped, what="both dropped")
    record = quiet.settled(one, "dropped")
    assert {r["last_reply"].partition(" by ")[0] for r in record["recipients"]} == {"drop"}


def test_arrival_is_reported_where_it_was_asked_for(quiet: Province) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", quiet.service.submissions, context=context, timeout=30) as session:
        session.login(AN, PASSWORD)
        assert session.has_extn("dsn")
        session.mail(AN, ["ENVID=cong-van+2B12"])
        session.rcpt(BINH, ["NOTIFY=SUCCESS,FAILURE"])
        code, text = session.data(messages.plain(AN, BINH))
    assert code == 250
    dsn = bounce_to(quiet, AN, text.decode().rpartition(" ")[2])
    human, status, _ = dsn.iter_parts()
    assert "Thư đã vào hộp thư của người nhận" in human.get_content()
    of_message, of_recipient = cast(list[email.message.Message], status.get_payload())
    assert of_message["Original-Envelope-Id"] == "cong-van+12"
    assert (of_recipient["Final-Recipient"], of_recipient["Action"]) == (f"rfc822; {BINH}", "delivered")


def test_mail_to_outside_and_inside_is_one_record(quiet: Province) -> None:
    queue_id = queue_id_of(quiet.submit(messages.plain(AN, BINH), to=[BINH, SCANNER, "x@example.org"]))
    record = quiet.settled(queue_id)
    assert sorted(r["direction"] for r in record["recipients"]) == ["internal", "internal", "outbound"]
