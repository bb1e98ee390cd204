"""Who may do what: the one table of roles, acts and scopes.

A scope says over whose objects a role may act: its own account, its own agency's, or
everyone's. Nothing else in the house compares roles.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Role(StrEnum):
    """The seats that a province fills."""

    OPERATOR = "operator"
    """Runs the service: directory, policy, queue, reports."""
    AUDITOR = "auditor"
    """Reads statistics and the log; changes nothing."""
    AGENCY_ADMIN = "agency_admin"
    """An agency's own IT officer."""
    CLERK = "clerk"
    """An agency's văn thư."""
    HEAD = "head"
    """An agency's head."""
    OWNER = "owner"
    """A mailbox owner."""


class Scope(IntEnum):
    """Over whose objects; the larger includes the smaller."""

    NONE = 0
    OWN = 1
    """One's own account alone."""
    AGENCY = 2
    ALL = 3


class Act(StrEnum):
    """Everything that can be asked of `admin`."""

    DOMAIN_READ = "domain.read"
    DOMAIN_ADD = "domain.add"
    DOMAIN_DISABLE = "domain.disable"
    DOMAIN_ENABLE = "domain.enable"
    AGENCY_READ = "agency.read"
    AGENCY_ADD = "agency.add"
    AGENCY_RENAME = "agency.rename"
    AGENCY_CHANGE = "agency.change"
    AGENCY_CLOSE = "agency.close"
    AGENCY_MERGE = "agency.merge"
    ACCOUNT_READ = "account.read"
    ACCOUNT_ADD = "account.add"
    ACCOUNT_DISABLE = "account.disable"
    ACCOUNT_ENABLE = "account.enable"
    ACCOUNT_PASSWORD = "account.password"  # noqa: S105 - the name of an act
    ACCOUNT_GRANT = "account.grant"
    ACCOUNT_REVOKE = "account.revoke"
    ACCOUNT_MOVE = "account.move"
    ACCOUNT_EDIT = "account.edit"
    ACCOUNT_LIMIT = "account.limit"
    SEAT_ADD = "seat.add"
    SEAT_REMOVE = "seat.remove"
    DIRECTORY_IMPORT = "directory.import"
    DIRECTORY_EXPORT = "directory.export"
    ADDRESS_REGISTER = "address.register"
    ADDRESS_UNREGISTER = "address.unregister"
    ALIAS_READ = "alias.read"
    ALIAS_ADD = "alias.add"
    ALIAS_EXTEND = "alias.extend"
    ALIAS_REMOVE = "alias.remove"
    DKIM_READ = "dkim.read"
    DKIM_GENERATE = "dkim.generate"
    DKIM_BEGIN = "dkim.begin"
    DKIM_RETIRE = "dkim.retire"
    TOKEN_READ = "token.read"  # noqa: S105 - the name of an act
    TOKEN_CREATE = "token.create"  # noqa: S105 - the name of an act
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - the name of an act
    QUEUE_READ = "queue.read"
    QUEUE_HOLD = "queue.hold"
    QUEUE_RELEASE = "queue.release"
    QUEUE_RETRY = "queue.retry"
    QUEUE_DROP = "queue.drop"
    MESSAGE_READ = "message.read"
    USAGE_READ = "usage.read"
    POLICY_READ = "policy.read"
    POLICY_LOAD = "policy.load"
    SENDER_REPORT_READ = "sender_report.read"
    AUDIT_READ = "audit.read"
    AUDIT_VERIFY = "audit.verify"
    DECLARATION_READ = "declaration.read"
    DECLARATION_ADD = "declaration.add"
    DECLARATION_CORRECT = "declaration.correct"
    EXEMPTION_READ = "exemption.read"
    EXEMPTION_ADD = "exemption.add"
    EXEMPTION_END = "exemption.end"
    CLASS_READ = "class.read"
    CLASS_CORRECT = "class.correct"
    CLASS_SAMPLE = "class.sample"
    CLASS_CONFIRM = "class.confirm"
    BACKUP_MAKE = "backup.make"
    DATA_VERIFY = "data.verify"
    SESSION_BEGIN = "session.begin"
    SESSION_SEAT = "session.seat"
    SESSION_END = "session.end"
    PASSWORD_CHANGE = "password.change"  # noqa: S105 - the name of an act
    PASSWORD_RESET = "password.reset"  # noqa: S105 - the name of an act

    @property
    def reads(self) -> bool:
        """True when it changes nothing, and so leaves no audit row."""
        return self.value.endswith((".read", ".verify"))


_PUBLIC = frozenset({Act.DOMAIN_READ, Act.AGENCY_READ, Act.POLICY_READ})
"""What any seat may know: it stands in the public directory or in the law."""

_OWN = frozenset(
    {Act.SESSION_BEGIN, Act.SESSION_SEAT, Act.SESSION_END, Act.PASSWORD_CHANGE, Act.PASSWORD_RESET}
)
"""What whoever holds an account does for themselves, from any seat, and nobody does for them."""

_AUDITOR = frozenset(
    {Act.USAGE_READ, Act.DKIM_READ, Act.AUDIT_VERIFY, Act.DECLARATION_READ, Act.EXEMPTION_READ}
)
"""Figures and the log, nothing that names people: an auditor sees names only by a reveal, which is logged."""
_AGENCY_ADMIN = frozenset(
    {
        Act.ACCOUNT_READ,
        Act.ACCOUNT_ADD,
        Act.ACCOUNT_DISABLE,
        Act.ACCOUNT_ENABLE,
        Act.ACCOUNT_PASSWORD,
        Act.ACCOUNT_EDIT,
        Act.ADDRESS_REGISTER,
        Act.ADDRESS_UNREGISTER,
        Act.QUEUE_READ,
        Act.QUEUE_RETRY,
        Act.MESSAGE_READ,
        Act.USAGE_READ,
        Act.DECLARATION_READ,
        Act.EXEMPTION_READ,
    }
)
_CLERK = frozenset(
    {
        Act.ACCOUNT_READ,
        Act.MESSAGE_READ,
        Act.USAGE_READ,
        Act.DECLARATION_READ,
        Act.DECLARATION_ADD,
        Act.DECLARATION_CORRECT,
        Act.EXEMPTION_READ,
        Act.CLASS_READ,
        Act.CLASS_CORRECT,
        Act.CLASS_CONFIRM,
    }
)
_HEAD = frozenset({Act.ACCOUNT_READ, Act.USAGE_READ, Act.DECLARATION_READ, Act.EXEMPTION_READ})

_ALL: dict[Role, frozenset[Act]] = {
    Role.OPERATOR: frozenset(Act) - _OWN,
    Role.AUDITOR: _AUDITOR | _PUBLIC,
    Role.AGENCY_ADMIN: _PUBLIC,
    Role.CLERK: _PUBLIC,
    Role.HEAD: _PUBLIC,
    Role.OWNER: _PUBLIC,
}
_OWN_AGENCY: dict[Role, frozenset[Act]] = {
    Role.AGENCY_ADMIN: _AGENCY_ADMIN,
    Role.CLERK: _CLERK,
    Role.HEAD: _HEAD,
}
AGENCY_ROLES = frozenset(_OWN_AGENCY)
"""Roles that mean something only together with an agency."""


def scope(role: Role, act: Act) -> Scope:
    """Over whose objects `role` may do `act`."""
    if act in _ALL[role]:
        return Scope.ALL
    if act in _OWN_AGENCY.get(role, frozenset()):
        return Scope.AGENCY
    return Scope.OWN if act in _OWN else Scope.NONE


def allowed(role: Role, act: Act) -> bool:
    """True when `role` may do `act` on something."""
    return scope(role, act) > Scope.NONE


def covers(role: Role, act: Act, own_agency: str | None, agency: str | None) -> bool:
    """True when `role`, seated in `own_agency`, may do `act` on an object of `agency`.

    An object of no agency (None) belongs to no agency's seat. What one does for oneself is covered
    nowhere: those acts know their own account.
    """
    reach = scope(role, act)
    return reach is Scope.ALL or (reach is Scope.AGENCY and agency is not None and agency == own_agency)
