"""The obligations of the province's documents, for acts that name one."""

from __future__ import annotations

import asyncio

from mailgov.admin import rules
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import not_found
from mailgov.admin.policies import read_policy
from mailgov.policy import Obligation, Policy


async def policy_files(ctx: AdminContext) -> Policy:
    """The policy as its files say it now; raises AdminError `policy`."""
    return await asyncio.to_thread(read_policy, ctx.settings)


def obligation_of(policy: Policy, key: str) -> Obligation:
    """The obligation of that id, such as `pt.meeting-documents`; AdminError where no document has it."""
    for directive in policy.directives.values():
        for obligation in directive.obligations:
            if obligation.id == key:
                return obligation
    raise not_found("obligation", rules.shown(key))
