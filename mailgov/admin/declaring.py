"""How one declaration is put among the others: every check, inside the transaction of an act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, require_over, require_province
from mailgov.admin.errors import AdminError, conflict, invalid, needs_reason, not_found
from mailgov.admin.obligations import obligation_of
from mailgov.identity.roles import Act
from mailgov.policy import Obligation, Policy
from mailgov.store import agencies, declarations
from mailgov.store.agencies import AgencySpan
from mailgov.store.declarations import DeclarationView, RegisterLine, Series
from mailgov.store.directory import Session
from mailgov.usage import declared_checks
from mailgov.usage.declared import ENTRIES, HEADCOUNT, INDICATOR, KINDS, PROVINCE, REGISTER
from mailgov.usage.declared_checks import DeclaredError
from mailgov.usage.periods import PeriodError, Span, dmy, parse
from mailgov.usage.register_checks import LINES_LIMIT, checked_lines, linked

THE_PROVINCE = "the province"
"""What `PROVINCE` is called in the log and in refusals."""


@dataclass(frozen=True, slots=True)
class NewDeclaration:
    """What is declared. `content` as `usage.declared_checks.checked` takes it; a register brings lines
    instead, or `entries` 0. `agency` is `PROVINCE` for an indicator of the province as a whole.
    """

    kind: str
    agency: str
    days: Span
    content: Mapping[str, object]
    subject: str = ""
    register: tuple[RegisterLine, ...] = ()
    correct: bool = False
    reason: str | None = None
    sample: bool = False

    @property
    def act(self) -> Act:
        return Act.DECLARATION_CORRECT if self.correct else Act.DECLARATION_ADD


@dataclass(frozen=True, slots=True)
class Placed:
    """A declaration that was accepted, and the revision that it replaces."""

    made: DeclarationView
    before: DeclarationView | None


class RegisterFaults(AdminError):
    """Lines of a register that cannot be; `lines` has (number from 1, what is wrong)."""

    def __init__(self, lines: tuple[tuple[int, str], ...]) -> None:
        number, detail = lines[0]
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        super().__init__("invalid", "Invalid value", f"line {number}: {detail}{more}", 422)
        self.lines = lines


def days_of(ctx: AdminContext, period: str, calendar: str) -> Span:
    """The days of a period as people write it; raises AdminError."""
    rules.one_of(calendar, ("civil", "administrative"), "calendar")
    try:
        return parse(period, calendar, ctx.settings.province.cut_off_day).span
    except PeriodError as error:
        raise invalid(str(error)) from error


def target_of(new: NewDeclaration, code: str) -> str:
    """What the audit log calls it."""
    subject = f" {new.subject}" if new.subject else ""
    return f"{new.kind}{subject} {code or THE_PROVINCE} {_iso(new.days)}"


async def place(
    ctx: AdminContext, actor: Actor, session: Session, new: NewDeclaration, policy: Policy, now_ms: int
) -> Placed:
    """Check and keep one declaration. Raises AdminError; the caller's transaction is then undone."""
    rules.one_of(new.kind, KINDS, "kind of declaration")
    new = replace(new, agency=await declarer_of(session, actor, new))
    reason = rules.reason(new.reason) if new.reason else None
    _check_days(new.days, ctx.today())
    spans = await agencies.spans(session, new.agency)
    if new.agency != PROVINCE:
        _check_agency(new, spans)
    lines = _lines(new, policy)
    numbers = _numbers(new, policy, lines)
    if new.kind == INDICATOR:
        _check_covered(new, spans, obligation_of(policy, new.subject))
    others = await declarations.latest(session, new.kind, agency=new.agency, subject=new.subject)
    before = await _in_place_of(session, new, others)
    _check_turn(new, before, reason, (numbers, lines))
    await _check_links(session, new.agency, lines, before)
    if reason is None and (found := declared_checks.doubts(new.kind, new.days, numbers, others)):
        raise needs_reason(f"{'; '.join(found)}: if it is right, declare it again with a reason")
    made = await declarations.add(
        session,
        before.series if before else _series(new),
        numbers,
        revision=before.revision + 1 if before else 1,
        actor=actor.name,
        now_ms=now_ms,
        reason=reason,
        register=lines,
        sample=new.sample,
    )
    return Placed(made, before)


def _series(new: NewDeclaration) -> Series:
    return Series(new.kind, new.agency, new.days.start, new.days.end, new.subject)


async def declarer_of(session: Session, actor: Actor, new: NewDeclaration) -> str:
    """The stored code of who declares, or `PROVINCE`; AdminError where the actor may not for them."""
    if new.agency != PROVINCE:
        return await agency_of(session, actor, new.act, new.agency)
    if new.kind != INDICATOR:
        raise invalid(
            f"a {new.kind} is declared by an agency: only an indicator is of the province as a whole"
        )
    require_province(actor, new.act, "declare for the province as a whole")
    return PROVINCE


async def agency_of(session: Session, actor: Actor, act: Act, text: str) -> str:
    """The stored code of an agency that the actor may do `act` for; another's looks like none."""
    code = await agencies.code_of(session, text)
    if code is None:
        raise not_found("agency", rules.shown(text))
    require_over(actor, act, code, "agency", rules.shown(text))
    return code


def _check_days(days: Span, today: date) -> None:
    if today < days.last:
        raise invalid(f"{dmy(days.start)}–{dmy(days.last)} is not over: it is declared from its last day on")


def _check_agency(new: NewDeclaration, spans: list[AgencySpan]) -> None:
    """An agency declares people of a day on which it exists, and the rest of spans that it saw a day of."""
    if new.kind == HEADCOUNT:
        if not any(span.holds(new.days.last) for span in spans):
            raise conflict(f"the agency {new.agency} does not exist on {dmy(new.days.last)}")
        return
    lived = AgencySpan("", "", "", valid_from=new.days.start, valid_until=new.days.end)
    if not any(span.overlaps(lived) for span in spans):
        raise conflict(
            f"the agency {new.agency} does not exist on any day of {dmy(new.days.start)}–{dmy(new.days.last)}"
        )


def _lines(new: NewDeclaration, policy: Policy) -> tuple[RegisterLine, ...]:
    """The lines of a register in the form that is kept."""
    if new.kind != REGISTER and new.register:
        raise invalid("only a register has lines")
    if len(new.register) > LINES_LIMIT:
        raise invalid(f"a register has at most {LINES_LIMIT} lines: declare it month by month")
    lines, faults = checked_lines(new.register, new.days, policy.vocabulary)
    if faults:
        raise RegisterFaults(tuple((one.line, one.detail) for one in faults))
    return lines


def _numbers(new: NewDeclaration, policy: Policy, lines: tuple[RegisterLine, ...]) -> dict[str, int]:
    """The numbers in the form that is kept."""
    if (new.kind == INDICATOR) is not bool(new.subject):
        raise invalid("an indicator names its obligation, and nothing else does")
    if new.kind == INDICATOR:
        _check_obligation(new, policy)
    given = dict(new.content)
    if new.kind == REGISTER and not lines and ENTRIES not in given:
        raise invalid(f"a register without lines says so with {ENTRIES} 0: declared, and none issued")
    if new.kind == REGISTER and given.setdefault(ENTRIES, len(lines)) != len(lines):
        raise invalid(f"{ENTRIES} is {given[ENTRIES]}, but {len(lines)} lines came: mend one of them")
    try:
        return declared_checks.checked(new.kind, given)
    except DeclaredError as error:
        raise invalid(str(error)) from error


def _check_obligation(new: NewDeclaration, policy: Policy) -> None:
    obligation = obligation_of(policy, new.subject)
    if obligation.measured:
        raise invalid(f"{obligation.id} is the service's to count: there is nothing to declare")
    if (obligation.unit == "percent") is (new.content.get(declared_checks.COUNT) is not None):
        wanted = "a numerator and a denominator" if obligation.unit == "percent" else "a count"
        raise invalid(f"{obligation.id} is declared with {wanted}")


def _check_covered(new: NewDeclaration, spans: list[AgencySpan], obligation: Obligation) -> None:
    """What is asked of other agencies alone would only blur their figure."""
    if new.agency == PROVINCE:
        if obligation.each:
            raise invalid(f"{obligation.id} is asked of each agency: each declares its own")
        return
    lived = AgencySpan("", "", "", valid_from=new.days.start, valid_until=new.days.end)
    found = [span.level for span in spans if span.overlaps(lived)]
    if not any(level in obligation.levels for level in found):
        asked = ", ".join(obligation.levels)
        raise invalid(
            f"{obligation.id} is asked of agencies of the level {asked}, and {new.agency} is of the level"
            f" {found[-1]}: there is nothing to declare"
        )


async def _in_place_of(
    session: Session, new: NewDeclaration, others: list[DeclarationView]
) -> DeclarationView | None:
    """What counts already where this one would: people are counted for a day, whatever the span."""
    found = [one for one in others if one.series == _series(new)]
    if new.kind == HEADCOUNT and not found:
        found = [one for one in others if one.series.until_date == new.days.end]
    return (await declarations.with_registers(session, found[-1:]))[0] if found else None


def _check_turn(
    new: NewDeclaration,
    before: DeclarationView | None,
    reason: str | None,
    kept: tuple[dict[str, int], tuple[RegisterLine, ...]],
) -> None:
    """One declaration for one thing; every later one is a correction, and says why."""
    what = f"{new.subject or new.kind} of {new.agency or THE_PROVINCE} for {_days(new)}"
    if before is None:
        if new.correct:
            raise conflict(f"there is nothing to correct: {what} is not declared yet")
        return
    if not new.correct:
        raise conflict(
            f"{what} is declared already (declaration {before.id}):"
            " to change it, declare it as a correction, with a reason"
        )
    if reason is None:
        raise needs_reason(f"a correction of {what} says why: give a reason")
    if left_out := [name for name in before.content if name not in kept[0]]:
        raise invalid(
            f"{', '.join(left_out)} was declared before: declare it again, 0 where there is none now"
        )
    if kept == (before.content, before.register):
        raise conflict(f"the correction of {what} changes nothing")


def _days(new: NewDeclaration) -> str:
    if new.kind == HEADCOUNT:
        return dmy(new.days.last)
    return f"{dmy(new.days.start)}–{dmy(new.days.last)}"


async def _check_links(
    session: Session, code: str, lines: tuple[RegisterLine, ...], before: DeclarationView | None
) -> None:
    """Lines lead to messages that the agency issued.

    A link that was checked once may have outlived its message's record.
    """
    known = linked(before.register) if before else set()
    known |= await declarations.issued_by(session, code, linked(lines) - known)
    faults = [
        (number, f"no message of {code} has the queue id {rules.shown(line.queue_id)}: see mailgov trace")
        for number, line in enumerate(lines, start=1)
        if line.queue_id is not None and line.queue_id not in known
    ]
    if faults:
        raise RegisterFaults(tuple(faults))


def _iso(days: Span) -> str:
    return f"{days.start}..{days.last}"
