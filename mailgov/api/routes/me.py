"""`/api/v1/me`: whom a token stands for."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from mailgov.api.deps import Bare, Reading
from mailgov.api.schemas import Me, problems
from mailgov.api.times import iso
from mailgov.identity.roles import Act, Role, Scope, scope

router = APIRouter(tags=["me"])

_REACH: dict[Scope, Literal["agency", "all"]] = {Scope.AGENCY: "agency", Scope.ALL: "all"}


@router.get("/me", responses=problems(401, 403, 422, 503))
async def me(call: Reading, _bare: Bare) -> Me:
    """The token's name, role and agency, and what it may do."""
    token, zone = call.caller.token, call.ctx.settings.province.timezone
    return Me(
        name=token.name,
        role=token.role,
        agency=token.agency_code,
        created_at=iso(token.created_ms, zone),
        expires_at=None if token.expires_ms is None else iso(token.expires_ms, zone),
        acts=_acts(call.actor.role),
    )


def _acts(role: Role) -> dict[str, Literal["agency", "all"]]:
    return {act.value: _REACH[reach] for act in Act if (reach := scope(role, act)) in _REACH}
