"""What of a relay worker speaks with the ledger, put together. A worker serves before it loads this."""

from __future__ import annotations

from collections.abc import Sequence

from mailgov.config.parts import SNAPSHOT_FILE, load_policy, open_database
from mailgov.relay.acts import Acts
from mailgov.relay.follow import Follower
from mailgov.relay.forward import Forwarder
from mailgov.relay.key_watch import KeyWatch
from mailgov.relay.ledger_side import LedgerSide
from mailgov.relay.node import Node
from mailgov.relay.report import Reporter
from mailgov.relay.scheduler import Scheduler
from mailgov.relay.tls_out.reports import TlsReports
from mailgov.store.spool import Spool


def build_ledger_side(
    node: Node, spools: Sequence[Spool], scheduler: Scheduler, policy_files: dict[str, str], worker: str
) -> LedgerSide:
    """Of the worker with that name. Raises ConfigError for a database that none can be."""
    settings = node.settings
    db = open_database(settings)
    return LedgerSide(
        db=db,
        follower=Follower(
            node, db, settings.data_dir / SNAPSHOT_FILE, lambda: load_policy(settings), policy_files
        ),
        forwarder=Forwarder(node, db, spools, settings.hostname),
        reporter=Reporter(node, db, settings.hostname, worker),
        acts=Acts(node, db, spools, scheduler),
        tls_reports=TlsReports(node, db),
        key_watch=KeyWatch(node, db),
    )
