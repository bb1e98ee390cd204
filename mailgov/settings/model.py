"""The whole settings file as one type."""

from __future__ import annotations

from pathlib import Path

from mailgov.settings.delivery import DeliverySettings, DnsSettings, SpoolSettings
from mailgov.settings.dkim import DkimSettings
from mailgov.settings.people import HttpSettings, ImapSettings, LimitSettings, SignInSettings
from mailgov.settings.province import DatabaseSettings, DemoSettings, PolicySettings, ProvinceSettings
from mailgov.settings.scanners import ClamdSettings, RspamdSettings
from mailgov.settings.smtp import SmtpSettings, TlsSettings
from mailgov.settings.strangers import DnsblSettings, GreylistingSettings, ReportsSettings
from mailgov.settings.tls_out import TlsOutSettings
from mailgov.settings.values import HostName, Room


class Settings(Room):
    """The whole file. Relative paths are taken from the folder of the settings file."""

    hostname: HostName = "localhost"
    """What this machine calls itself in greetings, EHLO, Received and Authentication-Results."""
    data_dir: Path = Path("var")
    """Spool, mailboxes, keys, and the ledger where it is SQLite."""
    database: DatabaseSettings = DatabaseSettings()
    smtp: SmtpSettings = SmtpSettings()
    tls: TlsSettings = TlsSettings()
    tls_out: TlsOutSettings = TlsOutSettings()
    http: HttpSettings = HttpSettings()
    dns: DnsSettings = DnsSettings()
    delivery: DeliverySettings = DeliverySettings()
    dkim: DkimSettings = DkimSettings()
    spool: SpoolSettings = SpoolSettings()
    policy: PolicySettings = PolicySettings()
    province: ProvinceSettings = ProvinceSettings()
    imap: ImapSettings = ImapSettings()
    sign_in: SignInSettings = SignInSettings()
    clamd: ClamdSettings = ClamdSettings()
    rspamd: RspamdSettings = RspamdSettings()
    limits: LimitSettings = LimitSettings()
    dnsbl: DnsblSettings = DnsblSettings()
    reports: ReportsSettings = ReportsSettings()
    greylisting: GreylistingSettings = GreylistingSettings()
    demo: DemoSettings = DemoSettings()
