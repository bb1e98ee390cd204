"""The province: its ledger, its rules, its documents, and its rehearsal."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mailgov.settings.values import DomainName, HostPort, Room


class DatabaseSettings(Room):
    """The ledger: SQLite by default, PostgreSQL for more than one machine."""

    url: str = "sqlite:///var/ledger.sqlite"
    """`sqlite:///path`, or `postgresql://user@host/name`."""
    pool_size: int = Field(5, ge=1, le=100)
    """Connections a process may hold; a worker needs two."""
    timeout_s: float = Field(5.0, gt=0)
    """How long a statement may wait for a connection or a lock before the caller goes on without."""


class PolicySettings(Room):
    directory: Path = Path("policy")
    """Rules, directives and providers: `mailgov policy check` looks at them."""


class ProvinceSettings(Room):
    name: str = "Cao Bằng"
    """As notices and reports name it."""
    directives: list[str] = ["cao-bang"]
    """Keys of the documents that bind the province: their targets are its own, others are a reference."""
    carry_forward: list[str] = []
    """Keys of documents whose targets stay when their years are over."""
    directive_numbers: dict[str, str] = {}
    """Numbers of documents whose text does not carry one, such as {"cao-bang": "…/CT-UBND"}."""
    timezone: str = "Asia/Ho_Chi_Minh"
    """Of days and months in figures, limits and dates."""
    committee: str = "ubnd"
    """The code of UBND tỉnh's own agency: documents ask some things of it alone."""
    renamed_domains: dict[DomainName, DomainName] = {}
    """By a domain of ours, what it is called now: mail to an address that the old domain does not have
    itself goes to the same name at the new one. Both stay domains of ours. The envelope alone says the
    new address: no header is changed."""
    cut_off_day: int = Field(15, ge=2, le=28)
    """First day of the next administrative month: 15 closes November on 14/11 (see `usage.periods`)."""

    @property
    def adopted(self) -> dict[str, list[str]]:
        """Documents' keys by the setting that names them."""
        return {"province.directives": self.directives, "province.carry_forward": self.carry_forward}


class DemoSettings(Room):
    """Set by `init --demo` alone: what stands for the outside world in a rehearsal."""

    sink: HostPort | None = None
    """`serve` runs a mail sink here that keeps what it gets under the data folder."""
