"""What whoever tries the demo is handed: how to sign in, kept in a file, and what to try."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from mailgov.ops import files
from mailgov.settings import Settings

CREDENTIALS_FILE = "demo-credentials.txt"
OFFICE = "vpubnd"
OWN_FREE_MAIL = "mau-can-bo-01@gmail.com"
"""Registered as the ready person's own; Gmail gives out no hyphens."""

_LABELS = {
    "account": "account",
    "password": "password",
    "clerk": "clerk account",
    "clerk_password": "clerk password",
    "auditor": "auditor account",
    "auditor_password": "auditor password",
    "operator": "operator account",
    "operator_password": "operator password",
    "token": "API token",
}


@dataclass(frozen=True, slots=True)
class Ready:
    """An official's account, one in each seat, and an operator's token."""

    account: str
    password: str
    clerk: str
    clerk_password: str
    auditor: str
    auditor_password: str
    operator: str
    operator_password: str
    token: str

    def __repr__(self) -> str:
        return f"Ready(account={self.account!r}, operator={self.operator!r})"

    @classmethod
    def read(cls, data_dir: Path) -> Ready | None:
        """From the installation's credentials file; None where there is none, or not a whole one."""
        try:
            text = (data_dir / CREDENTIALS_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        told = {
            label: value.strip() for label, _, value in (line.partition(":") for line in text.splitlines())
        }
        if not all(told.get(label) for label in _LABELS.values()):
            return None
        return cls(**{name: told[label] for name, label in _LABELS.items()})

    def keep(self, data_dir: Path) -> None:
        """Write the credentials file, its owner's alone, over an older one."""
        files.replace(data_dir / CREDENTIALS_FILE, self.named().encode())

    def named(self) -> str:
        """One `name: value` on a line."""
        values = asdict(self)
        return "".join(f"{label + ':':<18} {values[name]}\n" for name, label in _LABELS.items())

    def text(self, settings: Settings) -> str:
        """How to sign in and what to try, at the addresses that the settings have now."""
        return f"{self.named()}\n{self._try(settings)}"

    def _try(self, settings: Settings) -> str:
        domain = self.account.rpartition("@")[2]
        submission, api = settings.smtp.submission, settings.http.public_url
        inside, outside = f"{OFFICE}@{domain}", "vanthu@bo-mau.example"
        return (
            "Try (everything outside goes to a sink on this machine):\n"
            f"  swaks --server {submission} --tls --auth-user {self.account} \\\n"
            f"    --auth-password '{self.password}' \\\n"
            f"    --from {self.account} --to {inside},{outside} --h-Subject '12/GM-SKHCN Giấy mời họp'\n"
            f"    (it lands in {settings.data_dir.name}/mail/ and {settings.data_dir.name}/outside/)\n"
            f"  the same with --to {OWN_FREE_MAIL} (rejected: own free mail), or with\n"
            "    --h-Subject 'MẬT: kế hoạch' (stopped for secrecy)\n"
            f"  curl -H 'Authorization: Bearer {self.token}' '{api}/api/v1/messages?limit=5'\n"
            "  .venv/bin/mailgov usage --agency skhcn\n"
            f"  in a browser: {api}/sign-in with any of the accounts; clerk, auditor and operator see the\n"
            f"    scorecard at {api}/\n"
        )
