"""The files of a new installation: settings, data folder, self-signed certificate.

Each step looks first whether it is done, so an interrupted `init` is simply run again.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailgov.ops import files

SETTINGS_FILE_MODE = 0o640
"""The service's group reads it; it may come to hold a database password."""
SHIPPED_PROVINCE = "Cao Bằng"
"""Whose directive the policy that comes with the program cites."""
SHIPPED_DOMAIN = "caobang.gov.vn"
OWNER_FILE = "owner"
"""In the data folder: the settings file of the installation that the folder belongs to."""
CERTIFICATE_DAYS = 825
"""The longest that common clients accept."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `mailgov init` was asked for. Paths as they are to stand in the settings file."""

    domain: str
    hostname: str
    data_dir: str
    policy_directory: str
    province: str
    demo: bool


def make_data_folder(data_dir: Path) -> None:
    """The data folder, its owner's alone (0700)."""
    files.private_folder(data_dir)
    data_dir.chmod(files.PRIVATE_FOLDER)


def owner_of(data_dir: Path) -> Path | None:
    """The settings file that the data folder belongs to, or None for a folder of nobody's."""
    try:
        return Path((data_dir / OWNER_FILE).read_text(encoding="utf-8").rstrip("\n"))
    except FileNotFoundError:
        return None


def mark_owner(data_dir: Path, settings_file: Path) -> None:
    """Make the data folder that of an installation, for good.

    Raises FileExistsError when somebody was faster. Nothing else may be written before this.
    """
    make_data_folder(data_dir)
    files.write_new(data_dir / OWNER_FILE, f"{settings_file.resolve()}\n".encode())


def make_certificate(
    certificate: Path, key_file: Path, hostname: str, now: datetime.datetime, *, loopback: bool
) -> bool:
    """A self-signed certificate for `hostname` (P-256); False when one is there.

    `loopback` adds localhost and its addresses, for rehearsals. A key that an interrupted
    run left is used.
    """
    if certificate.exists() and key_file.exists():
        return False
    if key_file.exists():
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} holds no P-256 key and {certificate} is missing")
    else:
        key = generate_private_key(SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files.write_new(key_file, pem)
    made = _self_signed(key, hostname, now, loopback)
    files.replace(certificate, made.public_bytes(Encoding.PEM), mode=0o644)
    return True


def _self_signed(
    key: EllipticCurvePrivateKey, hostname: str, now: datetime.datetime, loopback: bool
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])  # X.520: at most 64
    names: list[x509.GeneralName] = [x509.DNSName(hostname)]
    if loopback:
        names.append(x509.DNSName("localhost"))
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))  # clients' clocks differ
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def settings_text(plan: Plan) -> str:
    """The settings file, with what is most often changed written out."""
    data = plan.data_dir.rstrip("/") or "/"
    text = _BASE.format(
        domain=plan.domain,
        hostname=_quoted(plan.hostname),
        data_dir=_quoted(plan.data_dir),
        ledger=_quoted(f"sqlite:///{data}/ledger.sqlite"),
        certificate=_quoted(f"{data}/tls/certificate.pem"),
        key=_quoted(f"{data}/tls/key.pem"),
        policy=_quoted(plan.policy_directory),
    )
    province = _quoted(plan.province)
    if plan.demo:
        return text + _DEMO.format(account=_quoted(f"scanner@{plan.domain}"), province=province)
    return text + _PROVINCE.format(province=province)


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False)


_BASE = """\
# Settings of mailgov for {domain}. An environment variable MAILGOV_SECTION__KEY overrides a key.
hostname = {hostname}
data_dir = {data_dir}

[database]
url = {ledger}  # or postgresql://…

[smtp]  # ports below 1024 need the right to bind them: 25, 587 and 465 in service
mx = "127.0.0.1:2525"
submission = "127.0.0.1:2587"
submissions = "127.0.0.1:2465"

[imap]  # with `serve --imap`; ports 143 and 993 in service
listen = "127.0.0.1:2143"
imaps = "127.0.0.1:2993"

[tls]
certificate = {certificate}
key = {key}

[http]
listen = "127.0.0.1:8025"
public_url = "http://127.0.0.1:8025"  # links in replies start with it: put what people reach here

[policy]
directory = {policy}

# Malware and spam: services of their own, off while they have no address (docs/contents.md).
# [clamd]
# address = "/run/clamav/clamd.ctl"  # or host:port
# failure = "defer"  # while it cannot be asked, mail is put off (451): nothing gets in unchecked; or "accept"
# timeout_s = 60  # for one message: a 25 MB archive takes clamd 10 to 20 s
#
# [rspamd]
# url = "http://127.0.0.1:11333"  # its normal worker
# failure = "accept"  # spam that gets through is a nuisance, and so is mail that waits; or "defer"
# timeout_s = 20  # rspamd gives its own look-ups 8 s
# spam = ["reject"]  # actions of rspamd that make a message spam, which a rule refuses
"""

_PROVINCE = """
[province]
name = {province}
directives = ["cao-bang"]  # which documents bind here or are adopted
# directive_numbers.cao-bang = "…/CT-UBND"  # its number, for citations: the text at hand has none

# [[smtp.trusted]]  # a scanner or document system that sends without signing in, as one account
# listen = "127.0.0.1:2526"
# networks = ["127.0.0.0/8"]
# account = "scanner@…"
"""

_DEMO = """
[[smtp.trusted]]
listen = "127.0.0.1:2526"
networks = ["127.0.0.0/8"]
account = {account}

[delivery.routes]
"*" = "smtp:127.0.0.1:2600"  # nothing of a rehearsal reaches the Internet

[demo]
sink = "127.0.0.1:2600"

[province]
name = {province}
directives = ["cao-bang", "bac-giang", "phu-tho", "bac-ninh", "binh-dinh"]
carry_forward = ["binh-dinh"]
"""
