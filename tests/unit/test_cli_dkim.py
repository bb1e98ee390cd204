"""`mailgov dkim …`: keys are made, seen in the DNS, and take each other's place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.dns_server import DnsServer
from tests.unit.test_cli import DOMAIN, data, done, mailgov


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new installation; each test has its own copy."""
    made = tmp_path_factory.mktemp("installed")
    done(made, "init", "--domain", DOMAIN)
    return made


@pytest.fixture
def folder(tmp_path: Path, installed: Path) -> Path:
    shutil.copytree(installed, tmp_path, dirs_exist_ok=True)
    return tmp_path


def weak_key() -> bytes:
    return rsa.generate_private_key(65537, 1024).private_bytes(  # noqa: S505 - what is refused
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_weak_key_is_refused_at_start_and_when_it_is_taken_over(folder: Path) -> None:
    keys = folder / "var/keys/dkim" / DOMAIN
    (keys / "old.rsa.pem").write_bytes(weak_key())
    refused = mailgov(folder, "dkim", "generate", DOMAIN, "--selector", "old")
    assert refused.returncode == 1
    assert "1024 bits" in refused.stderr
    refused = mailgov(folder, "serve")
    assert refused.returncode == 1
    (told,) = [line for line in refused.stderr.splitlines() if not line.startswith("{")]  # beside the log
    assert f"DKIM key {keys / 'old.rsa.pem'}: RSA of 1024 bits is too weak to sign with" in told
    assert [one["selector"] for one in data(folder, "dkim", "list")] != ["old"]


@pytest.fixture
def asking(folder: Path, dns_server: DnsServer) -> Path:
    """The installation, with a DNS that has nothing yet."""
    with (folder / "mailgov.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[dns]\nnameservers = ["{dns_server.address}"]\ntimeout_s = 1\n')
    return folder


def zone_lines(said: str, dns_server: DnsServer) -> None:
    """Publish the lines that begin with a record's name, as a name server reads them."""
    for line in said.splitlines():
        name, _, value = line.partition(". IN TXT ")
        if value:
            dns_server.add(name, "TXT", value.strip("( )"))


def test_a_year_of_keys(asking: Path, dns_server: DnsServer) -> None:
    """Made, printed as a zone takes it, refused while it is missing, begun; the old ones stay a while."""
    rsa, ed25519 = data(asking, "dkim", "list")
    assert [(one["algorithm"], one["state"]) for one in (rsa, ed25519)] == [
        ("rsa", "active"),
        ("ed25519", "pending"),
    ]
    waits = mailgov(asking, "dkim", "rotate", DOMAIN)
    assert waits.returncode == 1
    assert f"{ed25519['record_name']} waits: missing: no TXT record is there" in waits.stderr
    checked = mailgov(asking, "dkim", "check")
    assert checked.returncode == 1
    assert checked.stdout.splitlines()[0] == f"{rsa['record_name']} (active): missing: no TXT record is there"
    first = json.loads(mailgov(asking, "dkim", "check", "--json").stdout)[0]
    assert first == {
        "domain": DOMAIN,
        "selector": rsa["selector"],
        "state": "active",
        "standing": "missing",
        "detail": "no TXT record is there",
    }
    for record in data(asking, "dns", "print"):
        if "_domainkey" in record["name"]:
            dns_server.add(record["name"], "TXT", record["value"].strip("( )"))
    assert done(asking, "dkim", "check").count(": published") == 2
    assert "signs now" in done(asking, "dkim", "rotate", DOMAIN)

    said = done(asking, "dkim", "rotate", DOMAIN)
    assert said.count("IN TXT") == 2
    strings = [part for line in said.splitlines() for part in line.split('"')[1::2]]
    assert max(len(part) for part in strings) == 255
    zone_lines(said, dns_server)
    turned = data(asking, "dkim", "rotate", DOMAIN)
    assert [one["algorithm"] for one in turned["begun"]] == ["rsa", "ed25519"]
    listed = done(asking, "dkim", "list", DOMAIN)
    assert listed.count("retired, published until") == 2
    assert "leave it in the DNS" in listed
    assert "PRIVATE" not in said + listed + json.dumps(turned)
    acts = [row["act"] for row in data(asking, "audit", "list")]
    assert acts.count("dkim.begin") == 3


def test_every_record_is_looked_for(asking: Path, dns_server: DnsServer) -> None:
    settings = asking / "mailgov.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("http://127.0.0.1:8025", "https://thu.caobang.gov.vn"), encoding="utf-8")
    refused = mailgov(asking, "dns", "check", "--json")
    assert refused.returncode == 1
    found = json.loads(refused.stdout)
    assert {one["standing"] for one in found} == {"missing"}
    assert {one["type"] for one in found} == {"MX", "TXT", "CNAME", "SRV"}
    assert {tuple(one) for one in found} == {("name", "type", "standing", "detail")}
    for record in data(asking, "dns", "print"):
        dns_server.add(record["name"], record["type"], record["value"].strip("( )"))
    assert {one["standing"] for one in data(asking, "dns", "check", DOMAIN)} == {"published"}
    dns_server.mx(DOMAIN, "mx1.other.vn", f"mail.{DOMAIN}")
    dns_server.txt(DOMAIN, "v=spf1 mx include:other.vn -all", "other=1")
    dns_server.servfail(f"_dmarc.{DOMAIN}")
    seen = {(one["name"], one["type"]): one["standing"] for one in data(asking, "dns", "check")}
    assert (seen[DOMAIN, "MX"], seen[DOMAIN, "TXT"]) == ("published", "other")
    assert seen[f"_dmarc.{DOMAIN}", "TXT"] == "unknown"
    dns_server.txt(DOMAIN, "v=spf1 mx -all", "v=spf1 a -all")
    said = mailgov(asking, "dns", "check")
    assert said.returncode == 1
    assert "2 v=spf1 records: receivers take none of them" in said.stdout


def test_a_key_by_hand_and_without_the_dns(folder: Path) -> None:
    nobody = mailgov(folder, "dkim", "retire", DOMAIN, data(folder, "dkim", "list")[0]["selector"])
    assert nobody.returncode == 1
    assert "is the only key that signs" in nobody.stderr
    assert "signs now" in done(folder, "dkim", "rotate", DOMAIN, "--unchecked")
    rsa = data(folder, "dkim", "list")[0]["selector"]
    assert data(folder, "dkim", "retire", DOMAIN, rsa)["state"] == "retired"
    made = data(folder, "dkim", "rotate", DOMAIN, "--algorithm", "rsa")["made"]
    assert [one["state"] for one in made] == ["pending"]
