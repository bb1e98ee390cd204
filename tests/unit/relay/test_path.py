"""MAIL and RCPT arguments, by the letter of RFC 5321 4.1.2."""

from __future__ import annotations

import pytest

from mailgov.mail.reply import MailError
from mailgov.relay.path import parse_mailbox, parse_path


@pytest.mark.parametrize(
    ("argument", "path", "parameters"),
    [
        ("FROM:<a@b.vn>", "a@b.vn", {}),
        ("from: <a@b.vn> SIZE=12 BODY=8BITMIME", "a@b.vn", {"SIZE": "12", "BODY": "8BITMIME"}),
        ("FROM:<>", "", {}),
        ("FROM:<@relay.vn,@other.vn:a@b.vn>", "a@b.vn", {}),
        ('FROM:<"a>b"@b.vn> SMTPUTF8', '"a>b"@b.vn', {"SMTPUTF8": None}),
    ],
)
def test_what_is_accepted(argument: str, path: str, parameters: dict[str, str | None]) -> None:
    assert parse_path(argument, "FROM:") == (path, parameters)


@pytest.mark.parametrize(
    "argument",
    [
        None,
        "",
        "a@b.vn",
        "FROM:a@b.vn",
        "FROM:<a@b.vn",
        'FROM:<"a@b.vn>',
        "FROM:<a@b.vn>SIZE=1",
        "FROM:<a@b.vn> SIZE=",
        "FROM:<a@b.vn> SIZE=1 SIZE=2",
        "FROM:<a@b.vn> ä=1",
        "FROM:<@relay.vn>",
        f"FROM:<{'a' * 300}@b.vn>",
        "TO:<a@b.vn>",
    ],
)
def test_what_is_refused_as_syntax(argument: str | None) -> None:
    with pytest.raises(MailError) as caught:
        parse_path(argument, "FROM:")
    assert caught.value.reply.line().startswith("501 5.5.4 ")


@pytest.mark.parametrize(
    "path", ["a", "a@", "@b.vn", "a b@c.vn", f"{'a' * 65}@b.vn", "a@b..vn", "a@-b.vn", "a\x00@b.vn"]
)
def test_a_malformed_mailbox_is_553(path: str) -> None:
    with pytest.raises(MailError) as caught:
        parse_mailbox(path)
    assert caught.value.reply.line().startswith("553 5.1.3 ")
