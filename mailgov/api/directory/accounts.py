"""Accounts, their posts and seats as answers and questions. No answer holds a hash."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from mailgov.admin.limits import HIGHEST
from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.identity.roles import Role
from mailgov.store.accounts import AccountView

PersonClass = Literal["can_bo", "cong_chuc", "vien_chuc", "khac"]
Day = Annotated[date | None, Field(examples=["2026-01-01"])]


class PostBody(Answer):
    """Where the holder serves over the half-open days from `valid_from` to `valid_until`."""

    agency: str
    person_class: str | None = Field(
        description="can_bo, cong_chuc, vien_chuc or khac; null for no one person"
    )
    valid_from: date | None
    valid_until: date | None


class SeatBody(Answer):
    role: str
    agency: str | None = Field(description="Null for the whole province.")


class SendingLimits(Answer):
    """Set by an administrator; 0 is no limit, null leaves it to the settings."""

    messages_per_hour: int | None = None
    messages_per_day: int | None = None
    recipients_per_day: int | None = None
    new_recipients_per_day: int | None = Field(
        None, description="Outside addresses that the agency has not met before."
    )


class AccountBody(Answer):
    """An account as people see it."""

    address: str
    display_name: str
    kind: str = Field(description="personal, shared or functional")
    state: Literal["open", "no_password", "disabled"]
    must_change_password: bool = Field(description="Its password is a first one.")
    citizen_desk: bool = Field(description="A one-stop or reception desk: may write to citizens first.")
    agency: str | None = Field(description="Served today.")
    person_class: str | None
    posts: list[PostBody]
    grants: list[str] = Field(description="Addresses, beside its own, that it may write as.")
    registered: list[str] = Field(description="Outside addresses that the holder calls their own.")
    seats: list[SeatBody]
    sending_limits: SendingLimits = Field(description="Set for this account; null where the settings decide.")
    created_at: str
    sample: bool


class NewAccountBody(AccountBody):
    """A new account; `first_password` is shown this once."""

    first_password: str | None


class AccountPage(Answer):
    items: list[AccountBody]
    next: str | None


class FirstPassword(Answer):
    """Shown this once: it opens nothing but the place where the holder changes it."""

    address: str
    first_password: str


class AccountQuery(PageQuery):
    """Which accounts."""

    agency: Text | None = Field(None, description="Code of the agency served today.")


class NewAccountAsked(Asked):
    address: Text = Field(examples=["hoapt@caobang.gov.vn"])
    display_name: Text = Field(examples=["Phạm Thị Hoa"])
    kind: Literal["personal", "shared", "functional"] = "personal"
    agency: Text | None = Field(None, description="Code; for a person together with the class.")
    person_class: PersonClass | None = None
    since: Day = Field(None, description="First day of the post; null for always.")
    citizen_desk: bool = False
    first_password: bool = Field(True, description="Make a first password; false: it cannot sign in yet.")


class AccountEdit(Asked):
    """What is not given stays as it is."""

    display_name: Text | None = None
    citizen_desk: bool | None = None


class Granting(Asked):
    address: Text = Field(description="An address of the province that is in use.")


class Moving(Asked):
    agency: Text
    person_class: PersonClass | None = Field(None, description="Default: the class stays.")
    on: Day = Field(None, description="The first day there. Default: today.")


Limit = Annotated[int | None, Field(ge=0, le=HIGHEST, description="0 is no limit, null the settings'.")]


class LimitsAsked(Asked):
    """What is not given is as the settings have it."""

    messages_per_hour: Limit = None
    messages_per_day: Limit = None
    recipients_per_day: Limit = None
    new_recipients_per_day: Limit = None


class SeatAsked(Asked):
    role: Role
    agency: Text | None = Field(None, description="For an agency's own roles.")


def account_body(view: AccountView, today: date, zone: str) -> AccountBody:
    post = view.post_on(today)
    return AccountBody(
        address=view.address,
        display_name=view.display_name,
        kind=view.kind,
        state=_state(view),
        must_change_password=view.must_change_password,
        citizen_desk=view.citizen_desk,
        agency=None if post is None else post.agency_code,
        person_class=None if post is None else post.person_class,
        posts=[
            PostBody(
                agency=one.agency_code,
                person_class=one.person_class,
                valid_from=one.valid_from,
                valid_until=one.valid_until,
            )
            for one in view.posts
        ],
        grants=list(view.grants),
        registered=list(view.registered),
        seats=[SeatBody(role=seat.role, agency=seat.agency) for seat in view.seats],
        sending_limits=SendingLimits(**view.limits),
        created_at=iso(view.created_ms, zone),
        sample=view.sample,
    )


def _state(view: AccountView) -> Literal["open", "no_password", "disabled"]:
    if view.suspended_ms is not None:
        return "disabled"
    return "open" if view.has_password else "no_password"
