"""How `mailgov declare` shows declarations."""

from __future__ import annotations

import datetime
import sys
from typing import TYPE_CHECKING

from mailgov.cli import common

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mailgov.admin.declarations import Import
    from mailgov.admin.declaring import Placed
    from mailgov.store.declarations import DeclarationView


def print_history(found: Sequence[DeclarationView], timezone: str) -> None:
    """The revisions of one declaration, and the register as it counts."""
    series = found[0].series
    common.say(f"{series.subject or series.kind} of {who(found[0])}, {days(found[0])}")
    rows = [
        (
            one.id,
            one.revision,
            common.local_time(one.created_ms, timezone),
            one.actor,
            numbers(one),
            one.reason,
        )
        for one in found
    ]
    common.print_table(("id", "revision", "when", "who", "numbers", "reason"), rows)
    if found[-1].register:
        common.say("")
        lines = [
            (line.document_class, line.symbol, line.issued_on, line.title, line.exempt, line.queue_id)
            for line in found[-1].register
        ]
        common.print_table(("class", "symbol", "issued on", "title", "exempt", "queue id"), lines)


def report(file: Path, result: Import, *, dry_run: bool, as_json: bool) -> None:
    """What was declared, or every line that was wrong; raises Refused for the latter."""
    for fault in result.faults:
        print(common.cell(f"{file} {fault.place}: {fault.detail}"), file=sys.stderr)
    if result.faults:
        wrong = common.count(len(result.faults), "fault")
        raise common.Refused(f"nothing was declared: {wrong} in {file}, each named above; mend and try again")
    if as_json:
        common.print_json(
            {
                "dry_run": dry_run,
                "declarations": [
                    {**plain(one.made), "before": one.before and one.before.content} for one in result.placed
                ],
            }
        )
        return
    for one in result.placed:
        common.say(line(one, dry_run=dry_run))
    number = common.count(len(result.placed), "declaration")
    common.say(f"{number} would be declared; nothing was kept" if dry_run else f"{number} declared")


def line(placed: Placed, *, dry_run: bool = False) -> str:
    """One line that says what was declared, and what it replaces."""
    made, before = placed.made, placed.before
    what = f"{made.series.subject or made.series.kind} of {who(made)}, {days(made)}"
    done = "corrected" if before else "declared"
    change = f"{numbers(before)} → {numbers(made)}" if before else numbers(made)
    return common.cell(f"{'would be' if dry_run else made.id} {done}: {what}: {change}")


def print_list(found: Sequence[DeclarationView]) -> None:
    rows = [
        (
            one.id,
            one.series.subject or one.series.kind,
            who(one),
            days(one),
            one.revision,
            numbers(one),
            one.reason,
            "sample" if one.sample else None,
        )
        for one in found
    ]
    common.print_table(("id", "what", "agency", "days", "revision", "numbers", "reason", ""), rows)


def who(one: DeclarationView) -> str:
    """The code of the agency that declared it."""
    return one.series.agency or "the province"


def days(one: DeclarationView) -> str:
    """The first and the last day, both inside."""
    last = one.series.until_date - datetime.timedelta(days=1)
    return f"{one.series.from_date:%d/%m/%Y}–{last:%d/%m/%Y}"


def numbers(one: DeclarationView) -> str:
    return ", ".join(f"{name} {value}" for name, value in one.content.items())


def plain(one: DeclarationView) -> dict[str, object]:
    """As JSON: the series' fields beside the others; days half-open."""
    fields = common.plain(one)
    series = fields.pop("series")
    renamed = {"from": series.pop("from_date"), "to": series.pop("until_date")}
    series["agency"] = series["agency"] or None
    if one.series.kind != "register":
        fields.pop("register")
    return {"id": fields.pop("id"), **series, **renamed, **fields}
