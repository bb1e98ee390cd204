"""From where a gateway had a message, by what servers write into Received."""

from __future__ import annotations

import pytest

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.gateway import UNKNOWN, Origin, origin_of

GATEWAYS = ("192.0.2.0/28", "2001:db8:1::/48")
BY = " by gw.bo.example (Postfix) with ESMTPS id 4F2 for <a@b>; Mon, 2 Nov 2026 08:15:00 +0700"


def told(*fields: str) -> Origin:
    raw = "".join(f"Received: {field}\r\n" for field in fields)
    return origin_of(HeaderBlock.scan(f"{raw}Subject: x\r\n\r\n".encode()), GATEWAYS)


@pytest.mark.parametrize(
    ("field", "address", "helo"),
    [
        ("from mx.co.test (mail.co.test [198.51.100.7])", "198.51.100.7", "mx.co.test"),  # Postfix
        (
            "from mx.co.test (unknown [198.51.100.7])\r\n\t(using TLSv1.3 with cipher AES (256/256 bits)"
            "\r\n\t key-exchange X25519)\r\n\t(No client certificate requested)\r\n\t",
            "198.51.100.7",
            "mx.co.test",
        ),
        ("from mx.co.test ([198.51.100.7])", "198.51.100.7", "mx.co.test"),
        ("from mx.co.test (mx.co.test [198.51.100.7] (may be forged))", "198.51.100.7", "mx.co.test"),
        ("from mail.co.test ([198.51.100.7]:4711 helo=mx.co.test)", "198.51.100.7", "mx.co.test"),  # Exim
        ("from mx.co.test (198.51.100.7)", "198.51.100.7", "mx.co.test"),  # Exchange
        ("FROM [10.1.1.1] (mail.co.test [IPv6:2001:db8::7])", "2001:db8::7", "[10.1.1.1]"),
        ("from x (y [::ffff:198.51.100.7])", "198.51.100.7", "x"),
        ("from unknown (HELO mx.co.test) (198.51.100.7)", "198.51.100.7", "unknown"),  # qmail
    ],
)
def test_what_servers_write(field: str, address: str, helo: str) -> None:
    assert told(field + BY, "from evil (evil [203.0.113.9]) by co.test; now") == Origin(address, helo)


@pytest.mark.parametrize("inner", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_gateway_that_hands_on_to_itself_is_seen_through(inner: str) -> None:
    """As with a filter beside Postfix."""
    assert told(
        f"from localhost (localhost [{inner}])" + BY, "from mx.co.test (mail.co.test [198.51.100.7])" + BY
    ) == Origin("198.51.100.7", "mx.co.test")
    assert told(f"from localhost (localhost [{inner}])" + BY) == UNKNOWN


@pytest.mark.parametrize(
    "field",
    [
        "by gw.bo.example with LMTP; now",
        "from mx.co.test" + BY,
        "from mx.co.test (mx.co.test)" + BY,
        "from mx.co.test (mail.co.test [198.51.100.7]); now",
        "from x (y [203.0.113.9]) (unknown [198.51.100.7])" + BY,
        "from x (y [203.0.113.9]) by z (unknown [198.51.100.7])" + BY,
        "from x (HELO 203.0.113.9) (198.51.100.7)" + BY,
        "from localhost (localhost [300.1.1.1])" + BY,
        "from x" + " " * 5000 + "(y [198.51.100.7])" + BY,
        "(from nobody@localhost)" + BY,
        "from x (y [203.0.113.9]) by " + "z" * 2000 + " (unknown [198.51.100.7])" + BY,
    ],
)
def test_what_does_not_tell_for_certain(field: str) -> None:
    assert told(field, "from a (a [198.51.100.7])" + BY) == UNKNOWN


def test_gateways_one_behind_the_other_and_none() -> None:
    inner = "from gw1 (gw1 [192.0.2.3])" + BY
    six = "from gw0 (gw0 [IPv6:2001:db8:1::5])" + BY
    outer = "from mx.co.test (mx.co.test [198.51.100.7])" + BY
    assert told(inner, six, outer) == Origin("198.51.100.7", "mx.co.test")
    assert told(inner) == told(*[inner] * 5, outer) == told() == UNKNOWN
