"""Aliases and groups as answers and questions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.store.directory import AliasView

ADDRESSES_MAX = 1000

Kind = Literal["alias", "list", "forward"]


class AliasBody(Answer):
    """An address that stands for others. Groups are those of kind list."""

    address: str
    kind: str
    targets: list[str]
    created_at: str


class AliasPage(Answer):
    items: list[AliasBody]
    next: str | None


class AliasQuery(PageQuery):
    """Which aliases."""

    kind: Kind | None = None


class NewAlias(Asked):
    address: Text = Field(examples=["ld-snv@caobang.gov.vn"])
    kind: Kind = "alias"
    targets: list[Text] = Field(min_length=1, max_length=ADDRESSES_MAX, description="Where it leads.")


class Targets(Asked):
    targets: list[Text] = Field(min_length=1, max_length=ADDRESSES_MAX)


class Target(Asked):
    target: Text


class GroupBody(Answer):
    """A mailing list: one address, many members."""

    address: str
    members: list[str]
    created_at: str


class GroupPage(Answer):
    items: list[GroupBody]
    next: str | None


class NewGroup(Asked):
    address: Text = Field(examples=["all-snv@caobang.gov.vn"])
    members: list[Text] = Field(min_length=1, max_length=ADDRESSES_MAX)


class Members(Asked):
    members: list[Text] = Field(min_length=1, max_length=ADDRESSES_MAX)


class Member(Asked):
    member: Text


def alias_body(view: AliasView, zone: str) -> AliasBody:
    return AliasBody(
        address=view.address,
        kind=view.kind,
        targets=list(view.targets),
        created_at=iso(view.created_ms, zone),
    )


def group_body(view: AliasView, zone: str) -> GroupBody:
    return GroupBody(address=view.address, members=list(view.targets), created_at=iso(view.created_ms, zone))
