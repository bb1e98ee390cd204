"""The spool: mail that we have answered 250 for and have not yet handed on (ADR 0002)."""

from mailgov.store.spool.bodies import BodyWriter
from mailgov.store.spool.model import (
    Body,
    Change,
    Progress,
    QueuedMessage,
    QueuedRecipient,
    SpoolError,
    SpoolFull,
    SpoolHeld,
    SpoolUnfit,
    Variant,
)
from mailgov.store.spool.spool import Spool
from mailgov.store.spool.waiting import Turn

__all__ = [
    "Body",
    "BodyWriter",
    "Change",
    "Progress",
    "QueuedMessage",
    "QueuedRecipient",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "SpoolHeld",
    "SpoolUnfit",
    "Turn",
    "Variant",
]
