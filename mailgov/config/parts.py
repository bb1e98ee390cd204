"""What every process builds: the policy and the ledger's connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailgov.config import ConfigError
from mailgov.policy import Policy, load, read_directory
from mailgov.settings import Settings

if TYPE_CHECKING:
    from mailgov.store.engine import Database

SNAPSHOT_FILE = "directory.snapshot"
"""In the data folder: the directory as it last was, for a worker that starts."""


def build_policy(settings: Settings) -> Policy:
    """The policy of the settings' directory, checked and tested. Raises PolicyError."""
    return load_policy(settings)[0]


def load_policy(settings: Settings) -> tuple[Policy, dict[str, str]]:
    """The policy and the texts of its files, as they were read together. Raises PolicyError."""
    files = read_directory(settings.policy.directory)
    province, directory = settings.province, str(settings.policy.directory)
    policy = load(
        files,
        directive_numbers=province.directive_numbers,
        adopted=province.adopted,
        directory=directory,
    )
    return policy, files


def open_database(settings: Settings, *, create: bool = False) -> Database:
    """The ledger that the settings name. Raises ConfigError for a URL that names none."""
    from mailgov.store.engine import Database

    database = settings.database
    try:
        return Database.open(
            database.url, pool_size=database.pool_size, timeout_s=database.timeout_s, create=create
        )
    except ValueError as error:
        raise ConfigError(f"key database.url: {error}") from None
