"""Follows the directory and the policy: a change reaches this worker within 2 s."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from mailgov.policy import Policy, PolicyError
from mailgov.relay.node import DirectoryView, Node
from mailgov.store import status
from mailgov.store.correspondents import changed_since
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.snapshot import Snapshot, load_snapshot, revisions
from mailgov.store.snapshot_file import save

log = structlog.get_logger()

INTERVAL_S = 1.0
DAY_CHANGE_MS = 3_600_000
"""A snapshot knows today's posts; it is read anew at least this often, so that a day's turn counts."""
STEP_BACK_MS = 60_000


class DirectoryFollower:
    """Keeps a view of the directory current; `now_ms` is the wall clock."""

    def __init__(self, view: DirectoryView, db: Database, now_ms: Callable[[], int]) -> None:
        self._view, self._db, self._now_ms = view, db, now_ms
        self.policy_revision = view.snapshot.policy_revision
        """As the ledger last said."""

    async def round(self) -> Snapshot | None:
        """One look at the ledger: the new snapshot, in the view already, or None.

        Raises LedgerUnavailable.
        """
        current, now_ms = self._view.snapshot, self._now_ms()
        directory, self.policy_revision = await revisions(self._db)
        stale = now_ms - current.loaded_ms > DAY_CHANGE_MS
        if (directory, self.policy_revision) == (current.revision, current.policy_revision) and not stale:
            self._view.confirm()
            return None
        snapshot = await load_snapshot(self._db, now_ms)
        if current.domains and not snapshot.domains:
            log.error("the ledger knows no domain: the directory at hand stays", revision=directory)
            return None
        self._view.confirm(snapshot)
        log.info("directory changed", revision=snapshot.revision, accounts=len(snapshot.accounts))
        return snapshot


class Follower:
    """Keeps the node's directory view and policy current.

    `load_policy` reads, checks and tests the files, and gives their texts too: the ledger keeps
    every policy that a worker ran with, so that a decision can be taken again.
    """

    def __init__(
        self,
        node: Node,
        db: Database,
        snapshot_file: Path,
        load_policy: Callable[[], tuple[Policy, dict[str, str]]],
        policy_files: dict[str, str],
    ) -> None:
        self._node, self._db, self._file = node, db, snapshot_file
        self._directory = DirectoryFollower(node.directory, db, node.clock.now_ms)
        self._load_policy = load_policy
        self._unnoted: dict[str, str] | None = policy_files
        self._policy_revision = node.directory.snapshot.policy_revision
        self._cursor = (0, "")

    async def run(self) -> None:
        """Ask every second, for ever; a ledger that is away leaves things as they are."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.round()

    async def round(self) -> None:
        """One look at the ledger; never raises for it."""
        try:
            await self._follow_directory()
            await self._note_policy()
            await self._follow_correspondents()
        except LedgerUnavailable as error:
            log.debug("directory not confirmed", cause=str(error))

    async def _follow_directory(self) -> None:
        snapshot = await self._directory.round()
        if snapshot is not None:
            self._tell_of_trusted(snapshot)
            await asyncio.get_running_loop().run_in_executor(self._node.executor, self._save, snapshot)
        if self._directory.policy_revision != self._policy_revision:
            self._policy_revision = self._directory.policy_revision
            await self.reload_policy()

    def _tell_of_trusted(self, snapshot: Snapshot) -> None:
        """A trusted listener without its account refuses everything: say so where someone looks."""
        for trusted in self._node.settings.smtp.trusted:
            account = snapshot.account(trusted.account.lower())
            if account is None or account.suspended:
                log.error("trusted listener without a usable account", account=trusted.account)

    def _save(self, snapshot: Snapshot) -> None:
        try:
            save(snapshot, self._file)
        except OSError as error:
            log.error(
                "snapshot not saved: a restart without the ledger will know an older one", cause=str(error)
            )

    async def reload_policy(self) -> None:
        """Swap the policy whole; files with a fault leave the running one in force."""
        view = self._node.policy
        try:
            policy, files = await asyncio.get_running_loop().run_in_executor(
                self._node.executor, self._load_policy
            )
        except (PolicyError, OSError) as error:
            view.error = str(error)
            log.error("policy not loaded, the old one stays", problem=str(error), running=view.policy.hash)
            return
        view.error = None
        if policy.hash != view.policy.hash:
            view.policy = policy
            self._unnoted = files
            log.info("policy loaded", hash=policy.hash, rules=len(policy.rules))

    async def _note_policy(self) -> None:
        if self._unnoted is not None:
            async with self._db.write() as session:
                await status.note_policy(
                    session, self._node.policy.policy.hash, self._unnoted, self._node.clock.now_ms()
                )
            self._unnoted = None

    async def _follow_correspondents(self) -> None:
        """What other nodes learnt of who wrote to us, and what a lost guard database knew."""
        node = self._node
        while rows := await changed_since(self._db, self._cursor):
            learnt = [(address, last_ms) for address, last_ms, _ in rows]
            await asyncio.get_running_loop().run_in_executor(node.executor, node.guard.merge, learnt)
            address, _, updated_ms = rows[-1]
            self._cursor = (updated_ms, address)
        # A row that another worker commits late may lie a little behind: look there again.
        self._cursor = (max(0, self._cursor[0] - STEP_BACK_MS), "")
