"""The DNS records that a province has to publish for a mail domain, as zone-file lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from mailgov.store.dkim_keys import DkimKeyView

STRING_OCTETS = 255
"""RFC 1035 3.3: one character-string of a TXT record."""
TTL_S = 3600
_STATES = {
    "pending": "signs once it is seen here",
    "active": "signs",
    "retired": "signs no more: stays while mail that it signed is on its way",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `name` and `value` as in a zone file, `why` for people."""

    name: str
    type: str
    value: str
    why: str

    def line(self) -> str:
        """The zone-file line."""
        return f"{self.name}. {TTL_S} IN {self.type} {self.value}"


def records(
    domain: str, hostname: str, keys: Sequence[DkimKeyView], *, reports: str | None = None
) -> list[Record]:
    """MX, SPF, DKIM and DMARC of `domain`, served by `hostname`; of its keys all but those withdrawn.

    A key that waits is published before it signs, and one that signed until its last mail has arrived.

    `reports` is the mailbox that sums up what others report; None leaves DMARC's to the postmaster.
    """
    found = [
        Record(domain, "MX", f"10 {hostname}.", "mail for the domain comes here (RFC 5321 5.1)"),
        Record(domain, "TXT", text_value("v=spf1 mx -all"), "only our MX hosts send for it (RFC 7208)"),
    ]
    found += [_of_key(key) for key in keys if key.state != "withdrawn"]
    found.append(
        Record(
            f"_dmarc.{domain}",
            "TXT",
            text_value(f"v=DMARC1; p=quarantine; rua=mailto:{reports or f'postmaster@{domain}'}"),
            "what others do with mail that fails both (RFC 9989); p=reject once reports are clean",
        )
    )
    if reports is not None:
        told = "where others report on TLS to our hosts (RFC 8460)"
        found.append(
            Record(f"_smtp._tls.{domain}", "TXT", text_value(f"v=TLSRPTv1; rua=mailto:{reports}"), told)
        )
    if reports is not None and (home := reports.rpartition("@")[2]) != domain:
        told = f"that {home} takes the reports on {domain} (RFC 9990)"
        found.append(Record(f"{domain}._report._dmarc.{home}", "TXT", text_value("v=DMARC1"), told))
    return found


def client_records(
    domain: str, hostname: str, pages: str | None, *, imaps: int | None, submissions: int | None
) -> list[Record]:
    """What mail programs find the service by; `pages` is the name that the pages are reached under.

    The ports are those that strangers reach; None leaves the service out.
    """
    found = []
    if pages is not None:
        told = "where mail programs ask for their settings"
        found += [
            Record(f"{name}.{domain}", "CNAME", f"{pages}.", told) for name in ("autoconfig", "autodiscover")
        ]
        found.append(_service("_autodiscover", domain, 443, pages, "the same, for Outlook"))
    if imaps is not None:
        found.append(_service("_imaps", domain, imaps, hostname, "reading mail (RFC 6186, 8314)"))
    if submissions is not None:
        found.append(_service("_submissions", domain, submissions, hostname, "sending mail (RFC 8314 5.1)"))
    return found


def pages_host(public_url: str) -> str | None:
    """The name in the address that people reach the pages at; None for an IP address or this machine."""
    host = urlsplit(public_url).hostname or ""
    name = host.rstrip(".")
    if "." not in name or ":" in name or name.replace(".", "").isdigit():
        return None
    return name


def _service(service: str, domain: str, port: int, host: str, why: str) -> Record:
    return Record(f"{service}._tcp.{domain}", "SRV", f"0 1 {port} {host}.", why)


def _of_key(key: DkimKeyView) -> Record:
    why = f"DKIM key, {key.algorithm}, {_STATES.get(key.state, key.state)} (RFC 6376 3.6.1)"
    return Record(key.record_name, "TXT", text_value(key.record), why)


def text_value(text: str) -> str:
    """ASCII text as quoted character-strings of at most 255 octets, in brackets when several."""
    escaped = [text[at : at + STRING_OCTETS] for at in range(0, len(text), STRING_OCTETS)] or [""]
    quoted = ['"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in escaped]
    return quoted[0] if len(quoted) == 1 else "( " + " ".join(quoted) + " )"
