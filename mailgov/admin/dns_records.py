"""The records that our domains need, and what the DNS has of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from mailgov.admin import domains
from mailgov.admin.context import Actor, AdminContext
from mailgov.ops.dns import Record, client_records, pages_host, records
from mailgov.relay.dns import RecordKind, Records, Resolver
from mailgov.relay.key_records import look_up
from mailgov.store.dkim_keys import DkimKeyView

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')

Standing = Literal["published", "other", "missing", "several", "unknown"]
"""`other`: such a record is there and says something else, which may be meant so."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A record that a domain needs, and what the DNS has in its place."""

    record: Record
    standing: Standing
    detail: str = ""

    @property
    def fault(self) -> bool:
        """Whether others find nothing that they could go by."""
        return self.standing in {"missing", "several"}


async def list_records(ctx: AdminContext, actor: Actor, domain: str | None = None) -> list[Record]:
    """The records to publish for a domain, or for all."""
    return [record for record, _ in await _wanted(ctx, actor, domain)]


async def list_published(ctx: AdminContext, actor: Actor, domain: str | None = None) -> list[Compared]:
    """Ask the DNS for each of them, one after the other; changes nothing."""
    resolver = Resolver(ctx.settings.dns)
    return [await _compared(resolver, record, key) for record, key in await _wanted(ctx, actor, domain)]


async def _wanted(
    ctx: AdminContext, actor: Actor, domain: str | None
) -> list[tuple[Record, DkimKeyView | None]]:
    """The records, and the DKIM key that each is of, if it is one's."""
    settings = ctx.settings
    imaps, submissions = settings.imap.imaps, settings.smtp.submissions
    names = [domain] if domain else [one.name for one in await domains.list_domains(ctx, actor)]
    found: list[tuple[Record, DkimKeyView | None]] = []
    for name in names:
        detail = await domains.show_domain(ctx, actor, name)
        by_name = {key.record_name: key for key in detail.keys}
        wanted = records(
            detail.domain.name, settings.hostname, detail.keys, reports=settings.reports.mailbox or None
        )
        wanted += client_records(
            detail.domain.name,
            settings.hostname,
            pages_host(settings.http.public_url),
            imaps=None if imaps is None else imaps.port,
            submissions=None if submissions is None else submissions.port,
        )
        found += [(record, by_name.get(record.name)) for record in wanted]
    return found


async def _compared(resolver: Resolver, record: Record, key: DkimKeyView | None) -> Compared:
    if key is not None:
        shown = await look_up(resolver, key)
        if shown.good or not shown.bad:
            return Compared(record, "published" if shown.good else "unknown", shown.detail)
        return Compared(record, "several" if shown.standing == "several" else "missing", shown.detail)
    asked = await resolver.records(record.name, cast(RecordKind, record.type))
    if asked.status == "temporary":
        return Compared(record, "unknown", "the DNS does not answer")
    if record.type == "TXT":
        return _text_compared(record, asked)
    there = [value.lower().rstrip(".") for value in asked.values]
    if not there:
        return Compared(record, "missing")
    wanted = record.value.lower().rstrip(".").rpartition(" " if record.type == "MX" else "\n")[2]
    return (
        Compared(record, "published") if wanted in there else Compared(record, "other", "names another host")
    )


def _text_compared(record: Record, asked: Records) -> Compared:
    """A TXT record's like is one of the same version: v=spf1, v=DMARC1 and so on."""
    wanted = "".join(_STRING.findall(record.value))
    version = wanted.partition(" ")[0].partition(";")[0]
    alike = [value for value in asked.values if value.lower().startswith(version.lower())]
    if not alike:
        return Compared(record, "missing", f"no {version} record is there")
    if len(alike) > 1:
        return Compared(record, "several", f"{len(alike)} {version} records: receivers take none of them")
    return (
        Compared(record, "published") if alike[0] == wanted else Compared(record, "other", "says otherwise")
    )
