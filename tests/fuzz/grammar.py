"""Commands, good and broken, and messages, as hypothesis draws them."""

from __future__ import annotations

import base64

from hypothesis import strategies as st

from tests.fuzz.edge import SIZE_LIMIT
from tests.fuzz.model import Command
from tests.support.relay_node import AN, BINH, DOMAIN, OFFICE, PASSWORD, SUSPENDED

# Whatever else an argument is refused with, it is told for good.
REFUSED = frozenset({501, 550, 552, 553, 554, 555})
ANY = REFUSED | {250}
NO_LINE_END = [octet for octet in range(256) if octet not in b"\r\n"]
octets = st.lists(st.sampled_from(NO_LINE_END), max_size=40).map(bytes)
PIECES = [
    b"<", b">", b"<>", b"@", b":", b",", b" ", b"\t", b"\0", b"\x7f", b"\x1b[2J", b"\xff", b'"', b"\\", b"[",
    b"]", b"a", b"a" * 65, b"d." * 128, b"%", b"!", b"=", b"SIZE=", b"SIZE=1", b"SIZE=9999999999999999999999",
    b"BODY=8BITMIME", b"BODY=X", b"SMTPUTF8", b"RET=HDRS", b"ENVID=+41", b"NOTIFY=NEVER", b"ORCPT=rfc822;a",
    b"AUTH=<>", b"127.0.0.1", b"IPv6:::1", AN.encode(), DOMAIN.encode(), "đồng".encode(), "\u202e".encode(),
    b"xn--", b"postmaster",
]  # fmt: skip
hostile = st.one_of(octets, st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))


def _line(verb: str, argument: bytes, codes: frozenset[int] | set[int]) -> Command:
    return Command(verb, verb.encode() + (b" " + argument if argument else b"") + b"\r\n", frozenset(codes))


def _lines(verb: str, codes: frozenset[int] | set[int], *arguments: str) -> st.SearchStrategy[Command]:
    return st.sampled_from([_line(verb, argument.encode(), codes) for argument in arguments])


def _hostile(verb: str, codes: frozenset[int] | set[int], before: bytes = b"") -> st.SearchStrategy[Command]:
    # An argument of blanks is none, and what is too long is 500 anywhere.
    return hostile.map(lambda argument: _line(verb, before + argument, frozenset(codes) | {500}))


greetings = st.one_of(
    _lines("EHLO", {250}, "client.test", "[127.0.0.1]"),
    _lines("EHLO", {250}, "client.test", "[IPv6:::1]"),
    _lines("HELO", {250}, "client.test"),
    _lines("EHLO", {501}, ""),
    _lines("HELO", {501}, ""),
    _hostile("EHLO", {250, 501, 550}),
)
mails = st.one_of(
    _lines("MAIL", ANY, f"FROM:<{AN}>", f"FROM:<{BINH}>", f"FROM:<{SUSPENDED}>", "FROM:<nobody@example.org>"),
    _lines("MAIL", ANY, f"FROM:<{AN}> SIZE=100 BODY=8BITMIME", f"from:<{OFFICE}> RET=FULL ENVID=a"),
    _lines("MAIL", ANY, "FROM:<> SMTPUTF8", "FROM:<đồng@example.org> SMTPUTF8"),
    _lines("MAIL", REFUSED, "", "TO:<a@example.org>", "FROM:a@example.org", "FROM:<a@example.org"),
    _lines("MAIL", {552}, f"FROM:<a@example.org> SIZE={SIZE_LIMIT + 1}"),
    _hostile("MAIL", ANY, b"FROM:"),
    _hostile("MAIL", ANY),
)
recipients = st.one_of(
    _lines("RCPT", {250}, f"TO:<{AN}>", f"TO:<{BINH}>", f"TO:<ld@{DOMAIN}>", "TO:<Postmaster>"),
    _lines("RCPT", {250}, f"TO:<{BINH}> NOTIFY=SUCCESS,FAILURE", f"to:<VANTHU@{DOMAIN}>"),
    _lines("RCPT", {550}, f"TO:<nobody@{DOMAIN}>", f"TO:<a%example.org@{DOMAIN}>"),
    _lines("RCPT", {250, 554}, "TO:<citizen@example.org>"),
    _lines("RCPT", REFUSED, "", "TO:<>", f"TO:<{AN}", f"TO:<{AN}> SIZE=1", "TO:<@>"),
    _lines("RCPT", {*ANY, 451, 452}, f"TO:<vong1@{DOMAIN}>", f"TO:<{SUSPENDED}>", f"TO:<đồng@{DOMAIN}>"),
    _hostile("RCPT", ANY, b"TO:"),
    _hostile("RCPT", ANY),
)
small = st.one_of(
    _lines("NOOP", {250}, "", "what ever"),
    _hostile("NOOP", {250, 501}),
    _lines("RSET", {250}, ""),
    _lines("RSET", {501}, "now"),
    _lines("VRFY", {252}, AN, "<>"),
    _lines("VRFY", {501}, ""),
    _hostile("VRFY", {252, 501}),
    _lines("EXPN", {502, 550, 252, 500}, f"ld@{DOMAIN}"),
    _lines("HELP", {214}, "", "MAIL"),
    _lines("QUIT", {501}, "now"),
    _lines("STARTTLS", {501}, "now"),
)
STARTS = [b"\0", b"\x80", b"<", b"1", b"\x1b", b"X-", "đ".encode(), b"A" * 600, b""]
garbage = st.builds(
    lambda first, rest: Command("?", first + rest + b"\r\n", frozenset({500, 501})),
    st.sampled_from([b"\0", b"\x80", b"<", b"1", b"\x1b", b"X-", "đ".encode(), b"A" * 600, b""]),
    octets,
).filter(lambda command: b"\n" not in command.octets[:-2])
long_lines = st.builds(
    lambda verb, length: Command("?", verb + b" " + b"a" * length + b"\r\n", frozenset({500})),
    st.sampled_from([b"MAIL", b"RCPT", b"NOOP", b"EHLO", b"AUTH", b"FOO"]),
    st.sampled_from([12_288, 65_530, 65_536, 70_000, 140_000]),
)
starttls = st.just(_line("STARTTLS", b"", {220}))
quits = st.just(_line("QUIT", b"", {221}))
data = st.just(_line("DATA", b"", {354}))
data_with_argument = st.just(_line("DATA", b"now", {501, 503}))


def _secret(*parts: str) -> str:
    return base64.b64encode("\0".join(parts).encode()).decode()


SIGN_IN = _line("AUTH", f"PLAIN {_secret('', AN, PASSWORD)}".encode(), {235})
sign_ins = st.one_of(
    st.just(SIGN_IN),
    _lines("AUTH", {235}, f"plain {_secret(AN, AN, PASSWORD)}"),
    _lines(
        "AUTH", {535}, f"PLAIN {_secret('', SUSPENDED, PASSWORD)}", f"PLAIN {_secret(BINH, AN, PASSWORD)}"
    ),
    _lines("AUTH", {501}, "", "PLAIN ?", "PLAIN *", "PLAIN YQ==", "PLAIN /////w=="),
    _lines("AUTH", {504}, "CRAM-MD5", "X"),
)
"""Those that are answered at once."""
exchanges = st.lists(
    st.one_of(
        st.sampled_from(
            [b"*", b"=", b"", b"?", base64.b64encode(AN.encode()), base64.b64encode(PASSWORD.encode())]
        ),
        st.sampled_from([12_300, 70_000]).map(lambda length: b"a" * length),
        st.just(b"\xff\0"),
    ),
    min_size=2,
    max_size=2,
)

HEAD = f"From: <{AN}>\r\nTo: <{BINH}>\r\nSubject: =?utf-8?b?R2nhuqV5IG3hu51p?=\r\n\r\n".encode()
STRANGER = HEAD.replace(AN.encode(), b"citizen@example.org")
PARTS = [
    b"Xin ch\xc3\xa0o", b"\r\n", b"\r\n", b".", b"\r\n.", b"..", b"\r\n..\r\n", b"QUIT\r\n", b"\xff", b"\0",
    b"x" * 998 + b"\r\n", b"y" * 70 + b"\r\n", b"--b\r\n", b"RCPT TO:<a@b>\r\n",
]  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join),
    st.integers(50, 100).map(lambda lines: (b"y" * 70 + b"\r\n") * lines),
)
clean = texts.map(lambda text: HEAD + text + b"\r\n")
line_ends = st.sampled_from([b"a\nb", b"a\rb", b"\n.\r\n", b"\r.\r\n"])
too_large = {
    "body": HEAD + (b"z" * 78 + b"\r\n") * (SIZE_LIMIT // 80 + 1),
    "field": b"X: " + b"h" * 17_000 + b"\r\n\r\n",
    "fields": b"a: b\r\n" * 2000 + b"\r\n",
}
broken = st.one_of(
    st.builds(lambda a, end, b: HEAD + a + end + b + b"\r\n", texts, line_ends, texts),
    st.binary(max_size=200).map(lambda raw: raw + b"\r\n"),
    st.sampled_from(sorted(too_large)).map(too_large.__getitem__),
    st.just(b" folded: from the start\r\n\r\n"),
)
messages = st.one_of(clean, clean, broken)


def bdat(chunk: bytes, last: bool) -> Command:
    """A chunk of a message (RFC 3030)."""
    octets = b"BDAT %d%s\r\n%s" % (len(chunk), b" LAST" if last else b"", chunk)
    return Command("BDAT", octets, frozenset({250, 550, 552, 554}), chunk, last)


def of_stranger(command: Command) -> Command:
    """The same chunk in the name of somebody who may write on mx."""
    return bdat(command.content.replace(HEAD, STRANGER), command.last) if command.content else command


chunks = st.builds(bdat, st.one_of(texts, clean, st.binary(max_size=50), st.just(b"")), st.booleans())
broken_chunks = st.sampled_from(["", "x", "-1", "1 LAST x", "1 FIRST", "9" * 21, "１"]).map(
    lambda argument: _line("BDAT", argument.encode(), {501})
)
