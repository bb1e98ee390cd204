"""The restore drill: a backup made under load, and a province that stands up again from it elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_survival import arrived, send, wait_arrived
from tests.support.mailgov_service import Service
from tests.support.postgres import running_postgres
from tests.support.processes import free_port, wait_until
from tests.support.programs import needs
from tests.support.province import AN, PASSWORD, Province, queue_id_of, running_province


@contextmanager
def sending(province: Province, sent: set[str]) -> Iterator[None]:
    """Somebody sends to the outside all the while; `sent` is what was answered 250."""
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            to = f"load{number}@example.org"
            send(province, to, size_bytes=300_000 if number % 5 == 0 else 0)
            sent.add(to)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def figures(service: Service) -> dict[str, Any]:
    """The figures of the last 30 days, without the moment that they were made at."""
    data: dict[str, Any] = service.cli("usage").expect().data
    return {name: data[name] for name in ("province", "agencies", "observed_days")}


def settled_figures(province: Province, count: int) -> dict[str, Any]:
    wait_until(
        lambda: figures(province.service)["province"]["sent_messages"] == count,
        what="all records in the ledger",
    )
    return figures(province.service)


def restored(source: Service, folder: Path, backup: Path, *options: str) -> tuple[Service, dict[str, Any]]:
    """A new installation in the old one's world, not started, and what the command said."""
    service = Service(folder)
    folder.mkdir()
    source_ports = (source.mx, source.submission, source.submissions, source.trusted, source.http_port)
    service.mx, service.submission, service.submissions, service.trusted, service.http_port = source_ports
    words = ["restore", str(backup), "--config", str(service.config), "--data", "var", *options]
    told: dict[str, Any] = service.cli(*words).expect().data
    return service, told


def check_new_life(province: Province, service: Service, old: dict[str, Any], wanted: set[str]) -> None:
    """What a province expects of its restored service, on the ports of the old one."""
    assert service.cli("verify-data").expect().data == {"ok": True, "problems": []}
    assert figures(service) == old
    dead, province.service = province.service, service
    try:
        service.start()
        wait_arrived(province, wanted)
        # People sign in with their passwords, mail is signed with the same key, records go on.
        key = service.cli("dkim", "list").expect().data
        assert key == dead.cli("dkim", "list").expect().data
        queue_id = queue_id_of(province.submit(message(), to=AN))
        province.settled(queue_id)
        assert service.get(f"/api/v1/messages/{queue_id}", province.token).status == 200
        assert service.cli("audit", "verify").expect().data["problems"] == []
        wait_until(lambda: service.cli("queue", "list").expect().data == [], what="an empty queue")
    finally:
        service.kill()
        province.service = dead


def message() -> bytes:
    return f"From: {AN}\r\nTo: {AN}\r\nSubject: 12/CV-SNV\r\n\r\nbody\r\n".encode()


def test_a_backup_under_load_stands_up_again(tmp_path: Path) -> None:
    with running_province(tmp_path / "old", small=True) as province:
        service, sent = province.service, set[str]()
        waiting = {f"wait{n}@example.org" for n in range(6)}
        province.sink.on("connect", "421 4.3.2 not yet")
        for number, to in enumerate(sorted(waiting)):
            send(province, to, size_bytes=300_000 if number % 2 else 0)
        with sending(province, sent):
            wait_until(lambda: len(sent) > 5, what="load")
            made = service.cli("backup", str(tmp_path / "b.tar")).expect().data
        assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
        assert made["queued_messages"] >= len(waiting)
        assert not list(tmp_path.glob(".*")), "nothing half done stays beside it"
        assert service.cli("verify-data", str(tmp_path / "b.tar")).expect().data["ok"]
        assert service.cli("verify-data").expect().data["ok"]

        service.kill()
        new, told = restored(service, tmp_path / "new", tmp_path / "b.tar")
        old = figures(new)
        kept = old["province"]["sent_messages"]
        assert len(waiting) <= kept <= len(waiting | sent)
        province.sink.behave()
        check_new_life(province, new, old, waiting)
        gone = told["absent_recipients"]
        assert len(arrived(province)) >= kept - gone, "all but what came while the copies were made"


@pytest.mark.slow  # two databases, each with the service started and restored
@needs("postgres")
def test_a_backup_moves_from_one_database_to_the_other(tmp_path: Path) -> None:
    with running_postgres() as postgres, running_province(tmp_path / "old", small=True) as province:
        service = province.service
        queue_id = send(province, AN)
        province.settled(queue_id)
        old = settled_figures(province, 1)
        service.cli("backup", str(tmp_path / "b.tar"), "--with-mail").expect()
        service.stop()
        new, _ = restored(
            service, tmp_path / "pg", tmp_path / "b.tar", "--database", postgres.create("restored")
        )
        assert [path.read_bytes() for path in (new.data_dir / "mail").rglob("*/new/*")] == province.inbox(AN)
        check_new_life(province, new, old, set())

        # And back again.
        new.cli("backup", str(tmp_path / "c.tar")).expect()
        url = f"sqlite:///{tmp_path}/again/var/ledger.sqlite"
        again, _ = restored(service, tmp_path / "again", tmp_path / "c.tar", "--database", url)
        assert figures(again) == figures(new)
        assert again.cli("account", "list").expect().data == new.cli("account", "list").expect().data


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, Path]:
    """An installation that is set up and not started, and a backup of it."""
    folder = tmp_path_factory.mktemp("small")
    service = Service(folder / "old")
    service.init()
    service.cli("backup", str(folder / "b.tar")).expect()
    return service, folder / "b.tar"


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def changed(data: bytes) -> bytes:
    at = data.index(b"caobang.gov.vn")
    return data[:at] + b"X" + data[at + 1 :]


@pytest.mark.parametrize("damage", [cut, changed, lambda _: b"no tar at all", lambda _: b""])
def test_a_damaged_backup_is_refused_whole(
    small: tuple[Service, Path], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    service, whole = small
    broken = tmp_path / "broken.tar"
    broken.write_bytes(damage(whole.read_bytes()))
    told = service.cli("verify-data", str(broken)).expect(1).data
    assert told["problems"][0].startswith(str(broken))
    refused = service.cli("restore", str(broken), "--config", str(tmp_path / "m.toml"), as_json=False).expect(
        1
    )
    assert refused.stderr.startswith(f"error: {broken}")
    assert refused.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.tar"]


def test_members_that_lead_elsewhere_are_refused(small: tuple[Service, Path], tmp_path: Path) -> None:
    service, whole = small
    evil = tmp_path / "evil.tar"
    with tarfile.open(whole) as source, tarfile.open(evil, "w") as target:
        for entry in source.getmembers():
            content = source.extractfile(entry)
            assert content is not None
            data = content.read()
            if entry.name == "manifest.json":
                data = data.replace(b"data/keys/", b"data/../../keys/")
                entry.size = len(data)
                assert json.loads(data)
            entry.name = entry.name.replace("data/keys/", "data/../../keys/")
            target.addfile(entry, io.BytesIO(data))
    words = ["restore", str(evil), "--config", str(tmp_path / "m.toml"), "--data", "var"]
    refused = service.cli(*words, as_json=False).expect(1)
    assert "belongs nowhere" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar"]


DECOYS = {
    "a key in quotes": 'hostname = """\ndata_dir = "x"\n"""\n"data_dir" = "%s"\n',
    "a heading in a text": 'note = """\n[tls]\n[policy]\n"""\ndata_dir = "%s"\n[tls]\nkey = "%s/key"\n',
    "a table of its own": 'data_dir = "%s"\ntls = {key = "%s/key", certificate = "%s/c"}\n',
}


@pytest.mark.parametrize("settings", DECOYS.values(), ids=DECOYS)
def test_a_backup_does_not_choose_where_it_goes(
    small: tuple[Service, Path], tmp_path: Path, settings: str
) -> None:
    service, whole = small
    elsewhere = tmp_path / "elsewhere"
    evil = remade(whole, tmp_path / "evil.tar", settings.replace("%s", str(elsewhere)).encode())
    words = ["restore", str(evil), "--config", str(tmp_path / "new" / "m.toml"), "--data", "var"]
    (tmp_path / "new").mkdir()
    refused = service.cli(*words, as_json=False).expect(1)
    assert refused.stderr.startswith("error: the backup's settings")
    assert not elsewhere.exists()
    assert list((tmp_path / "new").iterdir()) == []


def remade(whole: Path, target: Path, settings: bytes) -> Path:
    """The backup with other settings in it, its manifest put right."""
    with tarfile.open(whole) as source, tarfile.open(target, "w") as made:
        for entry in source.getmembers():
            content = source.extractfile(entry)
            assert content is not None
            data = content.read()
            if entry.name == "settings.toml":
                data = settings
            elif entry.name == "manifest.json":
                manifest = json.loads(data)
                for member in manifest["members"]:
                    if member["name"] == "settings.toml":
                        member |= {"size": len(settings), "sha256": hashlib.sha256(settings).hexdigest()}
                data = json.dumps(manifest).encode()
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return target


def test_a_member_larger_than_the_file_is_refused(small: tuple[Service, Path], tmp_path: Path) -> None:
    service, _ = small
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", 1 << 30)
    subprocess.run(["tar", "--sparse", "-cf", "s.tar", "big"], cwd=tmp_path, check=True)
    assert (tmp_path / "s.tar").stat().st_size < 1 << 20
    told = service.cli("verify-data", str(tmp_path / "s.tar")).expect(1).data
    assert told["problems"] == [f"{tmp_path}/s.tar: 'big' is no plain file"]


def test_nothing_that_is_there_is_overwritten(small: tuple[Service, Path], tmp_path: Path) -> None:
    service, whole = small
    again = service.cli("backup", str(whole), as_json=False).expect(1)
    assert "there already" in again.stderr
    over = service.cli("restore", str(whole), "--config", str(service.config), as_json=False).expect(1)
    assert "never overwritten" in over.stderr
    beside = tmp_path / "m.toml"
    words = ["restore", str(whole), "--config", str(beside), "--data", str(service.data_dir)]
    assert "is not empty" in service.cli(*words, as_json=False).expect(1).stderr
    assert service.cli("account", "list").expect().data, "and the old one is as it was"
    assert not beside.exists()


def test_a_restore_that_fails_takes_away_what_it_made(small: tuple[Service, Path], tmp_path: Path) -> None:
    """An address that no database answers at: neither settings, data nor their folder stay."""
    service, backup = small
    config = tmp_path / "new" / "deeper" / "mailgov.toml"
    nobody = f"postgresql://x:y@127.0.0.1:{free_port()}/z"
    words = ["restore", str(backup), "--config", str(config), "--database", nobody]
    service.cli(*words, as_json=False).expect(1)
    assert not (tmp_path / "new").exists()


def test_damage_in_the_data_in_use_is_found(tmp_path: Path) -> None:
    service = Service(tmp_path / "old")
    service.init()
    key = next((service.data_dir / "keys").rglob("*.pem"))
    key.write_bytes(b"no key\n")
    told = service.cli("verify-data").expect(1).data
    assert [problem for problem in told["problems"] if problem.startswith(f"DKIM key {key}")]
    assert PASSWORD not in str(told)
