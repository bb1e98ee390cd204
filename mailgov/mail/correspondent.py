"""Who wrote to us: whose address an answer may go to without being cold mail."""

from __future__ import annotations

from mailgov.mail.address import Address, AddressError


def correspondent(reverse_path: str | None, author: str | None) -> str | None:
    """The one address that a message from outside shows to have written, in look-up form.

    The single author where its domain is the reverse-path's, or below or above it (newsletters and
    their bounces); otherwise the reverse-path. None for the null reverse-path: no person sent it.
    `author` is as the record has it, several parted by commas. An address in From alone proves
    nothing, and nothing here is proven before SPF, DKIM and DMARC are: so one message counts for
    one address, and for one that its sender had to give as its own.
    """
    path = _address(reverse_path)
    if path is None:
        return None
    single = _address(author)
    return single.key if single is not None and _aligned(single.domain, path.domain) else path.key


def _address(text: str | None) -> Address | None:
    try:
        return Address.parse(text or "")
    except AddressError:
        return None


def _aligned(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or ("." in shorter and longer.endswith(f".{shorter}"))
