"""A day in the life of each user, with the clients they use, on the demo that `make run` makes."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import sqlite3
import stat
import subprocess
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support import swaks
from tests.support.browser import open_tab, running_chromium
from tests.support.mailbox import Mailbox, client_tls, closing_all
from tests.support.mailgov_service import Service
from tests.support.processes import wait_until
from tests.support.programs import needs, program
from tests.support.transcript import Transcript

pytestmark = needs("swaks", "curl", "dovecot", "chromium")

OWN = "một câu dài, dễ nhớ, của riêng tôi"
READY = "annv@caobang.gov.vn"


def credentials(demo: Service) -> dict[str, str]:
    """What `make run` hands to whoever tries it."""
    text = (demo.data_dir / "demo-credentials.txt").read_text(encoding="utf-8")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def curl(demo: Service, path: str, *words: str, token: str) -> Any:
    """The interface of programs, asked with curl; its JSON."""
    argv = [program("curl"), "--silent", "--show-error", "--header", f"Authorization: Bearer {token}"]
    done = subprocess.run(
        [*argv, *words, demo.url(path)], check=True, capture_output=True, text=True, timeout=30
    )
    return json.loads(done.stdout)


def first_password(demo: Service, address: str, *options: str) -> str:
    """Add an account as an administrator does; the first password that is printed."""
    words = ["account", "add", address, "--name", "Phạm Thị Hoa", "--class", "cong_chuc", *options]
    said = demo.cli(*words, as_json=False).expect().stdout
    found = re.search(r"first password \(shown this once\): (\S+)", said)
    assert found is not None, said
    return found[1]


def change_first_password(demo: Service, page: Page, address: str, first: str) -> None:
    """What a new official does before anything else."""
    sign_in(page, demo.url(""), address, first)
    assert page.url == demo.url("/password")
    page.fill("input[name=new]", OWN)
    page.fill("input[name=repeated]", OWN)
    page.click("main button")
    assert re.fullmatch(r"[0-9a-z-]{24}", page.inner_text("#recovery-code"))


def whole_on_a_phone_and_on_paper(page: Page) -> None:
    """Every figure, its result and its chart are within the page, however narrow."""
    section = page.locator('section[aria-labelledby="bd.officials-using-mail"]')
    phone, paper = {"width": 375, "height": 800}, {"width": 700, "height": 1000}
    for size, media in ((phone, "screen"), (paper, "print")):
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of Playwright's own
        page.emulate_media(media=media)  # type: ignore[arg-type]  # as above
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        cells = [*section.locator("tbody tr").first.locator("td").all(), section.locator("svg").first]
        for cell in cells:
            box = cell.bounding_box()
            assert box is not None
            assert box["width"] > 0
            assert box["x"] + box["width"] <= size["width"]
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})


@contextmanager
def followed(demo: Service) -> Iterator[None]:
    """The block changes the directory; when it is left, every worker has followed.

    Not asked by signing in: five failures in a row would have to wait.
    """
    yield
    with closing(sqlite3.connect(demo.data_dir / "ledger.sqlite", timeout=20)) as ledger:
        (wanted,) = ledger.execute("SELECT revision FROM directory_state").fetchone()
    wait_until(lambda: min(revisions(demo)) >= wanted, timeout_s=30, what="the workers to follow")


def revisions(demo: Service) -> list[int]:
    found = re.findall(r"mailgov_worker_directory_revision\{[^}]*\} ([0-9.e+]+)", demo.get("/metrics").text)
    return [int(float(number)) for number in found]


@contextmanager
def browsing() -> Iterator[Page]:
    """A page of a fresh browser, which finds nothing to complain of."""
    with running_chromium() as browser, open_tab(browser) as tab:
        yield tab.page
        assert tab.complaints == []


def sign_in(page: Page, url: str, address: str, password: str) -> None:
    """Fill in the form of `/sign-in`, wherever it leads."""
    page.goto(f"{url}/sign-in")
    page.fill("input[name=address]", address)
    page.fill("input[name=password]", password)
    page.click("main button")


@pytest.fixture
def mailboxes(demo: Service) -> Iterator[Any]:
    """Opens mailboxes over TLS from the start, and closes them."""
    tls = client_tls(demo.data_dir / "tls" / "certificate.pem")
    with closing_all() as opened:

        def open_mailbox() -> Mailbox:
            opened.append(Mailbox.implicit("127.0.0.1", demo.imaps, tls))
            return opened[-1]

        yield open_mailbox


def submit(demo: Service, account: str, password: str, to: str, subject: str, *more: str) -> Transcript:
    header = "\r\n".join([f"From: {account}", f"To: {to}", f"Subject: {subject}", *more])
    return swaks.send(
        demo.submission,
        reverse_path=account,
        to=to,
        data=f"{header}\r\n\r\nKính gửi.\r\n".encode(),
        account=account,
        password=password,
        tls="starttls",
    )


def test_an_officials_day(demo: Service, mailboxes: Any) -> None:
    """First password, settings by themselves, send, read, reply; and a rejection that explains itself."""
    assert f"swaks --server 127.0.0.1:{demo.submission} " in demo.log(), "what to try is where it is now"
    address = "hoangay@caobang.gov.vn"
    first = first_password(demo, address, "--agency", "skhcn")
    assert submit(demo, address, first, READY, "thử").refusal.code == 535, "a first password opens nothing"
    with followed(demo), browsing() as page:
        change_first_password(demo, page, address, first)

    where = demo.url(f"/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={address}")
    with urllib.request.urlopen(where, timeout=10) as answer:  # noqa: S310 - our own http URL
        servers = ET.fromstring(answer.read())  # noqa: S314 - our own answer
    assert {one.get("type") for one in servers.iter("incomingServer")} == {"imap"}
    assert str(demo.imaps) in {port.text for port in servers.iter("port")}

    ready = credentials(demo)["password"]
    assert submit(demo, address, OWN, READY, "12/CV-SKHCN").accepted
    inbox = mailboxes().sign_in(READY, ready)
    message = wait_until(lambda: newest(inbox, address), what="the message at the colleague's")
    message_id = re.search(rb"(?im)^message-id: (\S+)", message)
    assert message_id is not None
    back = submit(demo, READY, ready, address, "Re: 12/CV-SKHCN", f"In-Reply-To: {message_id[1].decode()}")
    assert back.kept.code == 250
    own = mailboxes().sign_in(address, OWN)
    assert b"In-Reply-To: " + message_id[1] in wait_until(lambda: newest(own, READY), what="the reply")

    rejected = submit(demo, address, OWN, "nguoi-la-chua-tung-viet@gmail.com", "xin chào")
    link = re.search(r"http://\S+/why/\S+", str(rejected.text))
    assert link is not None, rejected.text
    with browsing() as page:
        page.goto(link[0].rstrip(".;)]"))
        told = page.inner_text("main")
        assert "mục 1b" in told
        assert page.locator("main h1").count() == 1


def newest(mailbox: Mailbox, author: str) -> bytes:
    """The newest message from that author, whole; nothing before there is one."""
    mailbox.ok("noop")
    found = mailbox.ok("select", "INBOX") and mailbox.ok("search", "UTF-8", "FROM", f'"{author}"')[0].split()
    return mailbox.message(int(found[-1])) if found else b""


def test_an_administrators_day(demo: Service, tmp_path: Path, mailboxes: Any) -> None:
    """Agencies and people by file and by API; somebody leaves and is out; a backup that holds."""
    token = credentials(demo)["API token"]
    rows = tmp_path / "people.csv"
    rows.write_text(
        "address;name;kind;agency;class\n"
        "nguoimot@caobang.gov.vn;Người Một;personal;stc;cong_chuc\n"
        "nguoihai@caobang.gov.vn;Người Hai;personal;stc;vien_chuc\n",
        encoding="utf-8-sig",
    )
    bad = tmp_path / "bad.csv"
    bad.write_text(rows.read_text(encoding="utf-8-sig").replace(";stc;v", ";khongco;v"), encoding="utf-8")
    refused = demo.cli("import", str(bad), as_json=False).expect(1)
    assert "khongco" in refused.stderr + refused.stdout
    assert "3" in refused.stderr + refused.stdout, "the line is named"
    assert "2 accounts" in demo.cli("import", str(rows), "--dry-run", as_json=False).expect().stdout
    secrets = tmp_path / "first.csv"
    demo.cli("import", str(rows), "--passwords", str(secrets), as_json=False).expect()
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    passwords = {
        row[0]: row[-1] for row in csv.reader(io.StringIO(secrets.read_text("utf-8-sig")), delimiter=";")
    }
    assert "nguoimot@caobang.gov.vn" in passwords

    listed = curl(demo, "/api/v1/accounts?agency=stc&limit=500", token=token)
    assert "nguoihai@caobang.gov.vn" in {one["address"] for one in listed["items"]}
    leaver = "nguoimot@caobang.gov.vn"
    with followed(demo), browsing() as page:
        change_first_password(demo, page, leaver, passwords[leaver])
    inbox = mailboxes().sign_in(leaver, OWN)
    demo.cli("account", "disable", leaver, as_json=False).expect()
    wait_until(inbox.ended, what="the leaver to be out")
    assert "ok" not in mailboxes().refused(leaver, OWN).lower().split()

    backup = tmp_path / "province.tar"
    demo.cli("backup", str(backup)).expect()
    assert demo.cli("verify-data", str(backup)).expect().data["ok"]
    assert "nguoihai@caobang.gov.vn" in export(demo, tmp_path)


def export(demo: Service, folder: Path) -> str:
    demo.cli("export", str(folder / "out.csv"), as_json=False).expect()
    return (folder / "out.csv").read_text(encoding="utf-8-sig")


def test_a_clerks_day(demo: Service, tmp_path: Path) -> None:
    """Declares for the own agency alone, by API and by file; corrects with a reason; corrects a class."""
    token = demo.token("clerk", agency="snv")
    people = {"can_bo": 2, "cong_chuc": 30, "vien_chuc": 4, "khac": 1}
    asked = {"kind": "headcount", "agency": "snv", "period": "2025-11", "numbers": people}
    words = ["--request", "POST", "--header", "Content-Type: application/json"]
    once = [*words, "--header", "Idempotency-Key: a-clerks-day", "--data", json.dumps(asked)]
    made = curl(demo, "/api/v1/declarations", *once, token=token)
    assert curl(demo, "/api/v1/declarations", *once, token=token)["id"] == made["id"]
    again = [*words, "--header", "Idempotency-Key: another", "--data", json.dumps(asked)]
    assert curl(demo, "/api/v1/declarations", *again, token=token)["status"] == 409
    others = [*words, "--header", "Idempotency-Key: third", "--data", json.dumps({**asked, "agency": "stc"})]
    assert curl(demo, "/api/v1/declarations", *others, token=token)["status"] in (403, 404)

    corrected = ["--can-bo", "2", "--cong-chuc", "31", "--vien-chuc", "4", "--khac", "1"]
    declare = ["declare", "headcount", "--agency", "snv", "--period", "2025-11", *corrected, "--correct"]
    assert demo.cli(*declare, as_json=False).status == 1, "a correction says why"
    demo.cli(*declare, "--reason", "đếm sót một người", as_json=False).expect()
    history = demo.cli("declare", "history", str(made["id"])).expect().data
    assert [one["content"]["cong_chuc"] for one in history] == [30, 31]

    record = curl(demo, "/api/v1/messages?agency=snv&limit=200", token=token)["items"]
    chosen = next(one for one in record if one["document_class"] == "BC" and one["agency"] == "snv")
    demo.cli(
        "class", "correct", chosen["queue_id"], "--class", "KH", "--reason", "là kế hoạch", as_json=False
    ).expect()
    after = curl(demo, f"/api/v1/messages/{chosen['queue_id']}", token=token)
    assert after["document_class"] == "KH"


def test_an_auditors_day(demo: Service, tmp_path: Path) -> None:
    """The scorecard in a browser says what the interface says; the spreadsheet too; the log holds."""
    auditor = "thanhtra@caobang.gov.vn"
    first = first_password(demo, auditor, "--agency", "ttt")
    demo.cli("account", "seat", "add", auditor, "auditor", as_json=False).expect()
    token = demo.token("auditor")
    with browsing() as page:
        change_first_password(demo, page, auditor, first)
        page.goto(demo.url("/"))
        assert "CÓ SỐ LIỆU MẪU" in page.inner_text("main")
        period = page.locator("select[name=period]").input_value()
        answer = curl(demo, f"/api/v1/usage?period={period}", token=token)
        rows = {one["indicator"]: one for one in answer["indicators"] if one["agency"] is None}
        for name in ("pt.officials-using-mail", "bd.officials-using-mail", "bg.electronic-documents"):
            shown = page.locator(f'section[aria-labelledby="{name}"] tbody tr').first.inner_text().split("\t")
            assert shown[1:4] == [
                vietnamese(rows[name][key]) for key in ("numerator", "denominator", "percent")
            ]
            gauge = page.locator(f'section[aria-labelledby="{name}"] svg .bar').first.bounding_box()
            assert gauge is not None
            assert gauge["width"] > 0
        assert page.locator("script").count() == 0
        whole_on_a_phone_and_on_paper(page)

        page.select_option("select[name=agency]", "skhcn")
        page.click("form.choices button")
        assert "agency=skhcn" in page.url
        page.click("text=English")
        assert "Use of official mail" in page.inner_text("h1")
        link = page.get_attribute("text=CSV", "href")
        assert link is not None
        table = page.request.get(demo.url(html.unescape(link))).body().decode("utf-8-sig")
    assert "pt.officials-using-mail" in {
        cell for row in csv.reader(io.StringIO(table), delimiter=";") for cell in row
    }
    assert demo.cli("audit", "verify").expect().data["problems"] == []
    one = curl(demo, "/api/v1/messages", token=token)
    assert one["status"] == 403, "an auditor reads figures; names are for those who must know them"


def vietnamese(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace(",", ".")
    return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")
