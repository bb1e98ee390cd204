"""What was wished for, as a next hop and as a report have it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgov.relay.notify import (
    RecipientWishes,
    envelope_id,
    mail_parameters,
    original_recipient,
    rcpt_parameters,
)
from mailgov.store.spool import QueuedMessage
from tests.unit.relay.conftest import queued


def wishing(
    recipient: dict[str, Any] | None = None, message: dict[str, Any] | None = None, *, utf8: bool = False
) -> QueuedMessage:
    queued_one = queued("khach@example.org")
    context = recipient or {}
    return replace(
        queued_one,
        recipients=(replace(queued_one.recipients[0], context=context),),
        context={"dsn": message} if message else {},
        smtputf8=utf8,
    )


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        (None, ""),
        ({"ret": "HDRS", "envid": None}, "RET=HDRS"),
        ({"ret": None, "envid": "a+2Bb"}, "ENVID=a+2Bb"),
        ({"ret": "FULL", "envid": "x"}, "RET=FULL ENVID=x"),
    ],
)
def test_mail(dsn: dict[str, Any] | None, said: str) -> None:
    assert mail_parameters(wishing(message=dsn)) == said


@pytest.mark.parametrize(
    ("context", "utf8", "said"),
    [
        ({}, False, ""),
        ({"original": "khach@example.org"}, False, ""),
        ({"original": "di+x=y@a.vn"}, False, "ORCPT=rfc822;di+2Bx+3Dy@a.vn"),
        ({"original": "thư@a.vn"}, True, "ORCPT=utf-8;thư@a.vn"),
        ({"original": "thư@a.vn"}, False, "ORCPT=utf-8;th\\x{1B0}@a.vn"),
        ({"original": "x" * 500 + "@a.vn"}, False, ""),
        ({"original": "di@a.vn", "dsn": {"notify": ["NEVER"], "orcpt": "rfc822;An@b.vn"}}, False,
         "NOTIFY=NEVER ORCPT=rfc822;An@b.vn"),
        ({"dsn": {"notify": ["SUCCESS", "DELAY"], "orcpt": None}}, False, "NOTIFY=SUCCESS,DELAY"),
    ],
)  # fmt: skip
def test_rcpt(context: dict[str, Any], utf8: bool, said: str) -> None:
    message = wishing(context, utf8=utf8)
    assert rcpt_parameters(message, message.recipients[0]) == said
    if "dsn" not in context:
        bounce = replace(message, reverse_path="")
        assert rcpt_parameters(bounce, message.recipients[0]) == ""


@pytest.mark.parametrize(
    ("orcpt", "read"),
    [
        ("rfc822;An+2Bx@a.vn", "rfc822;An+x@a.vn"),
        ("utf-8;th\\x{1B0}@a.vn", "utf-8;thư@a.vn"),
        ("utf-8;thư@a.vn", "utf-8;thư@a.vn"),
        ("utf-8;\\x{D800}\\x{110000}", "utf-8;\\x{D800}\\x{110000}"),
        ("x400;/c=vn+3B", "x400;/c=vn;"),
    ],
)
def test_what_a_report_says_of_orcpt(orcpt: str, read: str) -> None:
    assert original_recipient(orcpt) == read


def test_the_senders_own_name_of_the_message() -> None:
    assert envelope_id(wishing(message={"ret": None, "envid": "a+2Bb"})) == "a+b"
    assert envelope_id(wishing()) is None


@pytest.mark.parametrize(
    ("notify", "left"),
    [
        (None, None),
        (("FAILURE",), ("FAILURE",)),
        (("SUCCESS",), ("NEVER",)),
        (("SUCCESS", "DELAY"), ("DELAY",)),
        (("NEVER",), ("NEVER",)),
    ],
)
def test_what_holds_for_the_members_of_a_list(
    notify: tuple[str, ...] | None, left: tuple[str, ...] | None
) -> None:
    assert RecipientWishes(notify, "rfc822;x@y.vn").for_member() == RecipientWishes(left, "rfc822;x@y.vn")
