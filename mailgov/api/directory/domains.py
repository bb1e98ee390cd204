"""Domains and DKIM keys as answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailgov.admin.domains import DomainDetail
from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.store.directory import DomainView
from mailgov.store.dkim_keys import DkimKeyView


class DomainBody(Answer):
    """A mail domain. Times in ISO 8601 with the province's offset."""

    name: str
    state: Literal["in_use", "disabled"]
    created_at: str
    disabled_at: str | None


class DomainPage(Answer):
    items: list[DomainBody]
    next: str | None


class DomainDetailBody(DomainBody):
    """A domain with what hangs on it."""

    accounts: int
    aliases: int
    selectors: list[str] = Field(description="Of its DKIM keys; see `dkim-keys`.")


class NewDomain(Asked):
    name: Text = Field(examples=["sonoivu.caobang.gov.vn"])
    postmaster: Text = Field(
        description="The account that postmaster@ and abuse@ lead to; one of the new domain is made with it.",
    )


class DkimKeyBody(Answer):
    """The public side of a key; the private one never leaves the server's disk."""

    domain: str
    selector: str
    algorithm: str = Field(description="rsa or ed25519")
    state: str = Field(
        description="pending (signs nothing yet), active, retired (signs nothing more) or withdrawn"
    )
    record_name: str
    record_value: str = Field(description="The TXT record to publish (RFC 6376 3.6.1).")
    created_at: str
    standing: str | None = Field(
        description="What the DNS said last: published, missing, different, revoked, unusable, several,"
        " testing or unknown; no_private_key where a machine of ours cannot sign with it."
    )
    standing_detail: str | None
    checked_at: str | None
    published_since: str | None = Field(description="Since when each look found it as it must be.")
    active_at: str | None
    retired_at: str | None
    withdraw_at: str | None = Field(description="Until when a retired key stays in the DNS.")


class DkimKeyPage(Answer):
    items: list[DkimKeyBody]
    next: str | None


class DkimKeyQuery(PageQuery):
    """Which keys."""

    domain: Text | None = Field(None, description="Of this domain alone.")


class NewDkimKey(Asked):
    domain: Text
    algorithm: Literal["rsa", "ed25519"] = "rsa"
    selector: Text | None = Field(None, description="Default: made of algorithm and month.")


def domain_body(view: DomainView, zone: str) -> DomainBody:
    return DomainBody(**_domain(view, zone))


def detail_body(detail: DomainDetail, zone: str) -> DomainDetailBody:
    selectors = [key.selector for key in detail.keys]
    return DomainDetailBody(
        **_domain(detail.domain, zone), accounts=detail.accounts, aliases=detail.aliases, selectors=selectors
    )


def _domain(view: DomainView, zone: str) -> dict[str, object]:
    return {
        "name": view.name,
        "state": "in_use" if view.disabled_ms is None else "disabled",
        "created_at": iso(view.created_ms, zone),
        "disabled_at": None if view.disabled_ms is None else iso(view.disabled_ms, zone),
    }


def key_body(view: DkimKeyView, zone: str) -> DkimKeyBody:
    return DkimKeyBody(
        domain=view.domain,
        selector=view.selector,
        algorithm=view.algorithm,
        state=view.state,
        record_name=view.record_name,
        record_value=view.record,
        created_at=iso(view.created_ms, zone),
        standing=view.standing,
        standing_detail=view.detail,
        checked_at=_time(view.checked_ms, zone),
        published_since=_time(view.seen_ms, zone),
        active_at=_time(view.active_ms, zone),
        retired_at=_time(view.retired_ms, zone),
        withdraw_at=_time(view.withdraw_ms, zone),
    )


def _time(at_ms: int | None, zone: str) -> str | None:
    return None if at_ms is None else iso(at_ms, zone)
