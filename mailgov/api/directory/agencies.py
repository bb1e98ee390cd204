"""Agencies as answers and questions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from mailgov.admin.agencies import AgencyDetail, Merger
from mailgov.admin.agency_changes import SpanChanges
from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.store.agencies import AgencySpan

Level = Literal["province", "district", "commune"]
Day = Annotated[date | None, Field(examples=["2026-01-01"])]


class SpanBody(Answer):
    """An agency over the half-open days from `valid_from` to `valid_until`; null is without an end."""

    code: str
    name: str
    level: str
    abbreviation: str | None
    parent: str | None
    mailbox: str | None = Field(description="The published address.")
    own_sector_mail: bool
    valid_from: date | None
    valid_until: date | None
    sample: bool


class AgencyPage(Answer):
    items: list[SpanBody]
    next: str | None


class SuccessionBody(Answer):
    from_code: str
    to_code: str
    on: date


class AgencyBody(Answer):
    """An agency's whole life."""

    code: str
    spans: list[SpanBody]
    successions: list[SuccessionBody]
    registered: list[str] = Field(description="Outside addresses that the agency calls its own.")


class MergerBody(Answer):
    """What became of the accounts that served in an agency that ended."""

    agency: AgencyBody
    moved: list[str]
    left: list[str] = Field(description="Accounts that somebody has to place: nobody took over alone.")
    below: list[str] = Field(description="Codes of agencies that are still said to stand below it.")


class AgencyQuery(PageQuery):
    """Which agencies."""

    on: date | None = Field(None, description="Those of that day. Default: today.")
    all: bool = Field(False, description="Every span of days, of the past and the future too.")


class NewAgency(Asked):
    code: Text
    name: Text
    level: Level = "province"
    abbreviation: Text | None = Field(None, description="As in the symbols of its documents.")
    parent: Text | None = Field(None, description="Code of the agency above it.")
    mailbox: Text | None = Field(None, description="Its published address.")
    own_sector_mail: bool = Field(False, description="It has its own sector's mail system.")
    valid_from: Day = Field(None, description="Its first day; null for always.")
    valid_until: Day = Field(None, description="The first day without it; null for ever.")

    def span(self) -> AgencySpan:
        return AgencySpan(
            code=self.code,
            name=self.name,
            level=self.level,
            abbreviation=self.abbreviation,
            parent_code=self.parent,
            mailbox=self.mailbox,
            own_sector_mail=self.own_sector_mail,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class Renaming(Asked):
    """What is not given stays as it was."""

    name: Text
    abbreviation: Text | None = None
    mailbox: Text | None = None
    on: Day = Field(None, description="The first day of the new name. Default: today.")


class AgencyEdit(Asked):
    """What is not given stays as it was; null takes an abbreviation, a parent or a mailbox away."""

    name: Text | None = None
    abbreviation: Text | None = None
    level: Level | None = None
    parent: Text | None = Field(None, description="Code of the agency above it.")
    mailbox: Text | None = Field(None, description="Its published address.")
    own_sector_mail: bool | None = None
    on: Day = Field(None, description="The first day on which it is so. Default: today.")
    correct: bool = Field(
        False, description="It was written down wrongly: it is so over all days of the span that holds `on`."
    )
    reason: Text | None = Field(None, description="Needed to correct: figures of the past may change.")

    def changes(self) -> SpanChanges:
        found: SpanChanges = {}
        if self.name is not None:
            found["name"] = self.name
        if self.level is not None:
            found["level"] = self.level
        if self.own_sector_mail is not None:
            found["own_sector_mail"] = self.own_sector_mail
        if "abbreviation" in self.model_fields_set:
            found["abbreviation"] = self.abbreviation
        if "parent" in self.model_fields_set:
            found["parent_code"] = self.parent
        if "mailbox" in self.model_fields_set:
            found["mailbox"] = self.mailbox
        return found


class Closing(Asked):
    on: Day = Field(None, description="The first day without it. Default: today.")
    reason: Text | None = Field(
        None, description="Needed where somebody still serves there or an agency stands below it."
    )


class Merging(Asked):
    into: list[Text] = Field(min_length=1, max_length=100, description="Codes of those that take over.")
    on: Day = Field(None, description="The first day of the successors. Default: today.")


class OutsideAddress(Asked):
    address: Text = Field(description="An address outside the province.")


def span_body(span: AgencySpan) -> SpanBody:
    return SpanBody(
        code=span.code,
        name=span.name,
        level=span.level,
        abbreviation=span.abbreviation,
        parent=span.parent_code,
        mailbox=span.mailbox,
        own_sector_mail=span.own_sector_mail,
        valid_from=span.valid_from,
        valid_until=span.valid_until,
        sample=span.sample,
    )


def agency_body(detail: AgencyDetail) -> AgencyBody:
    return AgencyBody(
        code=detail.spans[0].code,
        spans=[span_body(span) for span in detail.spans],
        successions=[
            SuccessionBody(from_code=one.from_code, to_code=one.to_code, on=one.on_date)
            for one in detail.successions
        ],
        registered=list(detail.registered),
    )


def merger_body(agency: AgencyBody, merger: Merger) -> MergerBody:
    return MergerBody(
        agency=agency, moved=list(merger.moved), left=list(merger.left), below=list(merger.below)
    )
