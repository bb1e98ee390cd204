"""The tables of a node's guard, and how far each may grow."""

from __future__ import annotations

from typing import NamedTuple

CORRESPONDENT_LIMIT = 500_000
"""Addresses that are remembered (about 50 MB); the ones silent for the longest go first."""
FAILURE_LIMIT = 100_000
"""Keys whose failed sign-ins are counted; an attack from many addresses must not fill a disk."""
SENT_LIMIT = 200_000
"""Accounts and agencies, a row for each of their limits: a province has about ten thousand."""
WRITTEN_LIMIT = 1_000_000
"""Outside addresses that agencies have written to (about 60 MB); one that is forgotten is new again."""
GREY_LIMIT = 500_000
"""Pairs of sender and recipient that were seen from a network (about 50 MB); a flood of strangers
pushes out those that were silent for the longest."""
STS_LIMIT = 10_000
"""Domains whose MTA-STS policy is kept, of at most 50 KB each, seldom over 200 octets; those that were not
read for the longest go first."""


class Bound(NamedTuple):
    """Rows kept of a table whose primary key is `key`; those with the oldest `last_ms` go first."""

    key: str
    rows: int


BOUNDS = {
    "correspondent": Bound("address", CORRESPONDENT_LIMIT),
    "sign_in_failure": Bound("key", FAILURE_LIMIT),
    "sign_in_success": Bound("key", FAILURE_LIMIT),
    "sent": Bound("key", SENT_LIMIT),
    "written": Bound("key", WRITTEN_LIMIT),
    "grey": Bound("key", GREY_LIMIT),
    "sts_policy": Bound("domain", STS_LIMIT),
}

SCHEMA = """
CREATE TABLE IF NOT EXISTS correspondent (address TEXT PRIMARY KEY, last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS correspondent_last ON correspondent (last_ms);
CREATE TABLE IF NOT EXISTS sign_in_failure (
  key TEXT PRIMARY KEY, count INTEGER NOT NULL, last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sign_in_failure_last ON sign_in_failure (last_ms);
CREATE TABLE IF NOT EXISTS sign_in_success (key TEXT PRIMARY KEY, last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sign_in_success_last ON sign_in_success (last_ms);
CREATE TABLE IF NOT EXISTS sent (
  key TEXT PRIMARY KEY, span TEXT NOT NULL, taken INTEGER NOT NULL, refused INTEGER NOT NULL,
  last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_last ON sent (last_ms);
CREATE TABLE IF NOT EXISTS written (key BLOB PRIMARY KEY, last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS written_last ON written (last_ms);
CREATE TABLE IF NOT EXISTS grey (
  key BLOB PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, passed INTEGER NOT NULL
  ) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grey_last ON grey (last_ms);
CREATE TABLE IF NOT EXISTS sts_policy (
  domain TEXT PRIMARY KEY, id TEXT NOT NULL, body TEXT NOT NULL, last_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sts_policy_last ON sts_policy (last_ms);
"""
