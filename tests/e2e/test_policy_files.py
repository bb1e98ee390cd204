"""A broken policy: `serve` refuses to start and says where; a reload keeps the policy that runs."""

from __future__ import annotations

import shutil
import smtplib
import subprocess
from pathlib import Path

from tests.support.mailgov_service import MAILGOV
from tests.support.processes import wait_until
from tests.support.province import AN, SCANNER, running_province

ROOT = Path(__file__).parent.parent.parent


def test_a_broken_policy_keeps_serve_from_starting_and_a_reload_from_happening(tmp_path: Path) -> None:
    own = tmp_path / "own-policy"
    shutil.copytree(ROOT / "policy", own)
    rules = own / "rules.toml"
    good = rules.read_text(encoding="utf-8")
    broken = good.replace('fact = "message.secrecy"', 'fact = "message.secercy"', 1)
    line = broken[: broken.index("message.secercy")].count("\n") + 1
    settings = {"policy": {"directory": str(own)}}

    with running_province(tmp_path, settings, small=True) as province:
        cli = province.service.cli
        before = cli("policy", "lint").expect()
        rules.write_text(broken, encoding="utf-8")

        refused = cli("policy", "load", as_json=False)
        assert refused.status == 1
        assert f"rules.toml:{line}: " in refused.stderr
        assert "message.secercy" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1

        # A worker asked to reload by signal keeps what runs, and says so.
        province.service.program.send_signal(1)
        wait_until(lambda: "policy not loaded, the old one stays" in province.service.log(), what="the log")
        with smtplib.SMTP("127.0.0.1", province.service.trusted, timeout=30) as session:
            session.ehlo()
            session.mail(SCANNER)
            assert session.rcpt(AN)[0] == 250
            code, text = session.data(
                "From: scanner@caobang.gov.vn\r\nSubject: =?utf-8?B?TeG6rFQ=?=\r\n\r\nx\r\n"
            )
        assert (code, b"state-secret-subject" in text) == (550, True)

        province.service.stop()
        done = subprocess.run(
            [str(MAILGOV), "serve", "--config", str(province.service.config)],
            check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert f"rules.toml:{line}: " in last
        assert "Traceback" not in done.stderr

        rules.write_text(good, encoding="utf-8")
        province.service.start()
        assert cli("policy", "lint").expect().data == before.data


def test_a_changed_mode_reaches_the_workers(tmp_path: Path) -> None:
    own = tmp_path / "own-policy"
    shutil.copytree(ROOT / "policy", own)
    with running_province(tmp_path, {"policy": {"directory": str(own)}}, small=True) as province:
        rules = own / "rules.toml"

        def code() -> int:
            with smtplib.SMTP("127.0.0.1", province.service.trusted, timeout=30) as session:
                session.ehlo()
                session.mail(SCANNER)
                return session.rcpt("ai@gmail.com")[0]

        assert code() == 550
        text = rules.read_text(encoding="utf-8")
        head, tail = text.split('id = "cold-free-mail"', 1)
        rules.write_text(
            head + 'id = "cold-free-mail"' + tail.replace('"enforce"', '"monitor"', 1), encoding="utf-8"
        )
        province.service.cli("policy", "load", as_json=False).expect()
        wait_until(lambda: code() == 250, what="the mode at the relay")
