"""Whatever a stranger writes, into his message or into his DNS, the checks of senders answer."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from mailgov.mail.events import RESULT_WORDS
from mailgov.mail.headers import HeaderBlock
from mailgov.relay.dns import RecordKind, Records
from mailgov.relay.senders import arc, dkim
from mailgov.relay.senders.canonical import Bodies, Fields
from mailgov.relay.senders.dmarc import Dmarc, Proven
from mailgov.relay.senders.results_field import results, results_field, value
from mailgov.relay.senders.spf import Client, check_host
from tests.unit.relay.senders.dkim_keys import ed25519_record, rsa_key, rsa_record

WORDS = (
    *(
        b"v=1",
        b"a=rsa-sha256",
        b"a=ed25519-sha256",
        b"c=relaxed/relaxed",
        b"c=simple",
        b"d=co.test",
        b"s=s",
        b"i=1",
    ),
    *(
        b"h=from:to",
        b"bh=",
        b"b=",
        b"cv=none",
        b"cv=pass",
        b"l=0",
        b"t=1",
        b"x=2",
        b"q=dns/txt",
        b"i=@co.test",
        b"h=",
    ),
)
OCTETS = st.binary(max_size=12).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b""))
TAG = st.one_of(
    st.sampled_from(WORDS), OCTETS, st.tuples(st.sampled_from(WORDS), OCTETS).map(lambda t: t[0] + t[1])
)
NAMES = (
    b"DKIM-Signature",
    b"ARC-Seal",
    b"ARC-Message-Signature",
    b"ARC-Authentication-Results",
    b"From",
    b"X",
)
FIELD = st.tuples(st.sampled_from(NAMES), st.lists(TAG, max_size=12)).map(
    lambda t: t[0] + b": " + b"; ".join(t[1])
)
KEYS = st.one_of(
    st.sampled_from(
        (rsa_record(rsa_key(1024)), ed25519_record(), "v=DKIM1; p=", "k=ed25519; p=AAAA", "p=MA==")
    ),
    st.text(st.characters(max_codepoint=255), max_size=40),
)
TERMS = (
    *(
        "v=spf1",
        "-all",
        "include:b.test",
        "a",
        "mx/24",
        "ptr",
        "exists:%{i}.test",
        "redirect=b.test",
        "exp=b.test",
    ),
    *(
        "ip4:1.2.3.4/8",
        "ip6:::/0",
        "a:%{d2r-.}.test//64",
        "%{",
        "%{S}",
        "a:%{lr+}.%{p}.test",
        "moo=%{h}",
        "?mx:b.test",
    ),
)
RECORD = st.lists(
    st.one_of(st.sampled_from(TERMS), st.text(st.characters(max_codepoint=255), max_size=8)), max_size=8
)
LOCAL = st.text(max_size=12)


@given(st.lists(FIELD, max_size=8), st.binary(max_size=40), KEYS)
def test_signatures_and_chains(fields: list[bytes], body: bytes, key: str) -> None:
    message = b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body
    header = HeaderBlock.scan(message)
    seen, bodies = Fields(header), Bodies(message, header.size)
    chain = arc.read_chain(seen)
    found = dkim.candidates(seen, ["co.test"])
    names = [*chain.keys, *(c.signature.key_name for c in found if c.signature is not None)]
    keys = {name: Records("ok", (key,)) for name in names}
    told = [dkim.verify(one, keys, seen, bodies, 1) for one in found]
    assert {one.result for one in told} <= set(RESULT_WORDS)
    sealed = arc.validate(chain, keys, seen, bodies)
    assert sealed.result in {"none", "fail", "pass", "temperror"}
    field = results_field("mx.test", results("none", ("mailfrom", "co.test"), told, [], sealed))
    assert field.isascii()
    assert all(line[:1] in {b"", b"\t", b"A"} for line in field.split(b"\r\n"))


@given(st.text(max_size=300))
def test_a_value_is_a_token_or_one_quoted_string(text: str) -> None:
    shown = value(text)
    assert shown.isascii()
    assert shown.isprintable()
    if shown.startswith('"'):
        inner = shown[1:-1].replace("\\\\", "").replace('\\"', "")
        assert '"' not in inner
    else:
        assert not set(shown) & set(' ;()",:@[]\\')


@given(
    st.lists(RECORD, min_size=1, max_size=3),
    LOCAL,
    LOCAL,
    st.sampled_from(("1.2.3.4", "::ffff:1.2.3.4", "2001:db8::1")),
)
def test_spf(records: list[list[str]], local: str, helo: str, address: str) -> None:
    texts = tuple(" ".join(("v=spf1", *terms)) for terms in records[:2])

    async def lookup(name: str, kind: RecordKind) -> Records:
        if name == "co.test" and kind == "TXT":
            return Records("ok", texts[:1])
        if kind == "TXT":
            return Records("ok", texts[1:]) if texts[1:] else Records("none")
        known: dict[str, str] = {"A": "1.2.3.4", "AAAA": "2001:db8::1", "MX": "b.test", "PTR": "b.test"}
        return Records("ok", (known[kind],))

    client = Client(address, f"{local}@co.test", helo)
    assert asyncio.run(check_host(client, lookup, explain=True)).result in RESULT_WORDS


@given(
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.sampled_from(("a.b.co.test", "test", "x" * 300)),
)
def test_dmarc(text: str, author: str) -> None:
    async def lookup(_name: str, _kind: RecordKind) -> Records:
        return Records("ok", ("v=DMARC1; p=reject;" + text,))

    proven = [Proven("spf", "pass", "co.test"), Proven("dkim", "pass", ""), Proven("dkim", "pass", "..")]
    assert asyncio.run(Dmarc(lookup).evaluate(author, proven)).result in RESULT_WORDS
