"""`mailgov doctor` on a new installation: what it finds, what it says, and what it exits with."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailgov.cli.app import run
from mailgov.mail.events import Event, OutcomeEvent, RecipientState
from mailgov.ops import running
from mailgov.ops.init import make_certificate
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events
from tests.support.dns_server import DnsServer
from tests.support.file_systems import small_disk
from tests.support.processes import free_port
from tests.unit.store.events import message, recipient
from tests.unit.test_cli import DOMAIN, data, done

CERTIFICATE, KEY = "tls/certificate.pem", "tls/key.pem"

Doctor = Callable[..., tuple[int, list[dict[str, str]]]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    """A new installation, and the records that it asks to publish; each test has its own copy."""
    made = tmp_path_factory.mktemp("installed")
    done(made, "init", "--domain", DOMAIN)
    return made, data(made, "dns", "print", DOMAIN)


@pytest.fixture
def folder(tmp_path: Path, installed: tuple[Path, list[dict[str, str]]], dns_server: DnsServer) -> Path:
    """A new installation whose records are published."""
    made, records = installed
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    for record in records:
        dns_server.add(record["name"], record["type"], record["value"].strip("( )"))
    settings = tmp_path / "mailgov.toml"
    text = settings.read_text(encoding="utf-8")
    numbered = 'directive_numbers.cao-bang = "1/CT-UBND"'
    text = re.sub(r"(?m)^# directive_numbers.*$", numbered, text)
    text = text.replace("http://127.0.0.1:8025", "https://thu.caobang.gov.vn")
    text += f'\n[dns]\nnameservers = ["{dns_server.address}"]\ntimeout_s = 1\n'
    settings.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def doctor(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.chdir(folder)

    def command(*settings: str) -> tuple[int, list[dict[str, str]]]:
        with (folder / "mailgov.toml").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in settings)
        code = run(["doctor", "--json"])
        return code, json.loads(capsys.readouterr().out)["findings"]

    return command


def places(found: list[dict[str, str]], level: str) -> set[str]:
    return {one["place"] for one in found if one["level"] == level}


def test_a_new_installation_lacks_nothing_but_to_run(doctor: Doctor) -> None:
    code, found = doctor()
    assert (code, places(found, "problem")) == (0, set()), found
    assert places(found, "warning") == {"serve"}


def test_a_service_whose_workers_are_silent_takes_no_mail(folder: Path, doctor: Doctor) -> None:
    with running.note(folder / "var"):
        code, found = doctor()
    assert (code, places(found, "problem")) == (1, {"serve"})


def test_a_queue_on_a_small_disk_of_its_own(folder: Path, doctor: Doctor) -> None:
    with small_disk(folder / "var" / "spool" / "0", "8m") as disk:
        code, found = doctor()
    assert (code, places(found, "problem")) == (1, {str(disk)})


def test_a_certificate_that_runs_out(folder: Path, doctor: Doctor) -> None:
    certificate, key = folder / "var" / CERTIFICATE, folder / "var" / KEY
    for path in (certificate, key):
        path.unlink()
    make_certificate(certificate, key, f"mail.{DOMAIN}", datetime(2001, 1, 1, tzinfo=UTC), loopback=False)
    code, found = doctor()
    assert code == 1
    assert "expired" in next(one["detail"] for one in found if one["place"] == "certificate")


@pytest.mark.parametrize(
    ("name", "fits"), [("thu.example", False), (f"*.{DOMAIN}", True), ("*.gov.vn", False)]
)
def test_a_certificate_of_another_name(folder: Path, doctor: Doctor, name: str, fits: bool) -> None:
    """Every mail program would refuse it, and nothing else says so before the first official rings."""
    certificate, key = folder / "var" / CERTIFICATE, folder / "var" / KEY
    for path in (certificate, key):
        path.unlink()
    make_certificate(certificate, key, name, datetime.now(UTC), loopback=False)
    code, found = doctor()
    assert code == (0 if fits else 1)
    told = [one["detail"] for one in found if one["place"] == "certificate"]
    assert told == ([] if fits else [told[0]])
    assert fits or f"does not name mail.{DOMAIN}" in told[0]


def test_a_key_that_is_not_the_published_one(folder: Path, doctor: Doctor) -> None:
    (key,) = (folder / "var/keys/dkim").rglob("*.rsa.pem")
    key.write_bytes(b"nothing")
    code, found = doctor()
    assert code == 1
    assert "DKIM" in places(found, "problem")


def test_services_that_do_not_answer(doctor: Doctor) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    code, found = doctor("[clamd]", f'address = "{nobody}"', "[rspamd]", f'url = "http://{nobody}"')
    assert code == 1
    assert {"clamd", "rspamd"} <= places(found, "problem")
    told = {one["place"]: one["detail"] for one in found}
    assert told["clamd"].startswith(f"at {nobody} gives no verdict: ")
    assert told["rspamd"].startswith(f"at http://{nobody} gives no verdict: ")


def test_what_waits_for_a_person_or_for_long(folder: Path, doctor: Doctor) -> None:
    now_ms = int(time.time() * 1000)
    told: list[tuple[int, Event]] = []
    waits: list[tuple[str, RecipientState, int]] = [
        ("HELD", "held", 0), ("LATE", "deferred", 90_000), ("NEW", "deferred", 60),
    ]  # fmt: skip
    for name, state, age_s in waits:
        at_ms = now_ms - age_s * 1000
        taken = replace(message(1, at_ms, recipient(0, "outbound")), queue_id=name)
        told += [(len(told) + 1, taken)]
        told += [(len(told) + 1, OutcomeEvent(name, 0, at_ms, state, "451 4.3.2 later", 1))]
    told += [(len(told) + 1, OutcomeEvent("UNKNOWN", 0, now_ms, "held", "x", 1))]

    async def fill() -> None:
        ledger = Database.open(f"sqlite:///{folder}/var/ledger.sqlite")
        await apply_events(ledger, "a" * 32, "node", told, now_ms)
        await ledger.dispose()

    asyncio.run(fill())
    _, found = doctor()
    assert [one["detail"] for one in found if one["place"] in {"queue", "ledger"}] == [
        "recipients held: 1; see mailgov queue list --state held",
        "recipients deferred for over 4h: 1; see mailgov queue list --state deferred --older-than 4h",
        "traffic events that could not be applied: 1 (table unapplied_event): figures lack them",
    ]


def test_a_mailbox_for_reports_that_is_none(doctor: Doctor) -> None:
    _, found = doctor("[reports]", 'mailbox = "nobody@caobang.gov.vn"')
    assert "reports.mailbox" in places(found, "warning")


def test_a_limit_for_nobody(doctor: Doctor) -> None:
    names = ["operator@caobang.gov.vn", "nobody@caobang.gov.vn", "VAN-THU"]
    _, found = doctor("[delivery.mailbox_limits]", *(f'"{name}" = 1000' for name in names))
    of_limits = {one for one in places(found, "warning") if one.startswith("delivery")}
    assert of_limits == {f"delivery.mailbox_limits.{name}" for name in names[1:]}


def test_a_domain_that_ed25519_alone_signs_for(folder: Path, doctor: Doctor) -> None:
    done(folder, "domain", "add", "b.vn", "--postmaster", f"operator@{DOMAIN}")
    done(folder, "dkim", "generate", "b.vn", "--algorithm", "ed25519")
    _, found = doctor()
    assert [one["detail"].partition(",")[0] for one in found if one["place"] == "b.vn"] == [
        "Ed25519 alone signs its mail"
    ]


def test_keys_that_others_may_read(folder: Path, doctor: Doctor) -> None:
    key = next((folder / "var/keys/dkim").rglob("*.rsa.pem"))
    key.chmod(0o640)
    _, found = doctor()
    assert any(place.endswith(key.name) for place in places(found, "warning"))


def test_records_that_are_not_published(folder: Path, doctor: Doctor, dns_server: DnsServer) -> None:
    key, waits = [one["record_name"] for one in data(folder, "dkim", "list")]
    dns_server.txt(key, "v=DKIM1; k=rsa; p=AAAA")  # another installation's
    dns_server.forget(waits)
    dns_server.forget(f"_dmarc.{DOMAIN}")
    code, found = doctor()
    assert code == 0
    assert {key, waits, f"_dmarc.{DOMAIN}"} <= places(found, "warning")
    told = {one["place"]: one["detail"] for one in found}
    assert told[key].startswith("the key that signs our mail is not there")
    assert "(different: p= is another key's)" in told[key]
    assert told[waits].startswith("a new key signs nothing until it is there (missing: ")


def test_a_dns_that_does_not_answer(doctor: Doctor, dns_server: DnsServer) -> None:
    dns_server.servfail(f"_dmarc.{DOMAIN}")
    code, found = doctor()
    assert (code, places(found, "problem")) == (1, {"dns"})


def test_what_is_for_rehearsals_alone(doctor: Doctor) -> None:
    _, found = doctor("[delivery]", 'allow_networks = ["127.0.0.0/8"]')
    assert "delivery.allow_networks" in places(found, "warning")


def test_a_policy_that_does_not_load(folder: Path, doctor: Doctor) -> None:
    bad = folder / "policy"
    bad.mkdir()
    (bad / "rules.toml").write_text("nonsense = 1\n")
    text = (folder / "mailgov.toml").read_text(encoding="utf-8")
    (folder / "mailgov.toml").write_text(re.sub(r"(?m)^directory = .*$", 'directory = "policy"', text))
    code, found = doctor()
    assert code == 1
    assert "policy" in places(found, "problem")


def test_for_people_it_is_a_line_for_each(folder: Path) -> None:
    text = done(folder, "doctor")
    assert text == "warning: serve: no relay worker spoke in the last 30 s: it does not run\n"
    (folder / "var" / KEY).chmod(0o644)
    assert "others than its owner may read it" in done(folder, "doctor")
