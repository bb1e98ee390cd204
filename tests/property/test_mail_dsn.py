"""Whatever strangers say, a delivery report stays one well-formed 7-bit message."""

from __future__ import annotations

import email
from email.message import Message
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from mailgov.mail.dsn import DsnRecipient, build_dsn

evil = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["\r\n", "\n", "--b", "X: 1", "550 ", ";", "=?", "ễ", "\x00", " " * 9, "y" * 99])
    ).map("".join),
)
recipients = st.builds(
    DsnRecipient,
    final=evil,
    action=st.sampled_from(["failed", "delayed", "delivered", "relayed", "expanded"]),
    status=evil | st.just("5.1.1"),
    original=st.none() | evil,
    diagnostic=st.none() | evil,
    remote_mta=st.none() | evil,
    last_attempt=st.none() | evil,
    retry_until=st.none() | evil,
    heard=st.booleans(),
    cause=st.none() | evil,
    written=st.none() | evil,
)
returned = st.binary() | evil.map(lambda text: text.encode("utf-8", "replace"))


@given(st.lists(recipients, min_size=1, max_size=3), evil, evil, returned, st.booleans())
def test_reports_are_clean(
    members: list[DsnRecipient], to: str, text: str, original: bytes, full: bool
) -> None:
    data = build_dsn(
        reporting_mta=text,
        author=text,
        to="x" + to,
        date=text,
        message_id=text,
        boundary="b",
        queue_id=text,
        recipients=members,
        arrival_date=text,
        envelope_id=text,
        returned=original,
        full=full,
        subject=text,
    )
    assert data.isascii()
    assert data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(data)
    parts = cast("list[Message]", message.get_payload())
    assert len(parts) == (3 if original else 2)
    assert len(message.items()) == 8
    assert len(cast("list[Message]", parts[1].get_payload())) == 1 + len(members)
