"""The ledger's tables.

Times are `BigInteger` milliseconds since 1970-01-01 UTC (`_ms`); days are local dates
(Asia/Ho_Chi_Minh); spans of days are half-open (`valid_until` is the first day outside).
Addresses are stored in their look-up form (`Address.key`). Codes of agencies refer to
`Agency.code`, never to a row, because an agency may have several dated rows.
"""

from __future__ import annotations

from mailgov.store.tables.declared import (
    ClassChange,
    ClassSample,
    Declaration,
    Exemption,
    RegisterEntry,
    SignIn,
)
from mailgov.store.tables.directory import (
    Account,
    AccountGrant,
    AccountPost,
    AccountSeat,
    Agency,
    AgencySuccession,
    Alias,
    AliasTarget,
    DirectoryState,
    DkimKey,
    Domain,
    IdempotencyKey,
    RegisteredAddress,
    Token,
    WebSession,
)
from mailgov.store.tables.log import Audit, AuditDigest
from mailgov.store.tables.records import (
    Attempt,
    Correspondent,
    DecisionRow,
    Message,
    MessageRecipient,
    MessageTerm,
)
from mailgov.store.tables.reports import SenderReportEntry, SenderReportLine
from mailgov.store.tables.rollups import RollupDaily, RollupDocument, RollupOutbound
from mailgov.store.tables.work import (
    Command,
    DoorCounter,
    OutgoingMail,
    PolicyVersion,
    SpoolPosition,
    TlsResult,
    UnappliedEvent,
    WorkerStatus,
)

__all__ = [
    "Account",
    "AccountGrant",
    "AccountPost",
    "AccountSeat",
    "Agency",
    "AgencySuccession",
    "Alias",
    "AliasTarget",
    "Attempt",
    "Audit",
    "AuditDigest",
    "ClassChange",
    "ClassSample",
    "Command",
    "Correspondent",
    "DecisionRow",
    "Declaration",
    "DirectoryState",
    "DkimKey",
    "Domain",
    "DoorCounter",
    "Exemption",
    "IdempotencyKey",
    "Message",
    "MessageRecipient",
    "MessageTerm",
    "OutgoingMail",
    "PolicyVersion",
    "RegisterEntry",
    "RegisteredAddress",
    "RollupDaily",
    "RollupDocument",
    "RollupOutbound",
    "SenderReportEntry",
    "SenderReportLine",
    "SignIn",
    "SpoolPosition",
    "TlsResult",
    "Token",
    "UnappliedEvent",
    "WebSession",
    "WorkerStatus",
]
