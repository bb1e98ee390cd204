"""`/api/v1/me`: whom a token or a session stands for."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from mailgov.api.deps import Bare, Reading
from mailgov.api.schemas import Me, problems
from mailgov.api.times import iso
from mailgov.identity.roles import Act, Role, Scope, scope

router = APIRouter(tags=["me"])

Reach = Literal["own", "agency", "all"]
_REACH: dict[Scope, Reach] = {Scope.OWN: "own", Scope.AGENCY: "agency", Scope.ALL: "all"}


@router.get("/me", responses=problems(401, 403, 422, 503))
async def me(call: Reading, _bare: Bare) -> Me:
    """The caller's name, role and agency, and what they may do."""
    caller, zone = call.caller, call.ctx.settings.province.timezone
    known = caller.token or caller.person
    assert known is not None, "a caller is one or the other"
    return Me(
        name=call.actor.name if caller.token is None else caller.token.name,
        role=call.actor.role.value,
        agency=call.actor.agency,
        created_at=iso(known.created_ms, zone),
        expires_at=None if known.expires_ms is None else iso(known.expires_ms, zone),
        acts=_acts(call.actor.role, person=caller.person is not None),
    )


def _acts(role: Role, *, person: bool) -> dict[str, Reach]:
    """A token is nobody's own account, so that what one does for oneself is not among its acts."""
    reaches = {act.value: scope(role, act) for act in Act}
    shown = {reach for reach in _REACH if person or reach is not Scope.OWN}
    return {act: _REACH[reach] for act, reach in reaches.items() if reach in shown}
