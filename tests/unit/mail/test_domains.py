"""One form for each domain, however it is spelt."""

from __future__ import annotations

import time

import pytest

from mailgov.mail.address import Address, AddressError
from mailgov.mail.domains import ascii_domain, normal_domain


@pytest.mark.parametrize(
    "spelt",
    [
        "GMAIL.com",
        "ｇｍａｉｌ.com",
        "gmail。com",
        "gmail．com",
        "gmail｡com",
        "ⓖmail.com",
        "𝐠𝐦𝐚𝐢𝐥.com",
        "g\u00admail.com",
    ],
)
def test_every_spelling_is_the_same_domain(spelt: str) -> None:
    assert normal_domain(spelt) == "gmail.com"
    assert Address.parse(f"an@{spelt}").key == "an@gmail.com"
    assert Address.parse(f"an@{spelt}").ascii


@pytest.mark.parametrize("other", ["gmaıl.com", "gmаil.com", "gm\u200dail.com"])
def test_another_domain_stays_another(other: str) -> None:
    assert normal_domain(other) != "gmail.com"
    assert ascii_domain(normal_domain(other)).startswith("xn--")


def test_letters_of_other_languages_stay_until_the_dns_is_asked() -> None:
    address = Address.parse("khách@VÍ-DỤ.vn")
    assert (str(address), address.ascii) == ("khách@ví-dụ.vn", False)
    assert ascii_domain(address.domain) == "xn--v-d-rma6749a.vn"
    assert ascii_domain(normal_domain("faß.de")) == "xn--fa-hia.de", "as RFC 5891 has it, not as 2003 had"


@pytest.mark.parametrize("domain", ["a\u2024b\ufffd.vn", "a\u0378.vn", "。com", "gmail。。com", "\u00ad.com"])
def test_what_can_be_no_domain_is_no_address(domain: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(f"an@{domain}")


def test_a_label_without_an_a_label_costs_nothing() -> None:
    """Its coding costs the square of its letters: a header has room for a hundred of them."""
    letters = "".join(chr(0x4E00 + n) for n in range(1000))
    begun = time.process_time()
    for _ in range(20):
        with pytest.raises(ValueError, match="too long"):
            ascii_domain(normal_domain(f"{letters}.vn"))
    assert time.process_time() - begun < 0.5
