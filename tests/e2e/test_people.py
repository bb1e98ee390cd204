"""An official's first day: the first password, a password of one's own, the code for when it is forgotten."""

from __future__ import annotations

import gzip
import re
import smtplib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy

import httpx2
import pytest
from playwright.sync_api import Browser

from tests.support import messages, reports, swaks
from tests.support.browser import CHROMIUM, Tab, chromium, open_tab, tab
from tests.support.processes import wait_until
from tests.support.programs import needs
from tests.support.province import AN, PASSWORD, Province, running_province

__all__ = ["chromium", "tab"]

OWN, NEW = "mot cau dai de nho", "mot cau khac, cung dai"  # smtplib knows no others
WRONG = 535
SOON_S = 20.0
"""A change is followed within 2 s; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    settings = {"reports": {"mailbox": "postmaster@caobang.gov.vn"}}
    with running_province(tmp_path_factory.mktemp("people"), settings, small=True) as province:
        yield province


def hired(desk: Province, address: str, *seats: str) -> str:
    """A new official; the first password that the command line printed."""
    words = ["account", "add", address, "--name", "Phạm Thị Hoa", "--agency", "SNV", "--class", "cong_chuc"]
    made = desk.service.cli(*words).expect().data
    for seat in seats:
        desk.service.cli("account", "seat", "add", address, seat, "--agency", "SNV").expect()
    return str(made["first_password"])


def followed(desk: Province) -> None:
    """Wait until the relay knows the directory as it is now; to ask it by signing in would be guessing."""
    with closing(sqlite3.connect(desk.service.data_dir / "ledger.sqlite", timeout=20)) as ledger:
        ((revision,),) = ledger.execute("SELECT revision FROM directory_state").fetchall()

    def known() -> bool:
        said = re.findall(r'"revision": (\d+)[^}]*"directory changed"', desk.service.log())
        return any(int(number) >= revision for number in said)

    wait_until(known, timeout_s=SOON_S, what=f"the directory's revision {revision} at the relay")


def mail_signs_in(desk: Province, address: str, password: str) -> bool:
    with desk.service.smtp(desk.service.submission) as session:
        session.starttls()
        try:
            return session.login(address, password)[0] == 235
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code != WRONG


def test_mail_takes_no_first_password_until_its_holder_has_changed_it(desk: Province) -> None:
    address = "hoapt@caobang.gov.vn"
    first = hired(desk, address)
    followed(desk)
    assert not mail_signs_in(desk, address, first)
    wait_until(lambda: "first password" in desk.service.log(), timeout_s=SOON_S, what="the reason in the log")
    assert first not in desk.service.log()
    with httpx2.Client(base_url=desk.service.url("")) as http:
        begun = http.post("/api/v1/session", json={"address": address, "password": first}).json()
        assert begun["must_change_password"]
        assert http.get("/api/v1/me").status_code == 403
        headers = {"X-CSRF-Token": begun["csrf_token"]}
        changed = http.post("/api/v1/password", json={"new_password": OWN}, headers=headers)
        assert changed.status_code == 200, changed.text
        followed(desk)
        assert mail_signs_in(desk, address, OWN)
        assert http.get("/api/v1/me").status_code == 200
        again = desk.service.cli("account", "password", address).expect().data["first_password"]
        assert http.get("/api/v1/me").status_code == 401, "signed out with the old password"
    followed(desk)
    assert not mail_signs_in(desk, address, OWN)
    assert not mail_signs_in(desk, address, again)
    acts = desk.service.cli("audit", "verify").expect()
    assert acts.status == 0


def test_a_device_keeps_the_password_that_it_is_given(desk: Province) -> None:
    device = "mayin@caobang.gov.vn"
    words = ["account", "add", device, "--name", "Máy in", "--kind", "functional", "--agency", "SNV"]
    made = desk.service.cli(*words, "--permanent").expect().data
    followed(desk)
    assert mail_signs_in(desk, device, made["password"])


def test_the_command_line_says_what_a_first_password_is_for(desk: Province) -> None:
    told = desk.service.cli("account", "password", AN, as_json=False).expect().stdout
    assert "first password (shown this once): " in told
    assert desk.service.url("/sign-in") in told
    assert (
        "password (shown this once): "
        in desk.service.cli("account", "password", AN, "--permanent", as_json=False).expect().stdout
    )
    set_back = ["account", "password", AN, "--password-stdin", "--permanent"]
    desk.service.cli(*set_back, as_json=False, stdin=f"{PASSWORD}\n").expect()


@needs("swaks")
def test_a_provider_s_report_is_summed_up_for_the_operator(desk: Province) -> None:
    begin_s = int(time.time()) // 86_400 * 86_400 - 86_400
    report = reports.dmarc([("192.0.2.7", "3", "none", "pass", "fail")] * 2, begin_s=begin_s)
    data = reports.bearing("application/gzip", gzip.compress(report))
    swaks.send(desk.service.mx, reverse_path="dmarc@example.net", to="postmaster@caobang.gov.vn", data=data)
    command = ["reports", "dmarc"]
    (line,) = wait_until(
        lambda: desk.service.cli(*command).expect().data["lines"], timeout_s=SOON_S, what="the report"
    )
    assert (line["source"], line["dkim"], line["spf"], line["count"]) == ("192.0.2.7", "pass", "fail", 6)
    assert "192.0.2.7" in desk.service.cli(*command, as_json=False).expect().stdout


def test_a_stolen_password_does_not_flood_the_world(desk: Province) -> None:
    """A thief signs in with a real client; the operator reads of it and does what the mail says."""
    desk.service.cli("account", "limit", AN, "--new-recipients-per-day", "5").expect()
    followed(desk)
    world = [f"nan-nhan-{number}@example.org" for number in range(20)]
    with desk.service.smtp(desk.service.submission) as session:
        session.starttls()
        session.login(AN, PASSWORD)
        refused = session.sendmail(AN, world, messages.plain(AN, world[0]))
        assert {code for code, _ in refused.values()} == {452, 550}, "more and more, then for good"
        assert list(refused) == world[5:]
        (alarm,) = wait_until(
            lambda: [m for m in desk.inbox("operator@caobang.gov.vn") if b"auto-generated" in m],
            what="the alarm",
        )
        mail = message_from_bytes(alarm, policy=policy.default)
        text = mail.get_body().get_content()  # type: ignore[union-attr]  # there is one
        shown = ["audit", "list", "--act", "sending.limit_reached"]
        (row,) = wait_until(lambda: desk.service.cli(*shown).expect().data, what="the row of the audit log")
        assert (row["actor"], row["object"]) == (f"service:{desk.service.hostname}", AN)
        assert row["content"]["limit"] == "new_recipients_per_day"
        assert AN in desk.service.cli(*shown, as_json=False).expect().stdout
        desk.service.cli("audit", "verify", as_json=False).expect()
        command = re.findall(r"^ *mailgov (account disable .*)$", text, re.MULTILINE)[0]
        desk.service.cli(*command.split(), as_json=False).expect()
        followed(desk)
        assert session.mail(AN)[0] == 535
    assert not mail_signs_in(desk, AN, PASSWORD)
    wait_until(lambda: len(desk.sink.messages) == 1, what="the one message")
    assert len(desk.sink.messages[0].recipients) == 5
    (record,) = wait_until(lambda: desk.messages(verdict="rejected", account=AN), what="the record")
    assert record["recipients"][0]["last_reply"].startswith("452 4.7.1 ")
    desk.service.cli("account", "limit", AN).expect()
    desk.service.cli("account", "enable", AN, as_json=False).expect()
    followed(desk)


@CHROMIUM
def test_the_pages_in_a_browser(desk: Province, tab: Tab) -> None:
    """From the slip of paper with the first password to signing in again after forgetting one's own."""
    address = "lanvt@caobang.gov.vn"
    first = hired(desk, address, "clerk")
    page = tab.page
    page.goto(desk.service.url("/account"))
    assert page.url.endswith("/sign-in?next=%2Faccount")
    tab.fill(address=address, password="không phải")
    tab.press("Đăng nhập")
    assert "không đúng" in tab.text
    tab.fill(password=first)
    tab.press("Đăng nhập")
    assert page.url.endswith("/password")
    assert "mật khẩu lần đầu" in tab.text
    tab.fill(new=OWN, repeated=OWN)
    tab.press("Đổi mật khẩu")
    code = page.inner_text("#recovery-code")
    assert len(code) == 24
    tab.follow("Tiếp tục")
    assert "Văn thư (SNV)" in tab.text
    tab.press("Chủ hộp thư")
    assert "Đang làm việc với vai trò\nChủ hộp thư" in tab.text
    tab.follow("English")
    assert "Acting as\nMailbox owner" in tab.text
    tab.press("Sign out")
    assert page.url.endswith("/sign-in?lang=en")
    tab.follow("Tiếng Việt")
    tab.follow("Quên mật khẩu?")
    tab.fill(address=address, code=code, new=NEW, repeated=NEW)
    tab.press("Đặt mật khẩu mới")
    assert page.inner_text("#recovery-code") != code
    tab.follow("Đăng nhập")
    tab.fill(address="lanvt", password=NEW)
    tab.press("Đăng nhập")
    assert page.url == desk.service.url("/?lang=vi"), "a clerk begins at the scorecard"
    assert tab.complaints == []
    assert all(asked.startswith(desk.service.url("/")) for asked in tab.asked)
    followed(desk)
    assert mail_signs_in(desk, address, NEW)


@CHROMIUM
def test_a_browser_in_english_reads_english_and_another_site_changes_nothing(
    desk: Province, chromium: Browser
) -> None:
    with open_tab(chromium, "en-GB") as tab:
        tab.page.goto(desk.service.url("/sign-in"))
        tab.fill(address=AN, password=PASSWORD)
        tab.press("Sign in")
        forms = "".join(
            f'<form method="post" action="{desk.service.url(path)}"><button>{path}</button></form>'
            for path in ("/sign-out", "/sign-in")
        )
        tab.page.route(
            "http://elsewhere.example/", lambda route: route.fulfill(body=forms, content_type="text/html")
        )
        for path, heading in (("/sign-out", "Sign in"), ("/sign-in", "The form has expired")):
            tab.page.goto("http://elsewhere.example/")
            tab.press(path)
            assert tab.page.inner_text("h1") == heading
        tab.page.goto(desk.service.url("/account"))
        assert AN in tab.text, "still signed in"


@CHROMIUM
def test_a_refused_author_reads_why_and_what_to_do(desk: Province, tab: Tab) -> None:
    desk.dns.mx("gmail.com", "gmail-smtp-in.l.google.com")
    said = desk.submit(b"From: %b\r\nSubject: x\r\n\r\nx\r\n" % AN.encode(), to="nguoila@gmail.com")
    found = re.search(r"http://\S+/why/\w+", said.refusal.text)
    assert found is not None, said.text
    page = found[0].removeprefix(desk.service.url(""))
    wait_until(lambda: desk.service.get(page).status == 200, timeout_s=SOON_S, what="the record")
    tab.page.goto(found[0])
    text = tab.text
    for told in ("Vì sao thư bị từ chối", "Văn bản yêu cầu gì", "Làm gì tiếp", "bộ phận Một cửa"):
        assert told in text
    assert "nguoila" not in text
    assert tab.complaints == []
