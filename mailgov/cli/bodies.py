"""`--json` of directory, queue and records: the bodies of the HTTP interface, so that one script serves both.

A list is an array of what a page's `items` hold.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mailgov.cli import common

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mailgov.admin.agencies import AgencyDetail, Merger
    from mailgov.admin.domains import DomainDetail
    from mailgov.admin.queue_many import Many
    from mailgov.settings import Settings
    from mailgov.store.accounts import AccountView
    from mailgov.store.agencies import AgencySpan
    from mailgov.store.commands import CommandView
    from mailgov.store.directory import AliasView, DomainView
    from mailgov.store.dkim_keys import DkimKeyView
    from mailgov.store.queue import AttemptView, QueueEntry
    from mailgov.store.tokens import TokenView
    from mailgov.store.traffic import MessageView


def accounts(settings: Settings, found: Sequence[AccountView]) -> list[Any]:
    """As `GET /api/v1/accounts`."""
    from mailgov.api.directory.accounts import account_body
    from mailgov.store.calendar import local_date

    zone = settings.province.timezone
    today = local_date(time.time_ns() // 1_000_000, zone)
    return [_plain(account_body(one, today, zone)) for one in found]


def print_account(settings: Settings, one: AccountView, **more: object) -> None:
    """As `GET /api/v1/accounts/<address>`; `more` is shown beside it."""
    common.print_json({**accounts(settings, [one])[0], **more})


def print_aliases(settings: Settings, found: Sequence[AliasView]) -> None:
    """As `GET /api/v1/aliases`."""
    from mailgov.api.directory.aliases import alias_body

    common.print_json([_plain(alias_body(one, settings.province.timezone)) for one in found])


def print_alias(settings: Settings, one: AliasView) -> None:
    """As `GET /api/v1/aliases/<address>`."""
    from mailgov.api.directory.aliases import alias_body

    common.print_json(_plain(alias_body(one, settings.province.timezone)))


def print_groups(settings: Settings, found: Sequence[AliasView]) -> None:
    """As `GET /api/v1/groups`."""
    from mailgov.api.directory.aliases import group_body

    common.print_json([_plain(group_body(one, settings.province.timezone)) for one in found])


def print_group(settings: Settings, one: AliasView) -> None:
    """As `GET /api/v1/groups/<address>`."""
    from mailgov.api.directory.aliases import group_body

    common.print_json(_plain(group_body(one, settings.province.timezone)))


def print_spans(found: Sequence[AgencySpan]) -> None:
    """As `GET /api/v1/agencies`."""
    from mailgov.api.directory.agencies import span_body

    common.print_json([_plain(span_body(one)) for one in found])


def print_agency(detail: AgencyDetail) -> None:
    """As `GET /api/v1/agencies/<code>`."""
    from mailgov.api.directory.agencies import agency_body

    common.print_json(_plain(agency_body(detail)))


def print_merger(detail: AgencyDetail, merger: Merger) -> None:
    """As `POST /api/v1/agencies/<code>/merge`."""
    from mailgov.api.directory.agencies import agency_body, merger_body

    common.print_json(_plain(merger_body(agency_body(detail), merger)))


def print_domains(settings: Settings, found: Sequence[DomainView]) -> None:
    """As `GET /api/v1/domains`."""
    from mailgov.api.directory.domains import domain_body

    common.print_json([_plain(domain_body(one, settings.province.timezone)) for one in found])


def print_domain(settings: Settings, detail: DomainDetail) -> None:
    """As `GET /api/v1/domains/<name>`."""
    from mailgov.api.directory.domains import detail_body

    common.print_json(_plain(detail_body(detail, settings.province.timezone)))


def keys(settings: Settings, found: Sequence[DkimKeyView]) -> list[Any]:
    """As `GET /api/v1/dkim-keys`, and where the private side is, which only this machine may know."""
    from mailgov.api.directory.domains import key_body

    zone = settings.province.timezone
    return [{**_plain(key_body(one, zone)), "key_file": one.key_file} for one in found]


class Seen(Protocol):
    """What the DNS has of a record that was asked for, in a word and for people."""

    @property
    def standing(self) -> str: ...

    @property
    def detail(self) -> str: ...


def print_seen(found: Iterable[tuple[dict[str, str], Seen]]) -> None:
    """Each record by what names it, and how it stands in the DNS."""
    common.print_json([{**named, "standing": one.standing, "detail": one.detail} for named, one in found])


def tokens(settings: Settings, found: Sequence[TokenView]) -> list[Any]:
    """As `GET /api/v1/tokens`."""
    from mailgov.api.directory.tokens import token_body

    return [_plain(token_body(one, settings.province.timezone)) for one in found]


def print_queue(settings: Settings, found: Sequence[QueueEntry]) -> None:
    """As `GET /api/v1/queue`."""
    from mailgov.api.records import queue_body

    common.print_json([_plain(queue_body(one, settings)) for one in found])


def print_messages(settings: Settings, found: Sequence[MessageView]) -> None:
    """As `GET /api/v1/messages`."""
    from mailgov.api.records import message_body

    common.print_json([_plain(message_body(one, settings)) for one in found])


def print_traced(settings: Settings, message: MessageView, attempts: Sequence[AttemptView]) -> None:
    """As `GET /api/v1/messages/<queue id>` and `GET /api/v1/queue/<queue id>`."""
    from mailgov.api.records import traced_body

    common.print_json(_plain(traced_body(message, attempts, settings)))


def print_command(settings: Settings, done: CommandView) -> None:
    """As `POST /api/v1/queue/<queue id>/<act>`."""
    from mailgov.api.records import command_body

    common.print_json(_plain(command_body(done, settings)))


def print_many(done: Many) -> None:
    """As `POST /api/v1/queue/acts`."""
    from mailgov.api.records import many_body

    common.print_json(_plain(many_body(done)))


def _plain(body: BaseModel) -> Any:
    return body.model_dump(mode="json", by_alias=True)
