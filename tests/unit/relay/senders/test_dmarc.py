"""DMARC by RFC 9989: tree walk, alignment, and the policy that applies."""

from __future__ import annotations

from collections import Counter

import pytest

from mailgov.relay.dns import RecordKind, Records
from mailgov.relay.senders.dmarc import Dmarc, DmarcResult, Proven, parse, walked


class Zone:
    """Records by domain; a domain without any, and without one below it, does not exist."""

    def __init__(self, records: dict[str, str], trouble: tuple[str, ...] = ()) -> None:
        self.records, self.trouble = records, trouble
        self.asked: Counter[str] = Counter()

    async def lookup(self, name: str, kind: RecordKind) -> Records:
        domain = name.removeprefix("_dmarc.")
        self.asked[name] += 1
        if domain in self.trouble:
            return Records("temporary")
        if kind == "TXT" and domain in self.records:
            return Records("ok", tuple(self.records[domain].split("|")))
        known = any(d == domain or d.endswith("." + domain) for d in self.records)
        return Records("none" if known else "nxdomain")


async def evaluated(zone: Zone, author: str, *proven: Proven) -> DmarcResult:
    return await Dmarc(zone.lookup).evaluate(author, proven)


def dkim(domain: str, result: str = "pass") -> Proven:
    return Proven("dkim", result, domain)


def spf(domain: str, result: str = "pass") -> Proven:
    return Proven("spf", result, domain)


REJECT = "v=DMARC1; p=reject"


def test_the_walk_asks_eight_times_at_most() -> None:
    assert walked("a.mail.example.com") == ["a.mail.example.com", "mail.example.com", "example.com", "com"]
    long = ".".join(f"l{n}" for n in range(12)) + ".example.com"
    assert [name.count(".") + 1 for name in walked(long)] == [14, 7, 6, 5, 4, 3, 2, 1]
    assert walked("a.b.c.d.e.f.g.h")[1] == "b.c.d.e.f.g.h"


@pytest.mark.parametrize(
    ("records", "author", "proven", "result", "policy"),
    [
        ({}, "co.test", dkim("co.test"), "none", None),
        ({"co.test": REJECT}, "co.test", dkim("co.test"), "pass", "reject"),
        ({"co.test": REJECT}, "co.test", dkim("other.test"), "fail", "reject"),
        ({"co.test": REJECT}, "co.test", dkim("evilco.test"), "fail", "reject"),
        ({"co.test": REJECT}, "co.test", dkim("co.test", "fail"), "fail", "reject"),
        ({"co.test": REJECT}, "co.test", spf("bounces.co.test"), "pass", "reject"),
        ({"co.test": REJECT}, "news.co.test", spf("bounces.co.test"), "pass", "reject"),
        ({"co.test": REJECT + "; aspf=s"}, "co.test", spf("bounces.co.test"), "fail", "reject"),
        ({"co.test": REJECT + "; adkim=s"}, "co.test", dkim("mail.co.test"), "fail", "reject"),
        ({"co.test": REJECT + "; adkim=s"}, "co.test", spf("mail.co.test"), "pass", "reject"),
        ({"co.test": REJECT + "; sp=none"}, "news.co.test", spf("x.test"), "fail", "none"),
        ({"co.test": REJECT + "; t=y"}, "co.test", spf("x.test"), "fail", "quarantine"),
        ({"co.test": "v=DMARC1; p=quarantine; t=y"}, "co.test", spf("x.test"), "fail", "none"),
        ({"co.test": "v=DMARC1; p=none; np=reject"}, "gone.co.test", spf("x.test"), "fail", "reject"),
        (
            {"co.test": "v=DMARC1; p=none; np=reject", "is.co.test": "other text"},
            "is.co.test",
            spf("x.test"),
            "fail",
            "none",
        ),
        # A record of its own comes before the organisation's; one between them counts for nothing.
        ({"co.test": REJECT, "a.co.test": "v=DMARC1; p=none"}, "a.co.test", spf("x.test"), "fail", "none"),
        (
            {"co.test": REJECT, "a.co.test": "v=DMARC1; p=none"},
            "b.a.co.test",
            spf("x.test"),
            "fail",
            "reject",
        ),
        # psd=n ends the walk: what stands above is another organisation's.
        (
            {"co.test": REJECT, "a.co.test": REJECT + "; psd=n"},
            "x.a.co.test",
            dkim("b.co.test"),
            "fail",
            "reject",
        ),
        # psd=y: those one label below are organisations of their own.
        ({"gov.test": REJECT + "; psd=y"}, "so.gov.test", dkim("mail.so.gov.test"), "pass", "reject"),
        ({"gov.test": REJECT + "; psd=y"}, "so.gov.test", dkim("tinh.gov.test"), "fail", "reject"),
        ({"gov.test": REJECT + "; psd=y"}, "so.gov.test", dkim("gov.test"), "fail", "reject"),
        # A public suffix that writes itself ends the walk too, and is its own organisation (4.10, step 2).
        (
            {"gov.test": REJECT + "; psd=y", "test": "v=DMARC1; p=none"},
            "gov.test",
            dkim("other.test"),
            "fail",
            "reject",
        ),
        (
            {"gov.test": REJECT + "; psd=y", "test": REJECT},
            "gov.test",
            dkim("mail.gov.test"),
            "fail",
            "reject",
        ),
        # A record without p= asks for nothing, and with a policy that is none for no processing: what the
        # organisation asks for does not step in (4.7, 4.10.1).
        ({"co.test": REJECT, "a.co.test": "v=DMARC1"}, "a.co.test", dkim("x.test"), "fail", "none"),
        ({"co.test": REJECT, "a.co.test": "v=DMARC1; aspf=s"}, "a.co.test", dkim("x.test"), "fail", "none"),
        ({"co.test": REJECT, "a.co.test": "v=DMARC1; p=rejct"}, "a.co.test", dkim("x.test"), "none", None),
        (
            {"co.test": REJECT, "a.co.test": "v=DMARC1; p=none; sp=x"},
            "a.co.test",
            dkim("a.co.test"),
            "none",
            None,
        ),
        (
            {"co.test": "v=DMARC1; p=rejct; rua=nonsense, mailto:a@co.test"},
            "co.test",
            dkim("x.test"),
            "fail",
            "none",
        ),
        # Two records are none, and so is what does not begin with its version.
        ({"co.test": f"{REJECT}|v=DMARC1; p=none"}, "co.test", dkim("co.test"), "none", None),
        ({"co.test": f"{REJECT}|v=spf1 -all"}, "co.test", dkim("x.test"), "fail", "reject"),
        ({"co.test": " " + REJECT}, "co.test", dkim("co.test"), "none", None),
        ({"co.test": "v=DMARC1; p=rejct"}, "co.test", dkim("x.test"), "none", None),
        ({"co.test": "v=DMARC1; p=rejct; rua=mailto:a@co.test"}, "co.test", dkim("x.test"), "fail", "none"),
        ({"co.test": "v=DMARC1; rua=mailto:a@co.test"}, "co.test", dkim("x.test"), "fail", "none"),
        ({"co.test": "v=DMARC1;p=REJECT;;nonsense;x=y"}, "co.test", dkim("x.test"), "fail", "reject"),
    ],
)
async def test_results(
    records: dict[str, str], author: str, proven: Proven, result: str, policy: str | None
) -> None:
    told = await evaluated(Zone(records), author, proven)
    assert (told.result, told.policy) == (result, policy)


@pytest.mark.parametrize(
    ("trouble", "proven", "result"),
    [
        (("co.test",), (dkim("co.test"),), "temperror"),
        (("test",), (dkim("co.test"),), "temperror"),
        ((), (dkim("co.test", "temperror"),), "temperror"),
        ((), (dkim("x.test", "temperror"),), "fail"),
        ((), (spf("co.test", "temperror"), dkim("co.test")), "pass"),
        (("mail.co.test",), (dkim("mail.co.test"),), "temperror"),
    ],
)
async def test_trouble_is_temporary(
    trouble: tuple[str, ...], proven: tuple[Proven, ...], result: str
) -> None:
    assert (await evaluated(Zone({"co.test": REJECT}, trouble), "co.test", *proven)).result == result


async def test_each_name_is_asked_about_once() -> None:
    zone = Zone({"co.test": REJECT})
    signatures = [dkim(f"{n}.{m}.co.test") for n in "abc" for m in "xy"]
    await evaluated(zone, "co.test", *(Proven("dkim", "temperror", s.domain) for s in signatures))
    assert max(zone.asked.values()) == 1


def test_what_is_no_record() -> None:
    for text in (
        "",
        "v=DMARC2; p=none",
        "V=DMARC1; p=none",
        "p=none; v=DMARC1",
        "v=DMARC1x; p=none",
    ):
        assert parse(text) is None
