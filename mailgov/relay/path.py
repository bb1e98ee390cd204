"""The arguments of MAIL and RCPT (RFC 5321 4.1.2, 4.1.1.2, 4.1.1.3)."""

from __future__ import annotations

from mailgov.mail.address import PATH_OCTETS, Address, AddressError, is_domain
from mailgov.mail.reply import MailError, Reply

_SYNTAX = "5.5.4"


def parse_path(argument: str | None, keyword: str) -> tuple[str, dict[str, str | None]]:
    """The address inside `<…>` ("" for `<>`) and the parameters after it, names in upper case.

    `keyword` is `FROM:` or `TO:`. A source route is dropped (RFC 5321 appendix C). Raises
    MailError 501 for anything malformed.
    """
    text = (argument or "").lstrip()
    if text[: len(keyword)].upper() != keyword:
        raise _syntax(f"Syntax: {'MAIL' if keyword == 'FROM:' else 'RCPT'} {keyword}<address>")
    # Many clients write a space after the colon; the grammar does not allow it, nothing is lost.
    text = text[len(keyword) :].lstrip()
    if not text.startswith("<"):
        raise _syntax("The address must stand in angle brackets")
    end = _closing(text)
    path, rest = text[1:end], text[end + 1 :]
    if rest and not rest.startswith(" "):
        raise _syntax("Malformed parameters")
    if len(path.encode("utf-8", "surrogateescape")) + 2 > PATH_OCTETS:
        raise _syntax("Path too long")
    if path.startswith("@"):
        route, _, path = path.partition(":")
        if not path or not all(hop.startswith("@") and is_domain(hop[1:]) for hop in route.split(",")):
            raise _syntax("Malformed source route")
    return path, _parameters(rest)


def parse_mailbox(path: str, *, status: str = "5.1.3") -> Address:
    """The address of a path. Raises MailError 553 where it is malformed.

    `status` is 5.1.3 for a recipient's and 5.1.7 for the reverse-path (RFC 3463 3.2).
    """
    try:
        return Address.parse(path)
    except AddressError as error:
        raise MailError(Reply(553, status, f"Malformed address: {error}"), path) from None


def _closing(text: str) -> int:
    end = text.find(">")
    if end >= 0 and '"' not in text[:end]:
        return end
    quoted = False
    at = 1
    while at < len(text):
        character = text[at]
        if quoted and character == "\\":
            at += 1
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return at
        at += 1
    raise _syntax("The address lacks its closing bracket")


def _parameters(rest: str) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for word in rest.split():
        name, equals, value = word.partition("=")
        name = name.upper()
        if (
            not (name.isascii() and name.replace("-", "").isalnum())
            or (equals and not value)
            or name in parameters
        ):
            raise _syntax("Malformed parameters")
        parameters[name] = value if equals else None
    return parameters


def _syntax(text: str) -> MailError:
    return MailError(Reply(501, _SYNTAX, text))
