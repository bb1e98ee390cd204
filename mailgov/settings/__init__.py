"""Typed settings of every room; no reading of files here (see `mailgov.config`)."""

from mailgov.settings.delivery import DeliveryLogin, DeliverySettings, DnsSettings, SpoolSettings
from mailgov.settings.dkim import DkimSettings
from mailgov.settings.model import Settings
from mailgov.settings.people import HttpSettings, ImapSettings, LimitSettings, SignInSettings
from mailgov.settings.province import DatabaseSettings, DemoSettings, PolicySettings, ProvinceSettings
from mailgov.settings.scanners import ClamdSettings, Failure, RspamdSettings
from mailgov.settings.smtp import SmtpSettings, TlsSettings, TrustedListener
from mailgov.settings.strangers import DnsblSettings, GreylistingSettings, ReportsSettings
from mailgov.settings.tls_out import TlsMinimum, TlsOutSettings
from mailgov.settings.values import Listen, parse_listen

__all__ = [
    "ClamdSettings",
    "DatabaseSettings",
    "DeliveryLogin",
    "DeliverySettings",
    "DemoSettings",
    "DkimSettings",
    "DnsSettings",
    "DnsblSettings",
    "Failure",
    "GreylistingSettings",
    "HttpSettings",
    "ImapSettings",
    "LimitSettings",
    "Listen",
    "PolicySettings",
    "ProvinceSettings",
    "ReportsSettings",
    "RspamdSettings",
    "Settings",
    "SignInSettings",
    "SmtpSettings",
    "SpoolSettings",
    "TlsMinimum",
    "TlsOutSettings",
    "TlsSettings",
    "TrustedListener",
    "parse_listen",
]
