"""What an act refuses with: the fields of RFC 9457, for whichever surface asked."""

from __future__ import annotations


class AdminError(Exception):
    """A refusal; nothing was changed.

    `code` is a short word that programs compare, `title` says the same to people, `detail` is
    one clear sentence about this case and carries no secret, `status` is the HTTP status.
    """

    def __init__(self, code: str, title: str, detail: str, status: int) -> None:
        super().__init__(detail)
        self.code = code
        self.title = title
        self.detail = detail
        self.status = status


class TryLater(AdminError):
    """Not now: the same request may succeed after `retry_after_s` seconds."""

    def __init__(self, code: str, title: str, detail: str, status: int, retry_after_s: int) -> None:
        super().__init__(code, title, detail, status)
        self.retry_after_s = retry_after_s


def invalid(detail: str) -> AdminError:
    """The request itself cannot be: a malformed address, a span that ends before it begins."""
    return AdminError("invalid", "Invalid value", detail, 422)


def conflict(detail: str) -> AdminError:
    """The directory as it stands does not allow it."""
    return AdminError("conflict", "Conflict with what there is", detail, 409)


def forbidden(detail: str) -> AdminError:
    """The actor's seat does not allow it, whatever the object."""
    return AdminError("forbidden", "Not allowed", detail, 403)


def not_found(kind: str, name: str) -> AdminError:
    """No such object, or none that the actor may know of: the two look the same."""
    return AdminError("not-found", "Not found", f"no such {kind}: {name}", 404)


def unfinished(detail: str) -> AdminError:
    """Accepted but not yet applied; it may still happen."""
    return AdminError("unfinished", "Not yet applied", detail, 504)


def needs_reason(detail: str) -> AdminError:
    """It can be, but is unlikely: the same with a reason is accepted."""
    return AdminError("needs-reason", "A reason is needed", detail, 409)
