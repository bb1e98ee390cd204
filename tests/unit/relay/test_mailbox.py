"""Final delivery: whole files under safe names, and the same delivery twice is one message."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mailgov.mail.reply import MailError
from mailgov.relay.content import Content
from mailgov.relay.mailbox import DELIVERED, deliver, limit_of, maildir_of, used_bytes
from mailgov.settings import DeliverySettings

CONTENT = Content(b"Subject: x\r\n\r\nbody\r\n", size_bytes=20)
UNIQUE = "1793610000.01Q-0.mail.caobang.gov.vn"


def names(maildir: Path) -> dict[str, list[str]]:
    return {folder: sorted(p.name for p in (maildir / folder).iterdir()) for folder in ("tmp", "new", "cur")}


def test_a_message_is_one_file_in_new(tmp_path: Path) -> None:
    maildir = tmp_path / "mail" / "x.vn" / "an"
    assert deliver(maildir, CONTENT, unique=UNIQUE, reverse_path="khach@example.org") == DELIVERED
    assert names(maildir) == {"tmp": [], "new": [UNIQUE], "cur": []}
    file = maildir / "new" / UNIQUE
    assert file.read_bytes() == b"Return-Path: <khach@example.org>\r\n" + CONTENT.head
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((maildir / "new").stat().st_mode) == 0o700


def test_the_null_reverse_path(tmp_path: Path) -> None:
    deliver(tmp_path, CONTENT, unique=UNIQUE, reverse_path="")
    assert (tmp_path / "new" / UNIQUE).read_bytes().startswith(b"Return-Path: <>\r\n")


def test_the_rest_comes_from_the_file(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"Bcc: x\r\nSubject: y\r\n\r\n" + b"line\r\n" * 200_000)
    content = Content(b"Received: us\r\n", body, len(b"Bcc: x\r\n"))
    deliver(tmp_path / "m", content, unique=UNIQUE, reverse_path="")
    assert (tmp_path / "m" / "new" / UNIQUE).read_bytes() == (
        b"Return-Path: <>\r\nReceived: us\r\nSubject: y\r\n\r\n" + b"line\r\n" * 200_000
    )


def test_repeated_after_a_crash_it_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / UNIQUE).write_bytes(b"half of it, and longer than what will be written" * 10)
    for _ in range(3):
        deliver(tmp_path, CONTENT, unique=UNIQUE, reverse_path="")
    assert names(tmp_path) == {"tmp": [], "new": [UNIQUE], "cur": []}
    assert (tmp_path / "new" / UNIQUE).read_bytes() == b"Return-Path: <>\r\n" + CONTENT.head


def test_a_place_that_is_no_folder_is_not_now(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"a file")
    with pytest.raises(MailError) as caught:
        deliver(tmp_path / "m", CONTENT, unique=UNIQUE, reverse_path="")
    assert caught.value.reply.line().startswith("451 4.2.0 ")
    assert str(tmp_path) not in caught.value.reply.text


def test_a_full_disk_is_452(tmp_path: Path) -> None:
    for folder in ("tmp", "new", "cur"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tmp" / UNIQUE).symlink_to("/dev/full")
    with pytest.raises(MailError) as caught:
        deliver(tmp_path, CONTENT, unique=UNIQUE, reverse_path="")
    assert caught.value.reply.line().startswith("452 4.3.1 ")
    assert names(tmp_path)["new"] == []


def test_a_body_that_is_gone_leaves_no_half(tmp_path: Path) -> None:
    with pytest.raises(MailError):
        deliver(tmp_path / "m", Content(b"x\r\n", tmp_path / "gone"), unique=UNIQUE, reverse_path="")
    assert names(tmp_path / "m") == {"tmp": [], "new": [], "cur": []}


@pytest.mark.parametrize(
    ("account", "place"),
    [
        ("annv@caobang.gov.vn", "caobang.gov.vn/annv"),
        ("AnNV@CaoBang.gov.vn", "caobang.gov.vn/annv"),
        ("a.b+c@x.vn", "x.vn/a.b+c"),
        ("nguyễn@x.vn", "x.vn/nguyễn"),
    ],
)
def test_where_a_mailbox_lies(tmp_path: Path, account: str, place: str) -> None:
    assert maildir_of(tmp_path, account) == tmp_path / "mail" / place


@pytest.mark.parametrize(
    "account",
    [
        "../../etc/passwd@x.vn", "..@x.vn", ".hidden@x.vn", '"../x"@x.vn', '"a/b"@x.vn', "an@../etc", "an@.",
        "a/b@x.vn", "a\x00b@x.vn", '"a\x00"@x.vn', "annv", "@x.vn", "an@", "", f"{'ễ' * 64}@x.vn",
    ],
)  # fmt: skip
def test_a_name_that_would_lead_elsewhere_is_no_mailbox(tmp_path: Path, account: str) -> None:
    with pytest.raises(MailError) as caught:
        maildir_of(tmp_path, account)
    assert caught.value.reply.line().startswith("550 5.1.1 ")


def test_a_full_mailbox_takes_nothing_until_its_holder_makes_room(tmp_path: Path) -> None:
    """Read and unread mail counts, in every folder, and nothing of a refused message is left."""
    maildir = tmp_path / "m"
    assert used_bytes(maildir) == 0
    for number in range(3):
        deliver(maildir, CONTENT, unique=f"{number}", reverse_path="", limit_bytes=1000)
    (maildir / "new" / "0").rename(maildir / "cur" / "0:2,S")
    (maildir / ".Sent" / "cur").mkdir(parents=True)
    (maildir / "new" / "1").rename(maildir / ".Sent" / "cur" / "1:2,S")
    used = used_bytes(maildir)
    assert used == 3 * len(b"Return-Path: <>\r\n" + CONTENT.head)
    with pytest.raises(MailError) as caught:
        deliver(maildir, CONTENT, unique="3", reverse_path="", limit_bytes=used + CONTENT.size_bytes - 1)
    assert caught.value.reply.line() == "452 4.2.2 The mailbox is full"
    assert names(maildir) == {"tmp": [], "new": ["2"], "cur": ["0:2,S"]}
    (maildir / ".Sent" / "cur" / "1:2,S").unlink()
    assert deliver(maildir, CONTENT, unique="3", reverse_path="", limit_bytes=used) == DELIVERED


@pytest.mark.parametrize(
    ("account", "agency", "limit"),
    [
        ("vanthu@caobang.gov.vn", "SNV", 7),
        ("annv@caobang.gov.vn", "SNV", 5),
        ("annv@caobang.gov.vn", "snv", 5),
        ("annv@caobang.gov.vn", "VP", 0),
        ("annv@caobang.gov.vn", "STC", 3),
        ("annv@caobang.gov.vn", None, 3),
    ],
)
def test_an_accounts_own_limit_stands_above_its_agencys(account: str, agency: str | None, limit: int) -> None:
    limits = {"VanThu@caobang.gov.vn": 7, "SNV": 5, "VP": 0}
    settings = DeliverySettings(mailbox_limit_bytes=3, mailbox_limits=limits)
    assert limit_of(settings, account, agency) == limit
