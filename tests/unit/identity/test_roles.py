"""The table of roles: who may do what, over whose objects."""

from __future__ import annotations

import pytest

from mailgov.identity.roles import AGENCY_ROLES, Act, Role, Scope, allowed, covers, scope

FOR_ONESELF = {
    Act.SESSION_BEGIN,
    Act.SESSION_SEAT,
    Act.SESSION_END,
    Act.PASSWORD_CHANGE,
    Act.PASSWORD_RESET,
}


@pytest.mark.parametrize("act", [act for act in Act if act not in FOR_ONESELF])
def test_operator_may_do_everything(act: Act) -> None:
    assert scope(Role.OPERATOR, act) is Scope.ALL


@pytest.mark.parametrize("role", list(Role))
def test_everyone_looks_after_their_own_account_and_nobody_does_so_for_them(role: Role) -> None:
    assert {act for act in Act if scope(role, act) is Scope.OWN} == FOR_ONESELF
    assert not any(covers(role, act, "snv", "snv") for act in FOR_ONESELF)


@pytest.mark.parametrize("act", [act for act in Act if not act.reads])
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.CLERK, Role.HEAD, Role.OWNER])
def test_only_operator_and_agency_admin_change_anything_but_what_a_clerk_declares_or_classes(
    role: Role, act: Act
) -> None:
    clerks = {Act.DECLARATION_ADD, Act.DECLARATION_CORRECT, Act.CLASS_CORRECT, Act.CLASS_CONFIRM}
    declares = clerks if role is Role.CLERK else set()
    own = Scope.OWN if act in FOR_ONESELF else Scope.NONE
    assert scope(role, act) is (Scope.AGENCY if act in declares else own)


def test_agency_admin_stays_in_its_agency() -> None:
    assert covers(Role.AGENCY_ADMIN, Act.ACCOUNT_PASSWORD, "snv", "snv")
    assert not covers(Role.AGENCY_ADMIN, Act.ACCOUNT_PASSWORD, "snv", "stc")
    assert not covers(Role.AGENCY_ADMIN, Act.ACCOUNT_PASSWORD, "snv", None)
    assert not covers(Role.AGENCY_ADMIN, Act.ACCOUNT_PASSWORD, None, None)


def test_agency_admin_never_reaches_the_province() -> None:
    province = {act for act in Act if scope(Role.AGENCY_ADMIN, act) is Scope.ALL}
    assert province == {Act.DOMAIN_READ, Act.AGENCY_READ, Act.POLICY_READ}


def test_auditor_sees_no_names() -> None:
    assert not allowed(Role.AUDITOR, Act.MESSAGE_READ)
    assert not allowed(Role.AUDITOR, Act.ACCOUNT_READ)
    assert allowed(Role.AUDITOR, Act.AUDIT_VERIFY)
    assert allowed(Role.AUDITOR, Act.USAGE_READ)


def test_roles_of_an_agency() -> None:
    assert set(AGENCY_ROLES) == {Role.AGENCY_ADMIN, Role.CLERK, Role.HEAD}
