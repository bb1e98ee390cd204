"""Typed settings of every room; no reading of files here (see `mailgov.config`)."""

from mailgov.settings.model import (
    DatabaseSettings,
    DeliverySettings,
    DemoSettings,
    DnsSettings,
    HttpSettings,
    ImapSettings,
    Listen,
    PolicySettings,
    ProvinceSettings,
    Settings,
    SignInSettings,
    SmtpSettings,
    SpoolSettings,
    TlsSettings,
    TrustedListener,
)

__all__ = [
    "DatabaseSettings",
    "DeliverySettings",
    "DemoSettings",
    "DnsSettings",
    "HttpSettings",
    "ImapSettings",
    "Listen",
    "PolicySettings",
    "ProvinceSettings",
    "Settings",
    "SignInSettings",
    "SmtpSettings",
    "SpoolSettings",
    "TlsSettings",
    "TrustedListener",
]
