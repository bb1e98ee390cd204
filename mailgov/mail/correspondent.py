"""Who wrote to us: whose address an answer may go to without being cold mail."""

from __future__ import annotations

from mailgov.mail.address import Address, AddressError

NOT_DISPROVEN = frozenset({None, "pass", "none", "temperror"})
"""SPF for a reverse-path that may stand for itself. Free services publish SPF: a forger gets another word."""


def correspondent(
    reverse_path: str | None, author: str | None, *, spf: str | None = None, dmarc: str | None = None
) -> str | None:
    """The one address that a message from outside shows to have written, in look-up form.

    The single author where DMARC passes. Otherwise, unless SPF or DMARC speak against it: the single
    author where its domain is the reverse-path's, or below or above it (newsletters and their
    bounces), or else the reverse-path. None for the null reverse-path: no person sent it. `author` is
    as the record has it, several parted by commas; `spf` and `dmarc` are None where nothing looked.
    An address in From alone proves nothing, so one message counts for one address.
    """
    path, single = _address(reverse_path), _address(author)
    if path is None:
        return None
    if dmarc == "pass" and single is not None:
        return single.key
    if spf not in NOT_DISPROVEN or (dmarc == "fail" and spf != "pass"):
        return None
    if dmarc == "fail":
        return path.key
    return single.key if single is not None and _aligned(single.domain, path.domain) else path.key


def _address(text: str | None) -> Address | None:
    try:
        return Address.parse(text or "")
    except AddressError:
        return None


def _aligned(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or ("." in shorter and longer.endswith(f".{shorter}"))
