"""`mailgov dkim …`: keys are made, seen in the DNS, and take each other's place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

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
    assert refused.stderr.count("\n") == 1
    assert f"DKIM key {keys / 'old.rsa.pem'}: RSA of 1024 bits is too weak to sign with" in refused.stderr
    assert [one["selector"] for one in data(folder, "dkim", "list")] != ["old"]
