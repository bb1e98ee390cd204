"""Domains and DKIM keys as answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailgov.admin.domains import DomainDetail
from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.ops import dns
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
    state: str = Field(description="pending (signs nothing yet), active or retired")
    record_name: str
    record_value: str = Field(description="The TXT record to publish (RFC 6376 3.6.1).")
    created_at: str


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
        record_name=f"{view.selector}._domainkey.{view.domain}",
        record_value=dns.key_record(view),
        created_at=iso(view.created_ms, zone),
    )
